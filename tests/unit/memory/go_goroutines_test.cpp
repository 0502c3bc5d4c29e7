// Goroutines of real programs, against what these say of themselves.
#include "memory/goroutines.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/process.h"
#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "memory/live_process.h"
#include "support/file_content.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kRunnable = 1, kRunning = 2, kWaiting = 4; // runtime._Gwaiting and so on

struct Build {
  const char *name, *version, *arguments;
  friend void PrintTo(const Build &build, std::ostream *stream) {
    *stream << "Go " << build.version << ", " << build.name;
  }
};

std::string name_of(const ::testing::TestParamInfo<Build> &info) {
  std::string name = fmt::format("Go{}_{}", info.param.version, info.param.name);
  std::ranges::replace(name, '.', '_');
  return name;
}

// The program goroutines, until this ends.
class Running {
public:
  Running(const std::string &path, int count) {
    int input[2], output[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::pipe2(output, O_CLOEXEC) != 0)
      std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(input[0], STDIN_FILENO);
      ::dup2(output[1], STDOUT_FILENO);
      ::execl(path.c_str(), path.c_str(), std::to_string(count).c_str(), nullptr);
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = Fd{input[1]};
    std::unique_ptr<std::FILE, int (*)(std::FILE *)> lines{::fdopen(output[0], "r"), std::fclose};
    char kind[16];
    std::uint64_t goid;
    while (std::fscanf(lines.get(), "%15s %lu", kind, &goid) == 2 && goid != 0)
      goroutines_.emplace(goid, kind);
  }
  ~Running() {
    input_.reset();
    (void)::waitpid(pid_, nullptr, 0);
  }

  pid_t pid() const { return pid_; }
  const std::map<std::uint64_t, std::string> &goroutines() const { return goroutines_; } // by goid

private:
  pid_t pid_ = 0;
  Fd input_;
  std::map<std::uint64_t, std::string> goroutines_;
};

class GoGoroutinesTest : public ::testing::TestWithParam<Build> {
protected:
  void SetUp() override {
    const auto &[name, version, arguments] = GetParam();
    auto path =
        built({"tests/unit/memory/goroutines", ".", fmt::format("goroutines_{}_{}", version, name)},
              version, "", arguments);
    if (!path)
      GTEST_SKIP() << "Go " << version << " cannot be had or does not build the program";
    path_ = *path;
    bytes_ = testing::file_bytes(path_);
    auto opened = GoBinary::open(bytes_, path_);
    ASSERT_TRUE(opened) << opened.error().message();
    binary_.emplace(*std::move(opened));
    facts_ = read_facts(*binary_).value();
  }

  Result<GoroutineSnapshot> read(const Running &program) {
    auto info = TRY(find_process(program.pid()));
    const LoadBias bias = TRY(process_load_bias(program.pid(), facts_.entry));
    bias_ = bias;
    auto memory = TRY(LiveProcess::open(info.key));
    return read_goroutines(*memory, facts_, bias);
  }

  // The same once every goroutine has come to where it stays: a program says its numbers a moment
  // before, and on a busy machine the moment is long.
  Result<GoroutineSnapshot> read_at_rest(const Running &program) {
    constexpr int kPatience = 1'000;
    for (int i = 0; i < kPatience; ++i) {
      auto snapshot = TRY(read(program));
      if (std::ranges::none_of(snapshot.goroutines, [&](const GoroutineStack &stack) {
            auto known = program.goroutines().find(stack.goid);
            return known != program.goroutines().end() && known->second == "parked" &&
                   stack.status != kWaiting;
          }))
        return snapshot;
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    return fail(Errc::unsupported, "the goroutines did not come to rest");
  }

  // Whether some word of a stack is an address in that function.
  bool is_in(const GoroutineStack &stack, std::string_view function) const {
    const auto found = binary_->find_function(function);
    return found && std::ranges::any_of(stack.words, [&](std::uint64_t word) {
             return found->range.contains(bias_.to_elf({word}));
           });
  }

  std::string path_;
  std::vector<std::byte> bytes_;
  std::optional<GoBinary> binary_;
  BinaryFacts facts_;
  LoadBias bias_;
};

TEST_P(GoGoroutinesTest, AreAllFoundWhereTheyAre) {
  const Running program{path_, 200};
  ASSERT_EQ(program.goroutines().size(), 202u);
  const auto snapshot = read_at_rest(program);
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  EXPECT_TRUE(snapshot->is_complete);
  std::map<std::uint64_t, const GoroutineStack *> found;
  for (const GoroutineStack &stack : snapshot->goroutines)
    EXPECT_TRUE(found.emplace(stack.goid, &stack).second) << stack.goid << " is there twice";
  for (const auto &[goid, kind] : program.goroutines()) {
    ASSERT_TRUE(found.contains(goid)) << kind << " " << goid;
    const GoroutineStack &stack = *found[goid];
    if (kind == "parked") {
      EXPECT_TRUE(is_in(stack, "main.park")) << goid;
      EXPECT_TRUE(is_in(stack, "runtime.goexit")) << goid; // the outermost frame of all
    } else if (kind == "running") {
      EXPECT_TRUE(stack.status == kRunning || stack.status == kRunnable) << stack.status;
      EXPECT_TRUE(is_in(stack, "main.main.func2")) << goid;
    } else {
      EXPECT_TRUE(is_in(stack, "runtime.main"));
    }
  }
}

TEST_P(GoGoroutinesTest, AreFoundAlsoWhereTheyAreMany) {
  const Running program{path_, 4000};
  const auto snapshot = read(program);
  ASSERT_TRUE(snapshot) << snapshot.error().message();
  EXPECT_TRUE(snapshot->is_complete);
  EXPECT_GE(snapshot->goroutines.size(), 4002u);
}

constexpr Build kBuilds[] = {
    {"plain", "1.17.13", ""}, {"stripped", "1.17.13", "-ldflags='-s -w'"},
    {"plain", "1.19.13", ""}, {"pie", "1.21.13", "-buildmode=pie"},
    {"plain", "1.23.12", ""}, {"stripped", "1.24.13", "-ldflags='-s -w'"},
    {"plain", "1.25.14", ""}, {"plain", "1.26.8", ""},
    {"plain", "1.27.4", ""},  {"stripped_pie", "1.27.4", "-buildmode=pie -ldflags='-s -w'"},
};
INSTANTIATE_TEST_SUITE_P(Builds, GoGoroutinesTest, ::testing::ValuesIn(kBuilds), name_of);

} // namespace
} // namespace mapscope
