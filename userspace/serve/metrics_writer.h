// Families of metrics as text, in either of the two formats. prometheus-cpp writes the samples; the
// lines in front of them are written here, since OpenMetrics wants others.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/client_metric.h>

#include "serve/metrics.h"

namespace mapscope {

using MetricLabels = std::vector<prometheus::ClientMetric::Label>;

// A value of a label: printable UTF-8 of at most 200 bytes, with "…" where something was cut off.
std::string label_value(std::string_view text);

enum class MetricKind { gauge, counter, info };

struct MetricDescription {
  std::string_view name; // as Prometheus has it: a counter's ends in _total
  MetricKind kind = MetricKind::gauge;
  std::string_view unit; // empty: none; else the name ends in it, but for _total
  std::string_view help; // a sentence, without anything to escape
};

class MetricsWriter {
public:
  explicit MetricsWriter(MetricsFormat format) : format_(format) {}

  // Each family once. One without samples is left out.
  void family(const MetricDescription &description);
  void sample(MetricLabels labels, double value);
  void single(const MetricDescription &description, double value);

  std::string finish() &&;

private:
  void write_head();
  void write_samples();

  MetricsFormat format_;
  MetricDescription description_;
  bool has_head_ = false;
  std::vector<prometheus::ClientMetric> samples_; // not written yet
  std::string text_;
};

} // namespace mapscope
