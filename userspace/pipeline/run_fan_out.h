// One run for several observers: those that analyse it, and a recording of it.
#pragma once

#include <utility>
#include <vector>

#include "flow/run_observer.h"
#include "recording/recording_writer.h"

namespace mapscope {

// Analyses hear everything before the recording does: what they ask for while they hear of it has
// to stand in the recording in front of it. See RunObserver.
class RunFanOut final : public RunObserver {
public:
  explicit RunFanOut(std::vector<RunObserver *> analyses, RecordingWriter *recording = nullptr)
      : observers_(std::move(analyses)), recording_(recording) {
    if (recording_ != nullptr)
      observers_.push_back(recording_);
  }

  void start(const RunStart &start) override {
    for (RunObserver *observer : observers_)
      observer->start(start);
  }
  void target_start(const TargetStart &start) override {
    TargetStart heard = start;
    if (recording_ != nullptr)
      heard.names = recording_->listen(start.names);
    for (RunObserver *observer : observers_)
      observer->target_start(heard);
  }
  void record(std::span<const std::byte> record) override {
    for (RunObserver *observer : observers_)
      observer->record(record);
  }
  void drained() override {
    for (RunObserver *observer : observers_)
      observer->drained();
  }
  void goroutines(const GoroutineSnapshot &snapshot) override {
    for (RunObserver *observer : observers_)
      observer->goroutines(snapshot);
  }
  void remark(const Remark &remark) override {
    for (RunObserver *observer : observers_)
      observer->remark(remark);
  }
  void target_end(const TargetEnd &end) override {
    for (RunObserver *observer : observers_)
      observer->target_end(end);
  }
  void end(const RunEnd &end) override {
    for (RunObserver *observer : observers_)
      observer->end(end);
  }

private:
  std::vector<RunObserver *> observers_; // the recording last
  RecordingWriter *recording_;
};

} // namespace mapscope
