// The thread that looks at the kernel's maps, with looks that a test makes up: when it looks, what
// it asks for, and what it keeps.
#include "pipeline/daemon/bpf_watcher.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto kPatience = 60s;

BpfMapSample made_up_map(double fill = 0.5) {
  BpfMapSample map;
  map.facts.id = 7;
  map.facts.name = "flow table"; // not fit for a file's name
  map.facts.type = "hash";
  map.facts.max_entries = 1000;
  map.facts.owner = "flowd.service";
  map.facts.holders.emplace_back();
  map.facts.programs.emplace_back();
  map.fill = {.entries = static_cast<std::uint64_t>(1000 * fill),
              .method = BpfMethod::counted,
              .fill = fill};
  return map;
}

// What the thread sees, and what it asked for.
class MadeUpKernel {
public:
  BpfWatcherParts parts() {
    return {.start_watch = [this]() -> Result<std::unique_ptr<BpfMapWatch>> {
              const std::lock_guard lock{mutex_};
              if (!refusal.empty())
                return fail(Errc::denied, "{}", refusal);
              return std::make_unique<Watch>(*this);
            },
            .write_keys = [this](const BpfMapFacts &, const std::string &path,
                                 std::uint64_t) -> Result<std::uint64_t> {
              std::ofstream{path} << "1\n";
              const std::lock_guard lock{mutex_};
              ++key_files;
              return 1;
            }};
  }

  void set(BpfMapSample map) {
    const std::lock_guard lock{mutex_};
    map_ = std::move(map);
  }
  std::vector<BpfLookOptions> asked() const {
    const std::lock_guard lock{mutex_};
    return asked_;
  }
  int files() const {
    const std::lock_guard lock{mutex_};
    return key_files;
  }

  std::string refusal; // of the start

private:
  class Watch final : public BpfMapWatch {
  public:
    explicit Watch(MadeUpKernel &kernel) : kernel_(kernel) {}
    Result<BpfMapsLook> look(const BpfLookOptions &options, const std::atomic<bool> *) override {
      const std::lock_guard lock{kernel_.mutex_};
      kernel_.asked_.push_back(options);
      BpfMapsLook look{.time_ns = now_ns(), .maps = {kernel_.map_}, .cpu_ns = 10};
      if (!options.with_holders) {
        look.maps[0].facts.owner.clear();
        look.maps[0].facts.holders.clear();
      }
      if (!options.sample_keys_of.empty())
        look.maps[0].keys = BpfKeyDistribution{.of = "lookups", .sampled = 1};
      return look;
    }

  private:
    MadeUpKernel &kernel_;
  };

  mutable std::mutex mutex_;
  BpfMapSample map_ = made_up_map();
  std::vector<BpfLookOptions> asked_;
  int key_files = 0;
};

// What was told, in order.
class Ear {
public:
  std::function<void(BpfMapsSample)> hear() {
    return [this](BpfMapsSample sample) {
      const std::lock_guard lock{mutex_};
      samples_.push_back(std::move(sample));
      told_.notify_all();
    };
  }
  // The sample of that number, from 0 on; once it is there.
  BpfMapsSample sample(std::size_t number) {
    std::unique_lock lock{mutex_};
    if (!told_.wait_for(lock, kPatience, [&] { return samples_.size() > number; })) {
      ADD_FAILURE() << "only " << samples_.size() << " looks";
      return {};
    }
    return samples_[number];
  }
  std::size_t count() {
    const std::lock_guard lock{mutex_};
    return samples_.size();
  }

private:
  std::mutex mutex_;
  std::condition_variable told_;
  std::vector<BpfMapsSample> samples_;
};

class BpfWatcherTest : public ::testing::Test {
protected:
  void SetUp() override {
    directory_ = fs::path{::testing::TempDir()} / fmt::format("bpf-keys-{}", ::getpid());
    fs::remove_all(directory_);
    config_.interval = 1s;
    config_.key_directory = directory_.native();
  }
  void TearDown() override {
    watcher_.reset();
    fs::remove_all(directory_);
  }
  void begin() {
    watcher_ = BpfWatcher::start(config_, kernel_.parts());
    watcher_->set_needs(needs_);
    watcher_->begin(ear_.hear());
  }

  fs::path directory_;
  BpfConfig config_;
  BpfNeeds needs_;
  MadeUpKernel kernel_;
  Ear ear_;
  std::unique_ptr<BpfWatcher> watcher_;
};

TEST_F(BpfWatcherTest, TellsEachLookAndShowsTheLast) {
  begin();
  const BpfMapsSample sample = ear_.sample(1);
  ASSERT_EQ(sample.look.maps.size(), 1U);
  EXPECT_EQ(sample.look.maps[0].facts.owner, "flowd.service")
      << "as the first look had it, since the second did not ask";
  EXPECT_TRUE(sample.look.maps[0].facts.holders.empty());
  ASSERT_NE(watcher_->last_look(), nullptr);
  EXPECT_EQ(watcher_->last_look()->maps[0].facts.holders.size(), 1U);
  EXPECT_GE(watcher_->figures().looks, 2U);
  EXPECT_GE(watcher_->figures().cpu_ns, 20U);
  const auto asked = kernel_.asked();
  EXPECT_TRUE(asked[0].with_holders);
  EXPECT_FALSE(asked[1].with_holders);
}

TEST_F(BpfWatcherTest, LooksWhereSomebodyWantsIt) {
  config_.metrics = false;
  begin();
  EXPECT_EQ(watcher_->last_look(), nullptr);
  needs_.looks = true;
  watcher_->set_needs(needs_);
  ear_.sample(0);
  EXPECT_EQ(kernel_.asked()[0].rate_window.count(), 0) << "nobody wants rates";
  needs_.looks = false;
  watcher_->set_needs(needs_);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (watcher_->last_look() && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(watcher_->last_look(), nullptr) << "what is not looked at any more is not shown";
}

TEST_F(BpfWatcherTest, SystemCallsAreWatchedForRulesOnly) {
  const BpfLookOptions for_metrics = bpf_look_options(config_, {});
  EXPECT_TRUE(for_metrics.program_rates);
  EXPECT_FALSE(for_metrics.system_rates);
  EXPECT_EQ(for_metrics.rate_window, config_.rate_window);
  EXPECT_TRUE(bpf_look_options(config_, {.insert_failures = true}).system_rates);
  EXPECT_LT(for_metrics.count_budget, 2ms) << "100 ms a minute, and it looks each second";
  config_.interval = 600s;
  EXPECT_EQ(bpf_look_options(config_, {}).count_budget, 100ms);
}

TEST_F(BpfWatcherTest, KeysOfAFullMapAreKeptOnceUntilItIsLessFull) {
  needs_.looks = true;
  needs_.key_files = {BpfFillRule{}};
  kernel_.set(made_up_map(0.95));
  begin();
  const std::string path = ear_.sample(0).look.maps[0].key_file;
  EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_TRUE(path.starts_with(directory_.native() + "/flow_table-7-")) << path;
  EXPECT_EQ(fs::status(directory_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(ear_.sample(1).look.maps[0].key_file, path);
  EXPECT_EQ(kernel_.files(), 1);
  kernel_.set(made_up_map(0.5));
  const std::size_t heard = ear_.count();
  EXPECT_EQ(ear_.sample(heard + 1).look.maps[0].key_file, "");
  EXPECT_EQ(watcher_->figures().key_files.written, 1U);
}

TEST_F(BpfWatcherTest, AFileOfBeforeARestartIsNotWrittenAgain) {
  needs_.looks = true;
  needs_.key_files = {BpfFillRule{}};
  kernel_.set(made_up_map(0.95));
  begin();
  const std::string path = ear_.sample(0).look.maps[0].key_file;
  watcher_->stop();
  Ear later;
  watcher_ = BpfWatcher::start(config_, kernel_.parts());
  watcher_->set_needs(needs_);
  watcher_->begin(later.hear());
  EXPECT_EQ(later.sample(0).look.maps[0].key_file, path);
  EXPECT_EQ(kernel_.files(), 1);
}

TEST_F(BpfWatcherTest, NoFileIsWrittenOfMapsThatAreMeantToBeFull) {
  needs_.looks = true;
  needs_.key_files = {BpfFillRule{}};
  BpfMapSample map = made_up_map(1);
  map.facts.type = "lru_hash";
  kernel_.set(map);
  begin();
  EXPECT_EQ(ear_.sample(0).look.maps[0].key_file, "");
  EXPECT_EQ(kernel_.files(), 0);
}

TEST_F(BpfWatcherTest, TheKeysOfAHammeredMapAreThereWithItsRate) {
  needs_.looks = needs_.rates = true;
  needs_.key_samples = {BpfLookupsRule{}};
  BpfMapSample map = made_up_map();
  map.rates = BpfMapRates{.window_ns = 200'000'000, .system_lookups = {.exact = 20'000}};
  kernel_.set(map);
  begin();
  const BpfMapsSample sample = ear_.sample(0);
  ASSERT_TRUE(sample.look.maps[0].keys);
  const auto asked = kernel_.asked();
  EXPECT_EQ(asked[1].only, 7U) << "asked for at once";
  ear_.sample(1);
  EXPECT_EQ(kernel_.asked()[2].sample_keys_of, std::vector<std::uint32_t>{7});
}

TEST_F(BpfWatcherTest, SaysWhyItCanNotLook) {
  kernel_.refusal = "no CAP_SYS_ADMIN";
  begin();
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (watcher_->figures().failures == 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(watcher_->figures().problem, "no CAP_SYS_ADMIN");
  EXPECT_EQ(watcher_->last_look(), nullptr);
}

} // namespace
} // namespace mapscope
