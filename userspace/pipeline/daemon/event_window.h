// One verification window: for some seconds the system calls of some processes are watched with
// their map operations, and each of them gets a verdict. Everything that it needs is loaded for it
// and gone afterwards.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "binary/confined_parser.h"
#include "flow/rule_input.h"
#include "pipeline/daemon/event_tuning.h"
#include "pipeline/daemon/process_finder.h"

namespace mapscope {

class VerifyWindow {
public:
  struct Target {
    FoundProcess process;
    std::uint64_t duration_ns = 0;
    bool is_at_start = false;
  };
  struct Outcome {
    ProcessKey process;
    bool is_at_start = false;
    VerifySample sample;
    std::uint64_t probe_hits = 0;
    std::string problem; // why there is no verdict; empty: `sample` is one
  };
  // From the window's own thread: one end of a target; and that all is over, with the reason where
  // nothing could be watched at all.
  struct Listener {
    std::function<void(Outcome)> heard;
    std::function<void(std::string problem, std::map<std::string, std::uint64_t> lost)> ended;
  };

  // `attached`: whether every system call of the host passes a probe right now.
  VerifyWindow(const EventTuning &tuning, BinaryCache &binaries, std::atomic<bool> &attached,
               Listener listener)
      : tuning_(tuning), binaries_(binaries), attached_(attached), listener_(std::move(listener)) {}
  ~VerifyWindow(); // stops and waits

  void start(std::vector<Target> targets);
  // One more process, if there is a place for it. False: the window is about to end, or is full.
  bool join(const Target &target);
  // Its verdict is made of what was seen so far.
  void leave(ProcessKey process);
  void stop();

private:
  class Session;

  const EventTuning &tuning_;
  BinaryCache &binaries_;
  std::atomic<bool> &attached_;
  Listener listener_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<Target> joining_;
  std::vector<ProcessKey> leaving_;
  std::size_t places_ = 0; // taken; those that join included
  bool is_closing_ = false;
  std::jthread thread_;
};

} // namespace mapscope
