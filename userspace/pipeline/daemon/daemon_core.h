// The daemon between its parts: who is watched, what the rules say of it, and what of all that is
// shown. Everything but the view belongs to one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "alert/alerting.h"
#include "binary/confined_parser.h"
#include "flow/daemon_config.h"
#include "flow/daemon_view.h"
#include "judge/rules/rule_engine.h"
#include "pipeline/daemon/bpf_watcher.h"
#include "pipeline/daemon/census_runner.h"
#include "pipeline/daemon/event_watcher.h"
#include "pipeline/daemon/inbox.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

class DaemonCore final : public DaemonView {
public:
  // Starts all parts. Errors: as Alerting::start().
  // `binaries` is there since before any thread was, `bpf` has its thread since before capabilities
  // were dropped.
  static Result<std::unique_ptr<DaemonCore>> start(DaemonConfig config,
                                                   std::unique_ptr<BinaryCache> binaries,
                                                   std::unique_ptr<BpfWatcher> bpf);
  ~DaemonCore() override;

  // Processes that came and went, and holds that ended; about once a second.
  void look();
  // What the other threads had to say.
  void hear();
  int wake_fd() const { return inbox_.wake_fd(); } // readable: hear() has something to do

  void use(DaemonConfig config);   // in force from now on
  void keep(const Error &problem); // the file can't be used: what was in force stays
  const DaemonConfig &config() const { return config_; }

  // No more looking; what was found is on disk, and whoever takes alerts gets them for so long yet.
  void stop(std::chrono::milliseconds patience);

  bool is_ready() const override { return is_ready_; }
  std::string health() const override;
  DaemonFigures figures() const override;
  std::vector<WatchedProcess> processes() const override;
  Result<std::shared_ptr<const std::string>> maps_json(std::uint32_t pid) const override;
  Result<std::string> profile(std::uint32_t pid) override;
  std::shared_ptr<const BpfMapsLook> bpf_maps() const override { return bpf_->last_look(); }
  Result<std::shared_ptr<const std::string>> bpf_maps_json() const override;
  std::vector<Alert> alerts() const override { return alerting_->alerts(); }

private:
  DaemonCore(DaemonConfig config, std::unique_ptr<BinaryCache> binaries, std::string boot_id);
  void tell(std::vector<Finding> findings);
  void take(const ProcessChanges &changes);
  void set_needs();
  void tell_of_kernel();
  void add_bpf_figures(DaemonFigures &figures) const;
  void add_figures_of_parts(DaemonFigures &figures) const;
  Result<ProcessKey> key_of(std::uint32_t pid) const;

  DaemonConfig config_;
  Inbox inbox_;
  std::unique_ptr<BinaryCache> binaries_;
  RuleEngine engine_;
  std::unique_ptr<Alerting> alerting_;
  std::unique_ptr<ProcessFinder> finder_;
  std::unique_ptr<CensusRunner> runner_;
  std::unique_ptr<EventWatcher> watcher_;
  std::unique_ptr<BpfWatcher> bpf_;
  std::atomic<bool> is_ready_ = false;
  const std::uint64_t start_wall_ns_;

  // What API threads ask for.
  mutable std::mutex mutex_;
  std::map<std::uint32_t, FoundProcess> watched_; // by pid
  ProcessFinderFigures finder_figures_;
  std::uint32_t processes_max_ = 0; // WatchConfig's, at that look
  RuleEngineFigures engine_figures_;
  std::uint64_t config_wall_ns_ = 0;
  std::string config_problem_;
};

} // namespace mapscope
