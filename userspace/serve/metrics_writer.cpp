// Samples go through the serializer some hundred at a time, so that a large family does not exist
// twice; see metrics_writer.h.
#include "serve/metrics_writer.h"

#include <iterator>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include "base/printable.h"

namespace mapscope {
namespace {

constexpr std::size_t kLabelBytesMax = 200;
constexpr std::size_t kSamplesAtOnce = 256;
constexpr std::string_view kTotal = "_total", kInfo = "_info";

std::string_view type_name(MetricKind kind) {
  switch (kind) {
  case MetricKind::gauge:
    return "gauge";
  case MetricKind::counter:
    return "counter";
  case MetricKind::info:
    return "info";
  }
  return "unknown";
}

std::string_view without(std::string_view name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : name;
}

// OpenMetrics names families without what their type adds to the names of their samples.
std::string_view open_metrics_name(const MetricDescription &description) {
  switch (description.kind) {
  case MetricKind::counter:
    return without(description.name, kTotal);
  case MetricKind::info:
    return without(description.name, kInfo);
  case MetricKind::gauge:
    break;
  }
  return description.name;
}

} // namespace

std::string label_value(std::string_view text) {
  constexpr std::string_view kCut = "…";
  std::string value = printable(text.substr(0, 2 * kLabelBytesMax));
  if (text.size() <= kLabelBytesMax && value.size() <= kLabelBytesMax)
    return value;
  std::size_t end = kLabelBytesMax - kCut.size();
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xc0U) == 0x80)
    --end; // not in the middle of a character
  value.resize(end);
  value += kCut;
  return value;
}

void MetricsWriter::family(const MetricDescription &description) {
  write_samples();
  description_ = description;
  has_head_ = false;
}

void MetricsWriter::sample(MetricLabels labels, double value) {
  prometheus::ClientMetric metric;
  metric.label = std::move(labels);
  metric.gauge.value = value;
  samples_.push_back(std::move(metric));
  if (samples_.size() == kSamplesAtOnce)
    write_samples();
}

void MetricsWriter::single(const MetricDescription &description, double value) {
  family(description);
  sample({}, value);
}

void MetricsWriter::write_head() {
  const bool is_open = format_ == MetricsFormat::open_metrics;
  const std::string_view name = is_open ? open_metrics_name(description_) : description_.name;
  // The older format has no type for what never changes.
  const bool is_known = is_open || description_.kind != MetricKind::info;
  const std::string_view type = type_name(is_known ? description_.kind : MetricKind::gauge);
  auto out = std::back_inserter(text_);
  fmt::format_to(out, "# HELP {} {}\n# TYPE {} {}\n", name, description_.help, name, type);
  if (is_open && !description_.unit.empty())
    fmt::format_to(out, "# UNIT {} {}\n", name, description_.unit);
  has_head_ = true;
}

void MetricsWriter::write_samples() {
  if (samples_.empty())
    return;
  if (!has_head_)
    write_head();
  prometheus::MetricFamily family;
  family.name = description_.name;
  family.type = prometheus::MetricType::Gauge; // all of ours are one number
  family.metric = std::move(samples_);
  std::ostringstream out;
  prometheus::TextSerializer{}.Serialize(out, {std::move(family)});
  samples_ = {};
  // Lines that begin with '#' are heads: a label's line feeds are escaped.
  std::string_view lines = out.view();
  while (lines.starts_with('#'))
    lines.remove_prefix(lines.find('\n') + 1);
  text_ += lines;
}

std::string MetricsWriter::finish() && {
  write_samples();
  if (format_ == MetricsFormat::open_metrics)
    text_ += "# EOF\n";
  return std::move(text_);
}

} // namespace mapscope
