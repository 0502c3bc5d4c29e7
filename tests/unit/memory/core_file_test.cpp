// Core files made by hand: what they hold, what the executable holds, and what nobody holds.
#include "memory/core_file.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "support/synthetic_core.h"

namespace mapscope {
namespace {

using Bytes = SyntheticCore::Bytes;
constexpr std::uint64_t kPage = SyntheticCore::kPage;
constexpr std::uint64_t kHeap = 0xc000000000, kProgram = 0x400000;

Bytes filled(std::size_t size, int value) { return Bytes(size, static_cast<std::byte>(value)); }

// A heap of two pages and a program of five, whose last one is data. Of the program the core file
// has the first page and the data.
struct Dump {
  SyntheticCore core;
  Bytes executable = SyntheticCore::executable(5);

  Dump() {
    const auto page = [&](std::size_t index) {
      const auto start = executable.begin() + static_cast<std::ptrdiff_t>(index * kPage);
      return Bytes{start, start + static_cast<std::ptrdiff_t>(kPage)};
    };
    core.segments = {
        {kProgram, 4 * kPage, PF_R | PF_X, page(0)},
        {kProgram + 4 * kPage, kPage, PF_R | PF_W, filled(kPage, 0xdd)},
        {kHeap, 2 * kPage, PF_R | PF_W, filled(2 * kPage, 0xaa)},
        {kHeap + 2 * kPage, kPage, PF_R | PF_W, {}}, // MADV_DONTDUMP
    };
    core.files = {{kProgram, 4 * kPage, 0, "/srv/program"},
                  {kProgram + 4 * kPage, kPage, 4, "/srv/program"},
                  {0x7f0000000000, 2 * kPage, 1, "/lib/libc.so.6"}};
    core.entry = kProgram + kPage + 100;
  }
};

class Opened {
public:
  explicit Opened(Bytes bytes) : bytes_(std::move(bytes)) {
    auto opened = CoreFile::open(ByteSource{bytes_}, "x.core");
    EXPECT_TRUE(opened) << opened.error().message();
    if (opened)
      core_ = *std::move(opened);
  }
  explicit Opened(const Dump &dump) : Opened(dump.core.make()) {
    executable_ = dump.executable;
    const auto set = core_->set_executable(ByteSource{executable_});
    EXPECT_TRUE(set) << set.error().message();
  }

  CoreFile &operator*() { return *core_; }
  CoreFile *operator->() { return core_.get(); }

  // The byte that is everywhere in the range, or a word on what there is.
  std::string at(std::uint64_t address, std::size_t size_bytes = 8) {
    Bytes into(size_bytes);
    MemoryRead wanted{{address}, into};
    if (const auto read = core_->read({&wanted, 1}); !read)
      return read.error().message();
    if (!wanted.is_read)
      return "not read";
    if (into.empty())
      return "nothing";
    const bool is_one = std::ranges::all_of(into, [&](std::byte b) { return b == into[0]; });
    return is_one ? fmt::format("{:02x}", into[0]) : "several";
  }

private:
  Bytes bytes_, executable_;
  std::unique_ptr<CoreFile> core_;
};

std::string refusal_of(const Bytes &bytes) {
  auto opened = CoreFile::open(ByteSource{bytes}, "x.core");
  return opened ? "" : opened.error().message();
}

TEST(CoreFileTest, SaysWhichProcessItIsOf) {
  Opened core{Dump{}};
  EXPECT_EQ(core->pid(), 4711);
  EXPECT_EQ(core->exe(), "/srv/program");
  EXPECT_EQ(core->entry().value, kProgram + kPage + 100);
}

TEST(CoreFileTest, HasWhatWasWrittenToIt) {
  Opened core{Dump{}};
  EXPECT_EQ(core.at(kHeap), "aa");
  EXPECT_EQ(core.at(kHeap + kPage - 4), "aa");
  EXPECT_EQ(core.at(kHeap, 2 * kPage), "aa");
  EXPECT_EQ(core.at(kProgram + 4 * kPage, kPage), "dd"); // as it was when the process ended
  EXPECT_EQ(core.at(8, 0), "nothing");
}

TEST(CoreFileTest, WhatIsNotInItIsNotZero) {
  Opened core{Dump{}};
  EXPECT_EQ(core.at(kHeap + 2 * kPage), "not read");
  EXPECT_EQ(core.at(kHeap + 2 * kPage - 4), "not read"); // half of it is there
  EXPECT_EQ(core.at(kHeap - 8), "not read");
  EXPECT_EQ(core.at(0), "not read");
  EXPECT_EQ(core.at(~0ULL - 3), "not read");
  EXPECT_EQ(core.at(0x7f0000000000), "not read"); // of a file that nobody gave
}

TEST(CoreFileTest, TakesFromTheExecutableWhatTheKernelLeftOut) {
  Opened core{Dump{}};
  EXPECT_EQ(core.at(kProgram + kPage), "01");
  EXPECT_EQ(core.at(kProgram + 3 * kPage, kPage), "03");
  EXPECT_EQ(core.at(kProgram + 2 * kPage - 4), "several"); // of two pages
  EXPECT_EQ(core.at(kProgram + kPage - 8, 16), "several"); // of both files
  EXPECT_EQ(core.at(kProgram + 4 * kPage - 8, 16), "several");
}

TEST(CoreFileTest, TakesFromTheExecutableWhatHasNoSegment) { // as gcore does it
  Dump dump;
  dump.core.segments.erase(dump.core.segments.begin());
  Opened core{dump};
  EXPECT_EQ(core.at(kProgram + kPage, kPage), "01");
  const auto mappings = core->mappings().value();
  ASSERT_EQ(mappings.size(), 5u);
  EXPECT_EQ(mappings[0].start.value, kProgram);
  EXPECT_EQ(mappings[0].size_bytes, 4 * kPage);
  EXPECT_EQ(mappings[0].name, "/srv/program");
  EXPECT_TRUE(mappings[0].is_readable);
  EXPECT_EQ(mappings[4].name, "/lib/libc.so.6");
  EXPECT_TRUE(std::ranges::is_sorted(mappings, {}, &Mapping::start));
}

// With a coredump_filter that leaves out private memory, what the program wrote is lost.
TEST(CoreFileTest, DoesNotTakeFromTheExecutableWhatMayHaveBeenWritten) {
  Dump dump;
  dump.core.segments[1].stored.clear();
  EXPECT_EQ(Opened{dump}.at(kProgram + 4 * kPage), "not read");
  dump.core.segments[1].access = PF_R; // protected after relocation
  EXPECT_EQ(Opened{dump}.at(kProgram + 4 * kPage), "not read");
}

TEST(CoreFileTest, NamesTheFilesOfItsMappings) {
  Opened core{Dump{}};
  const auto mappings = core->mappings().value();
  ASSERT_EQ(mappings.size(), 5u);
  EXPECT_EQ(mappings[0].name, "/srv/program");
  EXPECT_TRUE(mappings[0].is_executable && !mappings[0].is_writable);
  EXPECT_EQ(mappings[1].file_offset, 4 * kPage);
  EXPECT_TRUE(mappings[1].is_writable);
  EXPECT_EQ(mappings[2].start.value, kHeap);
  EXPECT_EQ(mappings[2].name, "");
}

TEST(CoreFileTest, RefusesTheExecutableOfAnotherProgram) {
  Dump dump;
  dump.executable[200] ^= std::byte{1};
  const Bytes bytes = dump.core.make();
  auto core = CoreFile::open(ByteSource{bytes}, "x.core").value();
  const auto set = core->set_executable(ByteSource{dump.executable});
  ASSERT_FALSE(set);
  EXPECT_TRUE(set.error().message().contains("not the program")) << set.error().message();
  EXPECT_FALSE(core->set_executable(ByteSource{std::span{dump.executable}.first(100)}));
}

TEST(CoreFileTest, CutAnywhereItHasWhatIsBeforeTheCut) {
  const Dump dump;
  const Bytes whole = dump.core.make();
  const std::size_t headers = sizeof(Elf64_Ehdr) + 5 * sizeof(Elf64_Phdr);
  for (std::size_t cut = 0; cut < headers; ++cut)
    EXPECT_NE(refusal_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)}), "");
  for (std::size_t cut = headers; cut < whole.size(); cut += cut < headers + 600 ? 1 : 1000) {
    Opened core{Bytes{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(cut)}};
    // The heap is last in the file.
    const std::size_t lost = whole.size() - cut;
    EXPECT_EQ(core.at(kHeap + 2 * kPage - lost), "not read") << cut;
    EXPECT_EQ(core.at(kHeap + 2 * kPage - lost - 8), lost + 8 <= 2 * kPage ? "aa" : "not read");
  }
}

// What did not fit was written by the process, and is not what the executable has.
TEST(CoreFileTest, WhatWasCutOffDoesNotComeFromTheExecutable) {
  Dump dump;
  dump.core.segments = {{kProgram, 2 * kPage, PF_R | PF_X, filled(2 * kPage, 0xbb)}};
  const Bytes whole = dump.core.make();
  const Bytes cut{whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(2 * kPage)};
  auto core = CoreFile::open(ByteSource{cut}, "x.core").value();
  ASSERT_TRUE(core->set_executable(ByteSource{dump.executable}));
  Bytes into(8);
  std::array<MemoryRead, 2> wanted{{{{kProgram + kPage}, into}, {{kProgram + 2 * kPage}, into}}};
  ASSERT_TRUE(core->read(wanted));
  EXPECT_FALSE(wanted[0].is_read);
  EXPECT_TRUE(wanted[1].is_read);
}

TEST(CoreFileTest, RefusesWhatIsNoCoreFileOfThisMachine) {
  EXPECT_TRUE(refusal_of(SyntheticCore::executable(2)).contains("not a core file"));
  EXPECT_TRUE(refusal_of(filled(1000, 0x28)).contains("compressed"));
  EXPECT_TRUE(refusal_of({}).contains("not an ELF file"));
  Bytes bytes = Dump{}.core.make();
  bytes[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_TRUE(refusal_of(bytes).contains("64-bit"));
  bytes = Dump{}.core.make();
  bytes[offsetof(Elf64_Ehdr, e_machine)] = std::byte{EM_S390};
  EXPECT_TRUE(refusal_of(bytes).contains("ELF machine")) << refusal_of(bytes);
  EXPECT_FALSE(CoreFile::open(Fd{::memfd_create("empty", MFD_CLOEXEC)}, "x.core"));
}

TEST(CoreFileTest, OfSegmentsThatOverlapTheFirstCounts) {
  Dump dump;
  dump.core.segments.push_back({kHeap + kPage, 4 * kPage, PF_R, filled(4 * kPage, 0xee)});
  EXPECT_EQ(Opened{dump}.at(kHeap + kPage), "aa");
  EXPECT_EQ(Opened{dump}.at(kHeap + 3 * kPage), "not read");
  dump.core.segments.push_back({~0ULL - 10, 100, PF_R, {}});
  EXPECT_NE(refusal_of(dump.core.make()), "");
}

// Every byte of the headers and notes changed: nothing crashes, and no read goes astray.
TEST(CoreFileTest, AnyByteOfItsHeadersMayBeWrong) {
  const Dump dump;
  const Bytes whole = dump.core.make();
  for (std::size_t at = 0; at < whole.size() - 2 * kPage; ++at)
    for (int change : {0x01, 0x80, 0xff}) {
      Bytes bytes = whole;
      bytes[at] ^= static_cast<std::byte>(change);
      auto core = CoreFile::open(ByteSource{bytes}, "x.core");
      if (!core)
        continue;
      (void)(*core)->set_executable(ByteSource{dump.executable});
      const auto mappings = (*core)->mappings();
      ASSERT_TRUE(mappings);
      EXPECT_TRUE(std::ranges::is_sorted(*mappings, {}, &Mapping::start));
      Bytes into(3 * kPage);
      MemoryRead wanted{{kHeap}, into};
      EXPECT_TRUE((*core)->read({&wanted, 1}));
      EXPECT_FALSE(wanted.is_read);
    }
}

} // namespace
} // namespace mapscope
