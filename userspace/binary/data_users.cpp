// The package that a variable belongs to has most of the functions that use it; those of others
// have a body of that package inlined, or use a variable that is exported.
#include "binary/data_users.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "base/go_names.h"
#include "binary/probe_catalog.h"
#include "wire/roots_archive.h"

namespace mapscope {
namespace {

constexpr std::size_t kUsesMax = 8 << 20;

bool is_of_runtime(std::string_view package) {
  return is_runtime_package(package) || package == "reflect" || package == "internal/reflectlite" ||
         package == "sync" || package == "internal/sync";
}

// What fills variables when the program starts says least.
bool is_initializer(std::string_view function, std::string_view package) {
  function.remove_prefix(package.size());
  return function.starts_with(".init") || function.starts_with(".map.init");
}

} // namespace

void DataUsers::add(std::uint64_t address, std::uint32_t function) {
  if (address % sizeof(std::uint64_t) == 0 && uses_.size() < kUsesMax)
    uses_.emplace_back(address, function);
}

std::vector<DataUse> DataUsers::take() && {
  std::ranges::sort(uses_);
  uses_.erase(std::ranges::unique(uses_).begin(), uses_.end());
  std::vector<DataUse> uses;
  std::vector<std::uint32_t> functions;
  for (std::size_t i = 0; i < uses_.size();) {
    const std::uint64_t address = uses_[i].first;
    for (functions.clear(); i < uses_.size() && uses_[i].first == address; ++i)
      functions.push_back(uses_[i].second);
    uses.push_back(name(address, functions));
  }
  return uses;
}

DataUse DataUsers::name(std::uint64_t address, std::vector<std::uint32_t> &functions) const {
  const auto function_name = [&](std::uint32_t index) { return binary_.functions()[index].name; };
  std::map<std::string_view, std::size_t> packages; // how many functions of each use it
  bool is_runtime = true;
  for (const std::uint32_t index : functions) {
    const std::string_view package = package_of(function_name(index));
    ++packages[package];
    is_runtime &= is_of_runtime(package);
  }
  const auto rank = [&](std::uint32_t index) {
    const std::string_view name = function_name(index);
    const std::string_view package = package_of(name);
    return std::tuple{is_of_runtime(package), ~packages[package], is_initializer(name, package),
                      index};
  };
  const std::uint32_t best = *std::ranges::min_element(functions, {}, rank);
  return {.address = {address},
          .function = std::string{function_name(best).substr(0, RootLimits::kNameBytes)},
          .is_runtime = is_runtime};
}

} // namespace mapscope
