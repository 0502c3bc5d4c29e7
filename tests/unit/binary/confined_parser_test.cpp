// The parser child: what it answers, what it cannot do, and how its death is told.
#include "binary/confined_parser.h"

#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "binary/confinement.h"
#include "support/synthetic_go.h"

namespace mapscope {
namespace {

// A file that only its descriptor names.
Fd file_of(std::span<const std::byte> bytes) {
  Fd file{::memfd_create("tiny", MFD_CLOEXEC)};
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

Fd second(const Fd &file) { return Fd{::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)}; }

TEST(ConfinedBinaryTest, AnswersAsTheParserItself) {
  SyntheticGo program;
  auto binary = ConfinedBinary::open(file_of(program.make()), "/srv/tiny");
  ASSERT_TRUE(binary) << binary.error().message();
  const BinaryFacts &facts = (*binary)->facts();
  EXPECT_EQ(facts.path, "/srv/tiny");
  EXPECT_EQ(facts.go_version, "go1.26.8");
  EXPECT_EQ(facts.main_module, "example.org/tiny");
  EXPECT_EQ(facts.function_count, 2u);
  EXPECT_TRUE(facts.is_stripped);

  const ElfAddress inner{program.text().value + 20};
  const std::vector<ElfAddress> addresses{inner, program.text(), inner};
  for (int turn = 0; turn < 2; ++turn) { // the second time from memory
    auto answers = (*binary)->symbolize(addresses);
    ASSERT_TRUE(answers) << answers.error().message();
    ASSERT_EQ(answers->size(), 3u);
    EXPECT_EQ((*answers)[0].front().function, "main.inner");
    EXPECT_EQ((*answers)[1].front().function, "main.main");
    EXPECT_EQ((*answers)[2], (*answers)[0]);
  }
}

TEST(ConfinedBinaryTest, PassesOnWhyAFileIsNoUse) {
  const std::byte text[] = {std::byte{'#'}, std::byte{'!'}};
  auto script = ConfinedBinary::open(file_of(text), "/srv/script");
  ASSERT_FALSE(script);
  EXPECT_EQ(script.error().code(), Errc::unsupported);
  EXPECT_EQ(script.error().message(), "/srv/script: not an ELF file");

  auto empty = ConfinedBinary::open(file_of({}), "/srv/empty");
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().message(), "/srv/empty: an empty file");

  auto directory = ConfinedBinary::open(Fd{::open("/", O_RDONLY | O_CLOEXEC)}, "/");
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().message(), "/: not a regular file");
}

TEST(ConfinedBinaryTest, AFileCutWhileItIsReadEndsOnlyTheParser) {
  SyntheticGo program;
  Fd file = file_of(program.make());
  auto binary = ConfinedBinary::open(second(file), "/srv/tiny");
  ASSERT_TRUE(binary);
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  const ElfAddress address = program.text();
  auto answers = (*binary)->symbolize({&address, 1});
  ASSERT_FALSE(answers);
  EXPECT_EQ(answers.error().code(), Errc::malformed);
#if !defined(__SANITIZE_ADDRESS__) // which makes another signal of SIGBUS
  EXPECT_EQ(answers.error().message(),
            "/srv/tiny: the file was cut short or could not be read while it was parsed");
#endif
  EXPECT_EQ((*binary)->symbolize({&address, 1}).error().code(), Errc::gone);
}

TEST(ConfinedBinaryTest, NoAnswerInTimeIsAnError) {
  ParserLimits limits;
  limits.answer_time = std::chrono::milliseconds{0};
  auto binary = ConfinedBinary::open(file_of(SyntheticGo{}.make()), "/srv/tiny", limits);
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().code(), Errc::unsupported);
}

TEST(ConfinedBinaryTest, LeavesNoChildBehind) {
  {
    auto binary = ConfinedBinary::open(file_of(SyntheticGo{}.make()), "/srv/tiny");
  }
  {
    auto no_binary = ConfinedBinary::open(file_of({}), "/srv/empty");
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(BinaryCacheTest, OpensAFileOnceAndAnotherAgain) {
  BinaryCache cache;
  Fd file = file_of(SyntheticGo{}.make());
  auto first = cache.open(second(file), "/proc/1/exe");
  auto again = cache.open(second(file), "/proc/2/exe");
  auto other = cache.open(file_of(SyntheticGo{}.make()), "/proc/3/exe");
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(*first, *again);
  EXPECT_NE(*first, *other);
}

TEST(BinaryCacheTest, AChangedFileIsOpenedAgain) {
  BinaryCache cache;
  SyntheticGo program;
  Fd file = file_of(program.make());
  auto before = cache.open(second(file), "/proc/1/exe");
  ASSERT_TRUE(before);
  ASSERT_EQ(
      ::pwrite(file.get(), "go1.26.9", 8, static_cast<off_t>(program.build_info_offset() + 33)), 8);
  auto after = cache.open(second(file), "/proc/1/exe");
  ASSERT_TRUE(after) << after.error().message();
  EXPECT_EQ((*before)->facts().go_version, "go1.26.8");
  EXPECT_EQ((*after)->facts().go_version, "go1.26.9");
}

TEST(BinaryCacheTest, RemembersFailures) {
  ParserLimits limits;
  limits.file_bytes = 1;
  BinaryCache cache{limits};
  Fd file = file_of(SyntheticGo{}.make());
  auto first = cache.open(second(file), "/a");
  auto again = cache.open(second(file), "/b");
  ASSERT_TRUE(!first && !again);
  EXPECT_EQ(again.error().message(), first.error().message()); // that of "/a": not tried again
}

// In a child, confined: what `attempt` returns is its exit status.
template <typename Attempt> int confined(Attempt attempt) {
  int ends[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Fd ours{ends[0]}, theirs{ends[1]};
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(confine_this_process(theirs, {.memory_bytes = 64 << 20, .cpu_seconds = 1}) ? attempt()
                                                                                       : 99);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST(ConfinementTest, AllowsComputing) {
  const int status = confined([] { return 7; });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(ConfinementTest, RefusesToOpenFiles) {
  const int status = confined([] { return ::open("/etc/passwd", O_RDONLY) < 0 ? errno : 0; });
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), EACCES);
}

TEST(ConfinementTest, OtherSystemCallsAreFatal) {
  for (int (*attempt)() :
       {+[] { return ::socket(AF_INET, SOCK_STREAM, 0); }, +[] { return ::kill(::getppid(), 0); },
        +[] { return static_cast<int>(::fork()); },
        +[] { return ::execl("/bin/true", "true", nullptr); },
        +[] { return ::unlink("/nonexistent"); }}) {
    const int status = confined(attempt);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGSYS);
  }
}

TEST(ConfinementTest, MemoryIsNeverExecutable) {
  const int status = confined([] {
    (void)::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

TEST(ConfinementTest, ALowerLimitThatIsThereAlreadyStays) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit core{0, 0}, processor{1, 1};
    ::setrlimit(RLIMIT_CORE, &core);
    ::setrlimit(RLIMIT_CPU, &processor);
    Fd socket{::memfd_create("socket", MFD_CLOEXEC)};
    const auto confinement =
        confine_this_process(socket, {.memory_bytes = 64 << 20, .cpu_seconds = 60});
    ::_exit(confinement ? 7 : 99);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(ConfinementTest, ProcessorTimeIsLimited) {
  const int status = confined([] {
    while (true)
      (void)::getpid(); // a call, so that the loop may not be assumed to end
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE(WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL);
}

} // namespace
} // namespace mapscope
