// What was read comes back from a snapshot, and nothing else; a damaged one is refused.
#include "memory/snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "support/snapshot_items.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kPage = 4096, kHeap = 0xc000000000;

Bytes counted(std::size_t size, unsigned first) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(first + i * 7 + i / 251);
  return bytes;
}

// Three megabytes at kHeap; its answers change when the test changes them.
class FakeSpace final : public AddressSpace {
public:
  Bytes heap = counted(3 << 20, 1);
  std::vector<Mapping> maps = {
      {.start = {0x400000}, .size_bytes = kPage, .is_readable = true, .name = "/srv/program"},
      {.start = {kHeap}, .size_bytes = 3 << 20, .is_readable = true, .is_writable = true}};
  std::vector<PageRun> pages;
  bool knows_pages = true;

  Result<> read(std::span<MemoryRead> reads) override {
    for (MemoryRead &wanted : reads) {
      const std::uint64_t offset = wanted.address.value - kHeap;
      wanted.is_read = offset <= heap.size() && wanted.into.size() <= heap.size() - offset;
      if (wanted.is_read)
        std::ranges::copy(std::span{heap}.subspan(offset, wanted.into.size()), wanted.into.begin());
    }
    return {};
  }
  Result<std::vector<Mapping>> mappings() override { return maps; }
  Result<std::vector<PageRun>> resident_pages(std::span<const ProcessRange>) override {
    if (!knows_pages)
      return fail(Errc::unsupported, "not known");
    return pages;
  }
};

// Bytes of an address space, or why there are none.
Result<Bytes> read(AddressSpace &space, std::uint64_t address, std::size_t size_bytes) {
  Bytes into(size_bytes);
  MemoryRead wanted{{address}, into};
  TRY(space.read({&wanted, 1}));
  if (!wanted.is_read)
    return fail(Errc::not_found, "not read");
  return into;
}

class SnapshotTest : public ::testing::Test {
protected:
  SnapshotTest() {
    auto writer = SnapshotWriter::create(Fd{::dup(file_.get())}, space_, some_process());
    EXPECT_TRUE(writer);
    writer_ = std::move(writer).value();
  }

  Bytes finished() {
    const auto finished = writer_->finish();
    EXPECT_TRUE(finished) << finished.error().message();
    return written();
  }
  Bytes written() const {
    auto source = ByteSource::open(Fd{::dup(file_.get())}).value();
    const auto bytes = source.read(0, source.size_bytes()).value();
    return {bytes.begin(), bytes.end()};
  }

  // The snapshot of all that was read so far.
  std::unique_ptr<Snapshot> taken() {
    bytes_ = finished();
    auto snapshot = Snapshot::open(ByteSource{bytes_}, "x.snap");
    EXPECT_TRUE(snapshot) << snapshot.error().message();
    return std::move(snapshot).value();
  }

  Fd file_{::memfd_create("snapshot", MFD_CLOEXEC)};
  FakeSpace space_;
  std::unique_ptr<SnapshotWriter> writer_;
  Bytes bytes_;
};

std::string refusal_of(std::span<const std::byte> bytes) {
  auto snapshot = Snapshot::open(ByteSource{bytes}, "x.snap");
  return snapshot ? "" : snapshot.error().message();
}

TEST_F(SnapshotTest, OfAClockTheFirstAnswerIsKeptThoughItWasReadAsMemoryToo) {
  Bytes first(4), later(4);
  for (Bytes *into : {&first, &later}) {
    MemoryRead clock{.address = {kHeap + 8}, .into = *into, .is_clock = true};
    ASSERT_TRUE(writer_->read({&clock, 1}));
    space_.heap[8] = static_cast<std::byte>(99);
  }
  ASSERT_NE(first, later);
  ASSERT_TRUE(read(*writer_, kHeap, 64));
  const auto snapshot = taken();
  EXPECT_EQ(read(*snapshot, kHeap + 8, 4).value(), first);
}

TEST_F(SnapshotTest, KeepsWhatIsKnownOfTheProcess) {
  const auto snapshot = taken();
  const SnapshotProcess &process = snapshot->process();
  EXPECT_EQ(process.pid, 4711u);
  EXPECT_EQ(process.exe, "/srv/program");
  EXPECT_EQ(process.load_bias.value, 0x1000u);
  EXPECT_EQ(process.wall_time_ns, some_process().wall_time_ns);
  EXPECT_EQ(process.facts->go_version, "go1.26.8");
  EXPECT_EQ(process.facts->layout.offsets, some_process().facts->layout.offsets);
  EXPECT_EQ(process.facts->variables, some_process().facts->variables);
}

TEST_F(SnapshotTest, HasWhatWasReadAndNothingElse) {
  EXPECT_TRUE(read(*writer_, kHeap + 100, 48));
  EXPECT_TRUE(read(*writer_, kHeap + 5 * kPage - 8, 16)); // in two pages
  EXPECT_TRUE(read(*writer_, kHeap + 10 * kPage, kPage));
  EXPECT_FALSE(read(*writer_, 0x1000, 8));
  const auto snapshot = taken();
  for (auto [address, size] : std::initializer_list<std::pair<std::uint64_t, std::size_t>>{
           {100, 48}, {101, 3}, {5 * kPage - 8, 16}, {5 * kPage, 8}, {10 * kPage, kPage}})
    EXPECT_EQ(read(*snapshot, kHeap + address, size).value(),
              read(space_, kHeap + address, size).value())
        << address;
  EXPECT_FALSE(read(*snapshot, kHeap + 99, 2));
  EXPECT_FALSE(read(*snapshot, kHeap + 100, 49));
  EXPECT_FALSE(read(*snapshot, kHeap + 11 * kPage, 1));
  EXPECT_FALSE(read(*snapshot, kHeap + 10 * kPage - 1, 2));
  EXPECT_FALSE(read(*snapshot, 0x1000, 8));
  EXPECT_FALSE(read(*snapshot, ~0ULL - 3, 8));
  EXPECT_TRUE(read(*snapshot, 0x1000, 0)); // nothing is wanted
}

TEST_F(SnapshotTest, OneReadMayBeLargerThanAChunk) {
  EXPECT_TRUE(read(*writer_, kHeap + 3, (3 << 20) - 10));
  const auto snapshot = taken();
  EXPECT_EQ(read(*snapshot, kHeap + 3, (3 << 20) - 10).value(),
            read(space_, kHeap + 3, (3 << 20) - 10).value());
  EXPECT_FALSE(read(*snapshot, kHeap, 8));
}

TEST_F(SnapshotTest, OfWhatWasReadTwiceTheLastCounts) {
  EXPECT_TRUE(read(*writer_, kHeap, 100));
  const Bytes before = space_.heap;
  space_.heap = counted(space_.heap.size(), 77);
  EXPECT_TRUE(read(*writer_, kHeap + 50, 10));
  const auto snapshot = taken();
  const Bytes now = read(*snapshot, kHeap, 100).value();
  for (std::size_t i = 0; i < now.size(); ++i)
    EXPECT_EQ(now[i], (i >= 50 && i < 60 ? space_.heap : before)[i]) << i;
}

TEST_F(SnapshotTest, ManyReadsInAnyOrderComeBack) {
  std::mt19937_64 random{4711};
  std::vector<std::pair<std::uint64_t, std::size_t>> places;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t size = 1 + random() % 300;
    places.emplace_back(kHeap + random() % (space_.heap.size() - size), size);
    ASSERT_TRUE(read(*writer_, places.back().first, size));
  }
  const auto snapshot = taken();
  for (const auto &[address, size] : places)
    ASSERT_EQ(read(*snapshot, address, size).value(), read(space_, address, size).value());
  EXPECT_LT(bytes_.size(), space_.heap.size()); // it is compressed
}

TEST_F(SnapshotTest, MappingsComeBackIfAnybodyAsked) {
  EXPECT_TRUE(writer_->mappings());
  const auto mappings = taken()->mappings().value();
  ASSERT_EQ(mappings.size(), 2u);
  EXPECT_EQ(mappings[0].name, "/srv/program");
  EXPECT_EQ(mappings[1].start.value, kHeap);
  EXPECT_TRUE(mappings[1].is_writable);
}

TEST_F(SnapshotTest, WhatNobodyAskedIsNotKnown) {
  space_.knows_pages = false;
  const ProcessRange page{{kHeap}, kPage};
  EXPECT_FALSE(writer_->resident_pages({&page, 1}));
  const auto snapshot = taken();
  EXPECT_EQ(snapshot->mappings().error().code(), Errc::unsupported);
  EXPECT_EQ(snapshot->resident_pages({&page, 1}).error().code(), Errc::unsupported);
}

ProcessRange pages(std::uint64_t first, std::uint64_t count) {
  return {{kHeap + first * kPage}, count * kPage};
}

TEST_F(SnapshotTest, PagesComeBackAsTheyWereTheLastTime) {
  space_.pages = {{.range = pages(0, 4)}, {.range = pages(20, 2), .is_swapped = true}};
  const std::array first{pages(0, 10), pages(20, 10)};
  EXPECT_TRUE(writer_->resident_pages(first));
  space_.pages = {{.range = pages(2, 1), .is_huge = true}};
  const std::array second{pages(2, 4)};
  EXPECT_TRUE(writer_->resident_pages(second));
  const auto snapshot = taken();
  using Runs = std::vector<PageRun>;
  EXPECT_EQ(snapshot->resident_pages(second).value(), space_.pages);
  EXPECT_EQ(snapshot->resident_pages(first).value(),
            (Runs{{.range = pages(0, 2)},
                  {.range = pages(2, 1), .is_huge = true},
                  {.range = pages(20, 2), .is_swapped = true}}));
  const std::array part{pages(21, 1)};
  EXPECT_EQ(snapshot->resident_pages(part).value(),
            (Runs{{.range = pages(21, 1), .is_swapped = true}}));
  const std::array more{pages(5, 6)};
  EXPECT_EQ(snapshot->resident_pages(more).error().code(), Errc::unsupported);
}

TEST_F(SnapshotTest, OneThatWasNotFinishedIsRefused) {
  EXPECT_TRUE(read(*writer_, kHeap, 2 << 20));
  EXPECT_EQ(refusal_of(written()), "x.snap: the snapshot breaks off: it was not finished");
}

TEST_F(SnapshotTest, CutAtAnyByteItIsRefused) {
  EXPECT_TRUE(read(*writer_, kHeap, 300));
  EXPECT_TRUE(writer_->mappings());
  const Bytes whole = finished();
  ASSERT_EQ(refusal_of(whole), "");
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    EXPECT_NE(refusal_of(std::span{whole}.first(cut)), "") << cut;
}

TEST_F(SnapshotTest, WithAnyByteChangedItIsRefused) {
  EXPECT_TRUE(read(*writer_, kHeap, 300));
  Bytes bytes = finished();
  for (std::byte &byte : bytes) {
    byte ^= std::byte{0x10};
    EXPECT_NE(refusal_of(bytes), "") << &byte - bytes.data();
    byte ^= std::byte{0x10};
  }
}

TEST_F(SnapshotTest, AFailureToWriteIsToldAtTheEndAndDisturbsNoRead) {
  Fd full{::open("/dev/full", O_WRONLY | O_CLOEXEC)};
  ASSERT_TRUE(full);
  EXPECT_FALSE(SnapshotWriter::create(Fd{::dup(full.get())}, space_, some_process()));

  Fd file{::memfd_create("snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING)}; // which is then full
  auto writer = SnapshotWriter::create(Fd{::dup(file.get())}, space_, some_process()).value();
  ASSERT_EQ(::fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW), 0);
  EXPECT_EQ(read(*writer, kHeap, 2 << 20).value(), read(space_, kHeap, 2 << 20).value());
  const auto finished = writer->finish();
  ASSERT_FALSE(finished);
  EXPECT_TRUE(finished.error().message().starts_with("snapshot: write"))
      << finished.error().message();
}

// ---- Files that somebody made, with sound checksums.

class Forger {
public:
  template <typename... T> Forger &add(SnapshotItem kind, const T &...fields) {
    Bytes body;
    FieldWriter{body}(fields...);
    append_item(items_, kind, body);
    return *this;
  }
  Forger &memory(std::span<const std::byte> bytes) {
    memory_.insert(memory_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::string refusal(std::optional<SnapshotTotals> totals = std::nullopt) const {
    return refusal_of(snapshot_of(items_, memory_, totals));
  }

private:
  Bytes items_, memory_; // behind the first item
};

TEST(ForgedSnapshotTest, MayBeSound) {
  EXPECT_EQ(Forger{}.refusal(), "");
  const Bytes some = counted(8, 0);
  EXPECT_EQ(Forger{}.memory(some).add(SnapshotItem::reads, 4096, 8U).refusal(), "");
}

TEST(ForgedSnapshotTest, IsRefusedForEveryLie) {
  const Bytes some = counted(8, 0);
  const auto says = [](const std::string &refusal, std::string_view words) {
    return refusal.contains(words) ? "" : "it says: " + refusal;
  };
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::process).refusal(), "where none can be"), "");
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::end, 1U, 0U).refusal(), "where none can be"), "");
  EXPECT_EQ(says(Forger{}.add(static_cast<SnapshotItem>(9)).refusal(), "of kind 9"), "");
  EXPECT_EQ(says(Forger{}.refusal(SnapshotTotals{7, 0}), "not what its end says"), "");
  EXPECT_EQ(says(Forger{}.memory(some).refusal(SnapshotTotals{1, 0}), "belong nowhere"), "");
  EXPECT_EQ(says(Forger{}.memory(some).add(SnapshotItem::reads, 0, 9U).refusal(), "outside"), "");
  EXPECT_EQ(says(Forger{}.memory(some).add(SnapshotItem::reads, -4, 8U).refusal(), "too many"), "");
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::residency, 4095U, 0U, 0U).refusal(), "pages of"), "");
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::residency, 0U, 0U, 0U).refusal(), "pages of"), "");
  const std::vector<ProcessRange> unordered{{{8192}, 4096}, {{4096}, 4096}};
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::residency, 4096U, unordered, 0U).refusal(), "order"),
            "");
  const std::vector<PageRun> endless{{.range = {{4096}, ~0ULL}}};
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::residency, 4096U, 0U, endless).refusal(), "order"), "");
  const std::vector<Mapping> twice{{.start = {4096}, .size_bytes = 2}, {.start = {4097}}};
  EXPECT_EQ(says(Forger{}.add(SnapshotItem::mappings, twice).refusal(), "order"), "");
}

// A page for each byte: what a small file can ask for has a limit.
TEST(SparseMemoryTest, TakesNoMoreThanItMay) {
  SparseMemory memory{1 << 20};
  const std::array one{std::byte{1}};
  std::uint64_t pages_made = 0;
  while (memory.write({pages_made << 21}, one))
    ++pages_made;
  EXPECT_GT(pages_made, 100u);
  EXPECT_LT(pages_made, 256u);
}

// What some executable says, and how often it was asked.
class FakeBinary final : public Symbolizer, public RootSource {
public:
  std::vector<ElfAddress> asked;
  ProgramRoots program;

  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    asked.insert(asked.end(), addresses.begin(), addresses.end());
    std::vector<SourceFrames> answers;
    for (const ElfAddress address : addresses)
      answers.push_back(address.value == 0 ? SourceFrames{} : frames_of(address));
    return answers;
  }
  Result<const ProgramRoots *> roots() override { return &program; }

  static SourceFrames frames_of(ElfAddress address) {
    return {{"main.inner", "/src/main.go", static_cast<std::uint32_t>(address.value), true},
            {"main.outer", "/src/main.go", 7, false}};
  }
};

TEST_F(SnapshotTest, AnswersWhatTheExecutableWasAsked) {
  const auto binary = std::make_shared<FakeBinary>();
  binary->program = {.variables = {{.name = "main.store",
                                    .address = {0x600000},
                                    .size_bytes = 8,
                                    .evidence = RootEvidence::symbol}},
                     .masked = {{{{0x600000}, 64}, {0x700000}}},
                     .warnings = {"a sentence"}};
  SnapshotQuestions questions{*writer_, binary, binary};
  const std::vector<ElfAddress> first{{10}, {11}, {0}}, second{{11}, {12}};
  const auto answered = questions.symbolize(first);
  ASSERT_TRUE(answered && questions.symbolize(second));
  EXPECT_EQ(answered->at(1), FakeBinary::frames_of({11}));
  EXPECT_EQ(questions.roots().value(), &binary->program);
  ASSERT_TRUE(questions.roots()); // written once

  const auto answers = taken()->answers(); // longer than the snapshot
  EXPECT_EQ(*answers->roots().value(), binary->program);
  const std::vector<ElfAddress> all{{12}, {0}, {10}, {13}, {11}};
  const auto frames = answers->symbolize(all).value();
  EXPECT_EQ(frames[0], FakeBinary::frames_of({12}));
  EXPECT_TRUE(frames[1].empty());
  EXPECT_EQ(frames[2], FakeBinary::frames_of({10}));
  EXPECT_TRUE(frames[3].empty()); // nobody asked
  EXPECT_EQ(frames[4], FakeBinary::frames_of({11}));
}

TEST_F(SnapshotTest, SaysThatNobodyAskedForRoots) {
  const auto roots = taken()->answers()->roots();
  ASSERT_FALSE(roots);
  EXPECT_EQ(roots.error().code(), Errc::unsupported);
  SnapshotQuestions nobody{*writer_, nullptr, nullptr};
  EXPECT_FALSE(nobody.roots());
  EXPECT_EQ(nobody.symbolize(std::vector<ElfAddress>{{1}}).value(), std::vector<SourceFrames>(1));
}

TEST(ForgedSnapshotTest, AnswersThatNoExecutableGivesAreRefused) {
  const auto refusal_of_item = [](SnapshotItem kind, const Bytes &body, int times = 1) {
    Bytes items;
    for (; times > 0; --times)
      append_item(items, kind, body);
    return refusal_of(snapshot_of(items, {}));
  };
  const std::vector<ElfAddress> address{{10}};
  const std::vector<SourceFrames> frames{FakeBinary::frames_of({10})};
  const Bytes good = frames_to_bytes(address, frames);
  EXPECT_EQ(refusal_of_item(SnapshotItem::frames, good, 2), "");
  EXPECT_NE(refusal_of_item(SnapshotItem::frames, Bytes(good.begin(), good.end() - 1)), "");
  Bytes endless;
  FieldWriter{endless}(std::uint64_t{10}, ~std::uint64_t{0});
  EXPECT_NE(refusal_of_item(SnapshotItem::frames, endless).find("frames at one address"),
            std::string::npos);
  EXPECT_EQ(refusal_of_item(SnapshotItem::roots, roots_to_bytes({})), "");
  EXPECT_NE(refusal_of_item(SnapshotItem::roots, roots_to_bytes({}), 2), ""); // told twice
  // The process says that its executable has no types.
  const ProgramRoots typed{
      .variables = {{.name = "v", .address = {0x600000}, .type = {0x500000}, .size_bytes = 8}}};
  EXPECT_NE(refusal_of_item(SnapshotItem::roots, roots_to_bytes(typed)), "");
}

// Version 1 had no roots and no frames, and was the same otherwise.
TEST_F(SnapshotTest, OfTheOlderVersionIsStillRead) {
  Bytes bytes = finished();
  auto with_version = [&](std::uint32_t version) {
    FileHeader header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    header.format_version = version;
    header.header_crc = header_crc_of(header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    return refusal_of(bytes);
  };
  EXPECT_EQ(with_version(kSnapshotKind.format_version), "");
  EXPECT_EQ(with_version(1), "");
  EXPECT_NE(with_version(kSnapshotKind.format_version + 1), "");
  EXPECT_NE(with_version(0), "");
}

} // namespace
} // namespace mapscope
