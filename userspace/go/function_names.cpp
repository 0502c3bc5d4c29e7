// Names as pclntab and symbol tables have them.
#include "go/function_names.h"

#include <algorithm>
#include <array>

#include "base/go_names.h"

namespace mapscope {
namespace {

struct Meaning {
  std::string_view prefix; // of the name behind the package
  std::string_view operation;
};

// The first that fits counts, so a longer prefix comes before its beginning.
constexpr Meaning kMeanings[] = {
    {"makemap", "creation"},
    {"NewMap", "creation"},
    {"NewEmptyMap", "creation"},
    {"hashGrow", "growth"},
    {"growWork", "growth"},
    {"evacuate", "growth"},
    {"(*Map).growTo", "growth"},
    {"(*Map).installTableSplit", "growth"},
    {"(*table).rehash", "growth"},
    {"(*table).grow", "growth"},
    {"(*table).split", "growth"},
    {"(*table).pruneTombstones", "prune"},
    {"mapclear", "clear"},
    {"(*Map).Clear", "clear"},
    {"(*Map).clearSmall", "clear"},
    {"(*table).Clear", "clear"},
    {"mapclone", "copy"},
    {"clone", "copy"},
    {"(*Map).Clone", "copy"},
    {"(*table).clone", "copy"},
    {"mapassign", "write"},
    {"(*Map).PutSlot", "write"},
    {"(*Map).putSlotSmall", "write"},
    {"(*table).PutSlot", "write"},
    {"mapdelete", "delete"},
    {"(*Map).Delete", "delete"},
    {"(*Map).deleteSmall", "delete"},
    {"(*table).Delete", "delete"},
};

} // namespace

bool is_runtime_function(std::string_view function) {
  constexpr std::array<std::string_view, 6> packages = {
      "runtime", "reflect", "internal/reflectlite", "maps", "internal/abi", "internal/runtime"};
  std::string_view package = package_of(function);
  return std::ranges::find(packages, package) != packages.end() ||
         package.starts_with("internal/runtime/") || package.starts_with("runtime/internal/");
}

std::optional<std::string_view> operation_of_function(std::string_view function) {
  std::string_view package = package_of(function);
  if (!is_runtime_function(function) || package.size() == function.size())
    return std::nullopt;
  std::string_view name = function.substr(package.size() + 1);
  auto meaning = std::ranges::find_if(
      kMeanings, [name](const Meaning &candidate) { return name.starts_with(candidate.prefix); });
  if (meaning == std::end(kMeanings))
    return std::nullopt;
  return meaning->operation;
}

} // namespace mapscope
