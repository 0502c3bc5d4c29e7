// What is torn, flipped, missing or hostile: the rest is replayed, and nothing is silent.
#include <zstd.h>

#include "base/byte_reader.h"
#include "base/format.h"

#include "recording/chunk_writer.h"
#include "recording/fields.h"
#include "unit/recording/recorded.h"

namespace mapscope {
namespace {

// Where each chunk ends in the file.
std::vector<std::size_t> chunk_ends(std::span<const std::byte> file) {
  std::vector<std::size_t> ends;
  for (std::size_t at = sizeof(FileHeader); at < file.size();) {
    const auto header = ByteReader{file}.read_at<ChunkHeader>(at).value();
    at += sizeof(ChunkHeader) + header.stored_bytes;
    ends.push_back(at);
  }
  return ends;
}

// Without what a replay has to make up for a run that breaks off.
std::vector<std::string> heard(const Replayed &replayed) {
  std::vector<std::string> lines = replayed.lines;
  const auto doubt = std::ranges::find_if(lines, [](const std::string &line) {
    return line.starts_with("remark true the recording ");
  });
  lines.erase(doubt, lines.end());
  return lines;
}

TEST(DamagedRecordingTest, CutAtEveryByteItGivesAllChunksBeforeTheCut) {
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  ASSERT_EQ(ends.size(), 5u);
  std::size_t chunk_count = 0;
  std::vector<std::string> sound; // what the chunks before the cut hold
  for (std::size_t cut = 0; cut < recorded.file.size(); ++cut) {
    const Replayed replayed = replay_bytes(std::span{recorded.file}.first(cut));
    if (cut == ends[chunk_count]) {
      ++chunk_count;
      const auto more = heard(replayed);
      ASSERT_GT(more.size(), sound.size());
      ASSERT_TRUE(std::equal(more.begin(), more.end(), recorded.lines.begin()));
      sound = more;
    }
    ASSERT_EQ(replayed.end.has_value(), chunk_count > 0) << cut;
    if (!replayed.end)
      continue;
    ASSERT_FALSE(replayed.end->is_complete) << cut;
    ASSERT_EQ(heard(replayed), sound) << cut;
    ASSERT_TRUE(std::ranges::any_of(replayed.lines, [](const std::string &line) {
      return line.starts_with("end ");
    })) << cut;
  }
  EXPECT_EQ(chunk_count, ends.size() - 1);
}

TEST(DamagedRecordingTest, ItSaysWhereItBreaksOff) {
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  const Replayed replayed = replay_bytes(std::span{recorded.file}.first(ends[2] + 30));
  EXPECT_EQ(
      replayed.first_problem(),
      fmt::format("the recording breaks off in chunk 3, at byte {}, after 4 records: what came "
                  "then is not known",
                  format_count(ends[2])));
}

// One that is read takes minutes.
TEST(DamagedRecordingTest, ATerabyteOfNothingIsPassedOver) {
  constexpr std::uint64_t kTerabyte = std::uint64_t{1} << 40;
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  MemoryFile file;
  const Fd fd = file.duplicate();
  const auto write_at = [&](std::uint64_t offset, std::span<const std::byte> bytes) {
    return ::pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
           static_cast<ssize_t>(bytes.size());
  };
  // A hole behind the third chunk, the others, and another hole.
  const std::span whole{recorded.file};
  ASSERT_TRUE(write_at(0, whole.first(ends[2])));
  ASSERT_TRUE(write_at(kTerabyte, whole.subspan(ends[2])));
  ASSERT_EQ(::ftruncate(fd.get(), 2 * kTerabyte), 0);
  RunLog log;
  auto end = replay(ByteSource::open(file.duplicate()).value(), "x.rec", log);
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_FALSE(end->problems.empty());
  EXPECT_EQ(log.record_count, 6u);
}

TEST(DamagedRecordingTest, EveryFlippedByteIsSeenAndCostsItsChunkAlone) {
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  const std::uint64_t record_count = replay_bytes(recorded.file).end->record_count;
  Bytes file = recorded.file;
  for (std::size_t at = 0; at < file.size(); ++at) {
    const std::byte flip{at % 2 == 0 ? std::uint8_t{0x01} : std::uint8_t{0xff}};
    file[at] ^= flip;
    const Replayed replayed = replay_bytes(file, false);
    file[at] ^= flip;
    ASSERT_EQ(replayed.end.has_value(), at >= ends[0]) << at; // nothing without a beginning
    if (!replayed.end)
      continue;
    ASSERT_FALSE(replayed.end->is_complete) << at;
    ASSERT_FALSE(replayed.end->problems.empty()) << at;
    ASSERT_GE(replayed.end->record_count + 2, record_count) << at;
  }
}

TEST(DamagedRecordingTest, AMissingChunkIsSaidAndTheRestIsReplayed) {
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  Bytes file = recorded.file;
  file.erase(file.begin() + static_cast<std::ptrdiff_t>(ends[1]),
             file.begin() + static_cast<std::ptrdiff_t>(ends[2]));
  const Replayed replayed = replay_bytes(file);
  EXPECT_EQ(replayed.first_problem(),
            "chunk 2 of the recording is missing: what it held is not known");
  EXPECT_EQ(replayed.lines.back(), recorded.lines.back());
  EXPECT_EQ(std::ranges::count(replayed.lines, "remark true " + replayed.first_problem()), 1);
}

TEST(DamagedRecordingTest, AChunkThatComesTwiceIsTakenOnce) {
  const Recorded recorded = record_in_five_chunks();
  const auto ends = chunk_ends(recorded.file);
  Bytes file = recorded.file;
  const Bytes again(file.begin() + static_cast<std::ptrdiff_t>(ends[0]),
                    file.begin() + static_cast<std::ptrdiff_t>(ends[1]));
  file.insert(file.begin() + static_cast<std::ptrdiff_t>(ends[1]), again.begin(), again.end());
  const Replayed replayed = replay_bytes(file);
  EXPECT_EQ(replayed.end->record_count, replay_bytes(recorded.file).end->record_count);
  EXPECT_TRUE(replayed.first_problem().contains("are no part of it")) << replayed.first_problem();
}

template <typename Change> std::string refusal_with(Change change) {
  Bytes file = record_synthetic_run().file;
  FileHeader header = file_header_of(kRecordingKind);
  change(header);
  header.header_crc = header_crc_of(header);
  std::memcpy(file.data(), &header, sizeof(header));
  return replay_bytes(file).first_problem();
}

TEST(DamagedRecordingTest, OtherVersionsAreRefusedByName) {
  EXPECT_EQ(refusal_with([](FileHeader &) {}), "");
  EXPECT_TRUE(refusal_with([](FileHeader &header) {
                ++header.format_version;
              }).starts_with("x.rec: the recording has format version 2, and this mapscope reads"));
  EXPECT_TRUE(refusal_with([](FileHeader &header) {
                header.content_version = 1;
              }).starts_with("x.rec: the recording holds events of layout 1, and this mapscope"));
  EXPECT_EQ(refusal_with([](FileHeader &header) { header.magic[1] = 'm'; }),
            "x.rec: not a recording: it does not begin like one");
  EXPECT_EQ(replay_bytes({}).first_problem(), "x.rec: not a recording: it has only 0 bytes");
}

// ---- Files that somebody made, with sound checksums.

// A file of one chunk: `stored` under a header that says `plain_bytes`, `item_bytes` among them.
Bytes file_of_chunk(std::span<const std::byte> stored, std::uint32_t plain_bytes,
                    std::uint32_t item_bytes) {
  const FileHeader file_header = file_header_of(kRecordingKind);
  ChunkHeader header{.stored_bytes = static_cast<std::uint32_t>(stored.size()),
                     .plain_bytes = plain_bytes,
                     .item_bytes = item_bytes,
                     .payload_crc = crc_of(stored)};
  header.header_crc = header_crc_of(header);
  Bytes file;
  for (const auto part :
       {std::as_bytes(std::span{&file_header, 1}), std::as_bytes(std::span{&header, 1}), stored})
    file.insert(file.end(), part.begin(), part.end());
  return file;
}

class Forger {
public:
  void add(ItemKind kind, std::span<const std::byte> body) { chunks_.add(kind, body); }
  template <typename... T> void add(ItemKind kind, const T &...fields) {
    Bytes body;
    FieldWriter{body}(fields...);
    chunks_.add(kind, body);
  }
  void next_chunk() { chunks_.flush(); }
  Replayed replayed() {
    chunks_.flush();
    return replay_bytes(file_.content());
  }

private:
  MemoryFile file_;
  ChunkWriter chunks_ = ChunkWriter::create(file_.duplicate()).value();
};

Forger begun() {
  Forger forger;
  forger.add(ItemKind::start, 0U, 1U, 2, 3, false);
  return forger;
}

TEST(HostileRecordingTest, AnItemThatMakesNoSenseEndsItsChunkAndSaysWhere) {
  const auto problem_of = [](auto forge) {
    Forger forger = begun();
    forge(forger);
    forger.add(ItemKind::record, Bytes(24)); // of the rest of the chunk
    forger.next_chunk();
    forger.add(ItemKind::record, Bytes(24));
    const Replayed replayed = forger.replayed();
    EXPECT_EQ(replayed.end->record_count, 1u);
    return replayed.first_problem();
  };
  const std::string place = "chunk 0 of the recording, byte 7 of its contents: ";
  const std::string rest = "; the rest of the chunk is left out";
  EXPECT_EQ(problem_of([](Forger &f) { f.add(static_cast<ItemKind>(99), 1U); }),
            place + "an item of unknown kind 99" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::start, 0U, 1U, 2, 3, false); }),
            place + "a second start" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::drained, 1U); }),
            place + "1 bytes too many" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::remark, 2U, std::string{"x"}); }),
            place + "2 is too large, known are 0 to 1" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::remark, 1U, 1000U); }),
            place + "1000 elements in 0 bytes" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::binary, 1U, 2U); }),
            place + "not an object" + rest);
  EXPECT_EQ(problem_of([](Forger &f) { f.add(ItemKind::names, 1U, 3U); }),
            place + "3 is too large, known are 0 to 2" + rest);
  EXPECT_NE(problem_of([](Forger &f) {
              f.add(ItemKind::names, 1U, Question::frames, false, std::vector<ElfAddress>{{1}});
            }),
            "");
}

TEST(HostileRecordingTest, ATargetWithoutItsBeginningIsLeftOutAndSaidOnce) {
  Forger forger = begun();
  for (int i = 0; i < 2; ++i) {
    forger.add(ItemKind::target_start, 7U, 0U, synthetic_target(5, nullptr)); // no such facts
    forger.add(ItemKind::goroutines, GoroutineSnapshot{.index = 5});
    forger.add(ItemKind::target_end, TargetEnd{.index = 5});
  }
  forger.add(ItemKind::end, RunEnd{});
  const Replayed replayed = forger.replayed();
  EXPECT_EQ(
      replayed.end->problems,
      std::vector<std::string>{"target 5 is left out: the recording lacks what it needs to begin"});
  EXPECT_EQ(replayed.lines[2], "end 0");
}

TEST(HostileRecordingTest, ACodedRecordThatMakesNoSenseEndsItsChunk) {
  const auto problem_of = [](const Bytes &controls) {
    Forger forger = begun();
    forger.add(ItemKind::coded_record, std::span<const std::byte>{controls});
    return forger.replayed().first_problem();
  };
  EXPECT_EQ(problem_of(Bytes(1 + 3)), "the recording ends before its run does, after 1 record: "
                                      "what came then is not known"); // of zeros
  EXPECT_EQ(problem_of({}), "chunk 0 of the recording, byte 7 of its contents: 0 bytes left, 1 "
                            "needed; the rest of the chunk is left out");
  EXPECT_EQ(problem_of(Bytes(1 + 3, std::byte{1})),
            "chunk 0 of the recording, byte 7 of its contents: [0x0, +0x3) is outside 0x0 bytes; "
            "the rest of the chunk is left out");
}

TEST(HostileRecordingTest, WordsOfNoRecordAreSaid) {
  Bytes plain = {std::byte{1}, std::byte{5}}; // the start, of five fields
  plain.resize(2 + 5 + 3);                    // and words
  Bytes stored(ZSTD_compressBound(plain.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), plain.data(), plain.size(), 1));
  const auto file = [&](std::uint32_t item_bytes) {
    return replay_bytes(
        file_of_chunk(stored, static_cast<std::uint32_t>(plain.size()), item_bytes));
  };
  EXPECT_EQ(file(7).first_problem(),
            "chunk 0 of the recording holds 3 bytes that belong to no record");
  EXPECT_EQ(file(11).first_problem(), "x.rec: the recording ends before its run has begun");
}

TEST(HostileRecordingTest, ItMustBeginWithTheStart) {
  Forger forger;
  forger.add(ItemKind::drained, std::span<const std::byte>{});
  EXPECT_EQ(forger.replayed().first_problem(),
            "x.rec: chunk 0 of the recording, byte 0 of its contents: no start of a run");
}

TEST(HostileRecordingTest, AChunkWithoutItemsIsNoBeginning) {
  Bytes nothing(ZSTD_compressBound(0));
  nothing.resize(ZSTD_compress(nothing.data(), nothing.size(), nullptr, 0, 1));
  EXPECT_EQ(replay_bytes(file_of_chunk(nothing, 0, 0)).first_problem(),
            "x.rec: the recording ends before its run has begun");
}

TEST(HostileRecordingTest, NothingComesAfterTheEnd) {
  Forger forger = begun();
  forger.add(ItemKind::end, RunEnd{});
  forger.add(ItemKind::drained, std::span<const std::byte>{});
  const Replayed replayed = forger.replayed();
  EXPECT_TRUE(replayed.first_problem().contains("something after the end of the run"));
  EXPECT_TRUE(replayed.lines.back().starts_with("command"));
}

TEST(HostileRecordingTest, TargetsThatNeverEndAreEndedOnce) {
  Forger forger = begun();
  for (int i = 0; i < 2; ++i)
    forger.add(ItemKind::target_start, 0U, 0U, synthetic_target(3, nullptr));
  forger.add(ItemKind::end, RunEnd{});
  const Replayed replayed = forger.replayed();
  EXPECT_EQ(replayed.first_problem(), "the end of target 3 is missing, and so are its counters");
  EXPECT_EQ(std::ranges::count_if(
                replayed.lines, [](const auto &line) { return line.starts_with("target 3 ends"); }),
            2);
}

TEST(HostileRecordingTest, ProblemsAreListedUpToALimit) {
  Forger forger = begun();
  for (int i = 0; i < 1000; ++i) {
    forger.next_chunk();
    forger.add(ItemKind::drained, 1U);
  }
  const Replayed replayed = forger.replayed();
  EXPECT_EQ(replayed.end->problems.size(), 17u);
  EXPECT_EQ(replayed.end->problems.back(),
            "the recording has more such problems, which are not listed");
}

TEST(HostileRecordingTest, TextsComeOutPrintable) {
  Forger forger = begun();
  forger.add(ItemKind::remark, false, std::string{"\x1b[2J\xff"});
  EXPECT_EQ(forger.replayed().lines[1], "remark false ?[2J?");
}

// 1 GiB of zeros in some 30 KiB of zstd.
Bytes bomb() {
  const Bytes zeros(1 << 20);
  Bytes stored(1 << 20);
  const Handle<ZSTD_CCtx, ZSTD_freeCCtx> compressor{ZSTD_createCCtx()};
  ZSTD_CCtx_setPledgedSrcSize(compressor.get(), 1ULL << 30);
  ZSTD_outBuffer out{stored.data(), stored.size(), 0};
  for (int i = 0; i < 1024; ++i) {
    ZSTD_inBuffer in{zeros.data(), zeros.size(), 0};
    ZSTD_compressStream2(compressor.get(), &out, &in, i == 1023 ? ZSTD_e_end : ZSTD_e_continue);
  }
  stored.resize(out.pos);
  return stored;
}

TEST(HostileRecordingTest, ABombDoesNotGoOff) {
  const Bytes stored = bomb();
  for (std::uint32_t plain_bytes : {0U, 1000U, 1U << 25, 1U << 30})
    EXPECT_EQ(replay_bytes(file_of_chunk(stored, plain_bytes, plain_bytes)).first_problem(),
              "x.rec: the recording ends before its run has begun");
}

} // namespace
} // namespace mapscope
