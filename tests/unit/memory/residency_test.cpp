// Pages of this process and of a child, whose state is made by what is done to them.
#include "memory/residency.h"

#include <algorithm>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/process_files.h"
#include "memory/live_process.h"

namespace mapscope {

static void PrintTo(const PageRun &run, std::ostream *stream) {
  const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  *stream << fmt::format("{:#x} +{} pages{}{}{}", run.range.start.value,
                         run.range.size_bytes / page_bytes, run.is_swapped ? " swapped" : "",
                         run.is_huge ? " huge" : "", run.is_file ? " file" : "");
}

namespace {

const auto kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

// Pages that nobody has touched, of which the kernel makes no huge ones.
class Pages {
public:
  explicit Pages(std::size_t count) : count_(count) {
    void *pages = ::mmap(nullptr, count * kPage, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(pages, MAP_FAILED);
    (void)::madvise(pages, count * kPage, MADV_NOHUGEPAGE);
    start_ = static_cast<volatile char *>(pages);
  }
  ~Pages() { ::munmap(const_cast<char *>(start_), count_ * kPage); }
  Pages(const Pages &) = delete;
  Pages &operator=(const Pages &) = delete;

  void write(std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i)
      start_[i * kPage] = 1;
  }
  char look_at(std::size_t index) { return start_[index * kPage]; }
  void release(std::size_t first, std::size_t count) {
    EXPECT_EQ(::madvise(const_cast<char *>(start_) + first * kPage, count * kPage, MADV_DONTNEED),
              0);
  }
  ProcessRange range(std::size_t first, std::size_t count) const {
    return {{reinterpret_cast<std::uint64_t>(start_) + first * kPage}, count * kPage};
  }
  PageRun run(std::size_t first, std::size_t count) const { return {.range = range(first, count)}; }

private:
  std::size_t count_;
  volatile char *start_;
};

using Runs = std::vector<PageRun>;
using Read = Result<Runs> (*)(const Fd &, std::span<const ProcessRange>);

struct Way {
  const char *name;
  Read read;
};

class ResidencyTest : public ::testing::TestWithParam<Way> {
protected:
  void SetUp() override {
    pagemap_ = Fd{::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
    ASSERT_TRUE(pagemap_);
    const ProcessRange nothing{{kPage}, kPage};
    if (const auto runs = GetParam().read(pagemap_, {&nothing, 1}); !runs)
      GTEST_SKIP() << "this kernel does not have it: " << runs.error().message();
  }

  Runs read(std::vector<ProcessRange> ranges) {
    auto runs = GetParam().read(pagemap_, ranges);
    EXPECT_TRUE(runs) << runs.error().message();
    return runs ? *std::move(runs) : Runs{};
  }

  Fd pagemap_;
};

TEST_P(ResidencyTest, OnlyWhatWasWrittenAndNotGivenBackIsThere) {
  Pages pages{64};
  EXPECT_EQ(read({pages.range(0, 64)}), Runs{});
  pages.write(8, 20);
  pages.write(40, 1);
  EXPECT_EQ(read({pages.range(0, 64)}), (Runs{pages.run(8, 20), pages.run(40, 1)}));
  pages.release(10, 5);
  EXPECT_EQ(read({pages.range(0, 64)}),
            (Runs{pages.run(8, 2), pages.run(15, 13), pages.run(40, 1)}));
}

TEST_P(ResidencyTest, ToReadWhatNobodyWroteMakesItNotResident) {
  Pages pages{4};
  EXPECT_EQ(pages.look_at(1), 0); // the page of zeros is there now
  pages.write(3, 1);
  EXPECT_EQ(read({pages.range(0, 4)}), Runs{pages.run(3, 1)});
}

TEST_P(ResidencyTest, TellsOfEachRangeWhatIsInIt) {
  constexpr std::size_t kFar = 10'000; // further than what is walked over
  Pages pages{kFar + 10};
  pages.write(0, 10);
  pages.write(kFar, 10);
  EXPECT_EQ(read({pages.range(2, 3), pages.range(6, 1), pages.range(kFar + 4, 6)}),
            (Runs{pages.run(2, 3), pages.run(6, 1), pages.run(kFar + 4, 6)}));
}

TEST_P(ResidencyTest, APartOfAPageIsAPage) {
  Pages pages{8};
  pages.write(0, 8);
  const std::uint64_t start = pages.range(2, 1).start.value;
  const ProcessRange first{{start + 100}, kPage};       // in pages 2 and 3
  const ProcessRange second{{start + kPage + 200}, 10}; // in page 3
  const ProcessRange none{{start + 3 * kPage}, 0};
  EXPECT_EQ(read({first, second, none}), Runs{pages.run(2, 2)});
}

TEST_P(ResidencyTest, ManyPiecesAreAllTold) {
  constexpr std::size_t kPieces = 3000;
  Pages pages{2 * kPieces};
  Runs expected;
  for (std::size_t i = 0; i < kPieces; ++i) {
    pages.write(2 * i, 1);
    expected.push_back(pages.run(2 * i, 1));
  }
  EXPECT_EQ(read({pages.range(0, 2 * kPieces)}), expected);
}

TEST_P(ResidencyTest, PagesOfAFileAreToldAsSuch) {
  const auto here = reinterpret_cast<std::uint64_t>(&PrintTo);
  const Runs runs = read({{{here}, 1}});
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_TRUE(runs[0].is_file);
  EXPECT_FALSE(runs[0].is_swapped);
}

TEST_P(ResidencyTest, NoAddressIsTooAbsurd) {
  EXPECT_EQ(read({{{0}, kPage}, {{1ULL << 63}, kPage}, {{~0ULL - 3 * kPage}, kPage}}), Runs{});
  EXPECT_EQ(read({{{~0ULL}, 1}}), Runs{});
  EXPECT_EQ(read({{{~0ULL - 1}, ~0ULL}}), Runs{});
  EXPECT_EQ(read({}), Runs{});
}

INSTANTIATE_TEST_SUITE_P(Ways, ResidencyTest,
                         ::testing::Values(Way{"scan", scan_residency},
                                           Way{"entries", read_residency_entries},
                                           Way{"best", read_residency}),
                         [](const auto &way) { return way.param.name; });

// A child has what its parent had; so it makes pages of its own first.
TEST(ResidencyOfAnotherTest, BothWaysAgreeAboutAChild) {
  Pages pages{256};
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    pages.write(3, 50);
    pages.write(100, 100);
    pages.release(120, 7);
    (void)!::write(ready[1], "r", 1);
    for (;;)
      ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  const auto start_time_ns = read_process_stat(child).value().start_time_ns;
  auto process = LiveProcess::open({static_cast<std::uint32_t>(child), start_time_ns});
  ASSERT_TRUE(process) << process.error().message();
  const ProcessRange all = pages.range(0, 256);
  const Runs expected{pages.run(3, 50), pages.run(100, 20), pages.run(127, 73)};
  EXPECT_EQ((*process)->resident_pages({&all, 1}).value(), expected);

  const Fd pagemap{::open(fmt::format("/proc/{}/pagemap", child).c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_TRUE(pagemap);
  EXPECT_EQ(read_residency_entries(pagemap, {&all, 1}).value(), expected);

  ::kill(child, SIGKILL);
  (void)::waitpid(child, nullptr, 0);
  EXPECT_EQ((*process)->resident_pages({&all, 1}).error().code(), Errc::gone);
  for (const auto read : {read_residency_entries, read_residency}) {
    const auto nothing = read(pagemap, {&all, 1});
    EXPECT_TRUE(nothing ? nothing->empty() : nothing.error().code() == Errc::gone);
  }
}

} // namespace
} // namespace mapscope
