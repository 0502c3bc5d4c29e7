// What `doctor` found, for people and for programs.
#pragma once

#include <string>
#include <vector>

#include "flow/feature.h"

namespace mapscope {

struct DoctorReport {
  std::string kernel;                // "Linux 6.12.1 x86_64"
  std::vector<std::string> commands; // in the order of the report
  std::vector<Feature> features;
};

// A table: two lines a feature, then one line a command. Ends with a newline.
std::string doctor_text(const DoctorReport &report, bool colour);

// One JSON document, schema mapscope.doctor/1, indented, ends with a newline.
std::string doctor_json(const DoctorReport &report);

} // namespace mapscope
