// The threads of alerting: one for each sink, and one for the database.
#include "alert/alerting.h"

#include <algorithm>
#include <csignal>
#include <thread>
#include <utility>

#include <cap-ng.h>
#include <spdlog/spdlog.h>

#include "alert/alert_outbox.h"

namespace mapscope {

namespace {

// What receivers are told needs no right that others lack; a command that is run gets none either.
void drop_capabilities() {
  capng_clear(CAPNG_SELECT_ALL);
  if (capng_apply(CAPNG_SELECT_ALL) != 0)
    spdlog::debug("A thread that delivers alerts keeps its capabilities: they can't be dropped.");
}

// With every signal blocked: they are for the thread that starts these, and a pipe or socket that
// its reader has closed must not end the daemon.
std::thread start_thread(std::string name, auto body) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  name.resize(std::min<std::size_t>(name.size(), 15)); // the kernel's limit
  ::pthread_setname_np(thread.native_handle(), name.c_str());
  return thread;
}

class AlertingThreads final : public Alerting {
public:
  // `outbox` is open.
  explicit AlertingThreads(std::shared_ptr<AlertOutbox> outbox) : outbox_(std::move(outbox)) {
    keeper_ = start_thread("alert-keep", [outbox = outbox_] { outbox->keep(); });
    start(outbox_->lanes());
  }
  ~AlertingThreads() override { end({}); }
  AlertingThreads(const AlertingThreads &) = delete;
  AlertingThreads &operator=(const AlertingThreads &) = delete;

  std::vector<Finding> firing() const override { return outbox_->firing(); }
  void take(std::vector<Finding> findings) override { outbox_->take(std::move(findings)); }
  bool flush(std::chrono::milliseconds timeout) override { return outbox_->flush(timeout); }
  void stop(std::chrono::milliseconds patience) override { end(patience); }
  std::vector<Alert> alerts() const override { return outbox_->alerts(); }
  AlertingFigures figures() const override { return outbox_->figures(); }

  Result<> reconfigure(const AlertsConfig &config) override {
    auto [added, removed] = TRY(outbox_->reconfigure(config));
    start(added);
    for (const std::shared_ptr<SinkLane> &lane : removed) {
      lane->sink()->cut_off(); // nobody waits for it here
      lane->wake.notify_all();
    }
    std::erase_if(deliverers_, [this](Deliverer &deliverer) {
      const bool has_ended = outbox_->has_ended(*deliverer.lane);
      if (has_ended)
        deliverer.thread.join();
      return has_ended;
    });
    return {};
  }

private:
  struct Deliverer {
    std::shared_ptr<SinkLane> lane;
    std::thread thread;
  };

  void start(const AlertOutbox::Lanes &lanes) {
    for (const std::shared_ptr<SinkLane> &lane : lanes)
      deliverers_.push_back(
          {lane, start_thread("alert-" + lane->config().name, [outbox = outbox_, lane] {
             drop_capabilities();
             outbox->deliver(lane);
           })});
  }

  void end(std::chrono::milliseconds patience) {
    if (!keeper_.joinable())
      return;
    AlertOutbox::Lanes lanes;
    for (const Deliverer &deliverer : deliverers_)
      lanes.push_back(deliverer.lane);
    const std::vector<bool> ended = outbox_->retire(lanes, patience);
    for (std::size_t i = 0; i < ended.size(); ++i)
      if (ended[i]) {
        deliverers_[i].thread.join();
      } else { // a look-up of a name, a file on a dead server: nothing ends those
        spdlog::warn("Alert sink \"{}\" hangs, and is left behind.", lanes[i]->config().name);
        deliverers_[i].thread.detach();
      }
    deliverers_.clear();
    outbox_->stop_keeping();
    keeper_.join();
    outbox_->close();
  }

  std::shared_ptr<AlertOutbox> outbox_; // a thread that is left behind has its share
  std::thread keeper_;
  std::vector<Deliverer> deliverers_;
};

} // namespace

Result<std::unique_ptr<Alerting>> Alerting::start(const AlertsConfig &config,
                                                  const AlertingOptions &options) {
  auto outbox = std::make_shared<AlertOutbox>(config, options);
  TRY(outbox->open(config));
  return std::make_unique<AlertingThreads>(std::move(outbox));
}

} // namespace mapscope
