// mapscope.doctor/1: what `doctor` found, for programs.
#include <nlohmann/json.hpp>

#include "report/doctor_report.h"

namespace mapscope {
namespace {

using nlohmann::ordered_json;

const char *name_of(Availability availability) {
  switch (availability) {
  case Availability::yes:
    return "yes";
  case Availability::no:
    return "no";
  case Availability::denied:
    return "denied";
  }
  return nullptr;
}

ordered_json feature_json(const Feature &feature) {
  return {{"name", feature.name},
          {"available", name_of(feature.availability)},
          {"answer", feature.answer},
          {"used_for", feature.used_for.empty() ? ordered_json() : ordered_json(feature.used_for)},
          {"without", feature.without},
          {"capabilities", feature.capabilities},
          {"needed_by", feature.needed_by}};
}

ordered_json command_json(const DoctorReport &report, const std::string &command) {
  ordered_json missing = ordered_json::array();
  for (const Feature &feature : missing_for(command, report.features))
    missing.push_back(feature.name);
  return {{"name", command}, {"can_run", missing.empty()}, {"missing", missing}};
}

} // namespace

std::string doctor_json(const DoctorReport &report) {
  ordered_json document = {{"schema", "mapscope.doctor/1"}, {"kernel", report.kernel}};
  document["commands"] = ordered_json::array();
  for (const std::string &command : report.commands)
    document["commands"].push_back(command_json(report, command));
  document["features"] = ordered_json::array();
  for (const Feature &feature : report.features)
    document["features"].push_back(feature_json(feature));
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

} // namespace mapscope
