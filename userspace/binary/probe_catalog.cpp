// The names of the runtime functions that are probed, and what each tells.
#include "binary/probe_catalog.h"

#include <algorithm>
#include <array>

#include "base/go_names.h"
namespace mapscope {
namespace {

constexpr OperationFunction kClassicOperations[] = {
    {MAP_OPERATION_MAKE_SMALL, "runtime.makemap_small", "creation"},
    {MAP_OPERATION_MAKE, "runtime.makemap", "creation"},
    {MAP_OPERATION_HASH_GROW, "runtime.hashGrow", "growth"},
    {MAP_OPERATION_CLEAR, "runtime.mapclear", "clearing"},
    {MAP_OPERATION_GROW_WORK, "runtime.growWork", "evacuation"},
    {MAP_OPERATION_GROW_WORK, "runtime.growWork_fast32", "evacuation"},
    {MAP_OPERATION_GROW_WORK, "runtime.growWork_fast64", "evacuation"},
    {MAP_OPERATION_GROW_WORK, "runtime.growWork_faststr", "evacuation"},
};

constexpr OperationFunction kSwissOperations[] = {
    {MAP_OPERATION_MAKE_SMALL, "runtime.makemap_small", "creation"},
    {MAP_OPERATION_NEW_MAP, "internal/runtime/maps.NewMap", "creation"},
    {MAP_OPERATION_CLONE, "internal/runtime/maps.(*Map).Clone", "copying"},
    {MAP_OPERATION_GROW_TO_SMALL, "internal/runtime/maps.(*Map).growToSmall", "the first growth"},
    {MAP_OPERATION_GROW_TO_TABLE, "internal/runtime/maps.(*Map).growToTable",
     "growth beyond eight entries"},
    {MAP_OPERATION_REHASH, "internal/runtime/maps.(*table).rehash", "growth"},
    {MAP_OPERATION_TABLE_GROW, "internal/runtime/maps.(*table).grow", "growth of a table"},
    {MAP_OPERATION_TABLE_SPLIT, "internal/runtime/maps.(*table).split", "splitting of a table"},
    {MAP_OPERATION_INSTALL_SPLIT, "internal/runtime/maps.(*Map).installTableSplit",
     "growth of the directory"},
    {MAP_OPERATION_CLEAR, "internal/runtime/maps.(*Map).Clear", "clearing"},
    {MAP_OPERATION_PRUNE, "internal/runtime/maps.(*table).pruneTombstones", "pruning"},
};

constexpr std::string_view kClassicCallees[] = {
    "runtime.makeBucketArray", "runtime.evacuate",         "runtime.evacuate_fast32",
    "runtime.evacuate_fast64", "runtime.evacuate_faststr",
};
constexpr std::string_view kSwissCallees[] = {
    "internal/runtime/maps.newTable",
    "internal/runtime/maps.(*Map).Delete",
};

constexpr HeapRequestFunction kHeapRequests[] = {
    {HEAP_REQUEST_GROW, "runtime.(*mheap).grow"},
    {HEAP_REQUEST_LARGE, "runtime.(*mcache).allocLarge"},
};
constexpr std::string_view kMisuse[] = {
    "runtime.fatal",
    "runtime.throw",
    "runtime.gopanic",
    "internal/runtime/maps.fatal",
};
constexpr std::string_view kMapWrites[] = {
    "runtime.mapassign",        "runtime.mapassign_fast32",    "runtime.mapassign_fast32ptr",
    "runtime.mapassign_fast64", "runtime.mapassign_fast64ptr", "runtime.mapassign_faststr",
};
constexpr std::string_view kSyscall6[] = {
    "runtime/internal/syscall.Syscall6",       // 1.19 to 1.22
    "internal/runtime/syscall.Syscall6",       // 1.23 to 1.25
    "internal/runtime/syscall/linux.Syscall6", // 1.26 on
};

// A star at the end stands for the variants by key type. The functions that are pushed into
// another package keep the name that package calls them by: maps.clone is in runtime.
constexpr std::string_view kWriters[] = {
    // both implementations
    "runtime.makemap*",
    "runtime.mapassign*",
    "runtime.mapdelete*",
    "runtime.mapclear",
    "runtime.mapclone",
    "runtime.mapclone2",
    "maps.clone",
    // classic
    "runtime.makeBucketArray",
    "runtime.hashGrow",
    "runtime.growWork*",
    "runtime.evacuate*",
    "runtime.advanceEvacuationMark",
    "runtime.moveToBmap",
    "runtime.(*hmap).newoverflow",
    "runtime.(*hmap).incrnoverflow",
    // swiss
    "internal/runtime/maps.NewMap",
    "internal/runtime/maps.NewEmptyMap",
    "internal/runtime/maps.newTable",
    "internal/runtime/maps.newarray",
    "internal/runtime/maps.newobject",
    "internal/runtime/maps.(*Map).growTo*",
    "internal/runtime/maps.(*Map).installTableSplit",
    "internal/runtime/maps.(*Map).replaceTable",
    "internal/runtime/maps.(*Map).PutSlot*",
    "internal/runtime/maps.(*Map).putSlot*",
    "internal/runtime/maps.(*Map).Delete",
    "internal/runtime/maps.(*Map).deleteSmall",
    "internal/runtime/maps.(*Map).Clear",
    "internal/runtime/maps.(*Map).clearSmall",
    "internal/runtime/maps.(*Map).Clone",
    "internal/runtime/maps.(*table).reset*",
    "internal/runtime/maps.(*table).rehash",
    "internal/runtime/maps.(*table).grow",
    "internal/runtime/maps.(*table).split",
    "internal/runtime/maps.(*table).PutSlot",
    "internal/runtime/maps.(*table).uncheckedPutSlot*",
    "internal/runtime/maps.(*table).Delete",
    "internal/runtime/maps.(*table).pruneTombstones",
    "internal/runtime/maps.(*table).Clear",
    "internal/runtime/maps.(*table).clone",
};

// Go source: cmd/compile/internal/typecheck/_builtin/runtime.go.
constexpr std::string_view kTypeFirst[] = {
    "runtime.makemap",      "runtime.makemap64", "runtime.mapassign*",  "runtime.mapaccess*",
    "runtime.mapdelete*",   "runtime.mapclear",  "runtime.mapiterinit",
    "runtime.mapIterStart", // swiss
};

constexpr std::string_view kFrontEnds[] = {
    "reflect.makemap",
    "reflect.mapassign*",
    "reflect.mapdelete*",
    "reflect.mapclear",
};

constexpr std::string_view kRuntimePackages[] = {
    "runtime",          "runtime/internal/*",     "internal/runtime/*",   "internal/abi",
    "internal/bytealg", "internal/byteorder",     "internal/chacha8rand", "internal/coverage/rtcov",
    "internal/cpu",     "internal/goarch",        "internal/godebugs",    "internal/goexperiment",
    "internal/goos",    "internal/profilerecord", "internal/strconv",     "internal/stringslite",
    "sync/atomic",
};

// A pattern is a name, or the front of names with a star behind it.
bool matches_any(std::string_view name, std::span<const std::string_view> patterns) {
  return std::ranges::any_of(patterns, [&](std::string_view pattern) {
    return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1))
                                  : name == pattern;
  });
}

} // namespace

std::span<const OperationFunction> operation_functions(MapImplementation implementation) {
  switch (implementation) {
  case MapImplementation::none:
    return {};
  case MapImplementation::classic:
    return kClassicOperations;
  case MapImplementation::swiss:
    return kSwissOperations;
  }
  return {};
}

std::span<const std::string_view> watched_callees(MapImplementation implementation) {
  switch (implementation) {
  case MapImplementation::none:
    return {};
  case MapImplementation::classic:
    return kClassicCallees;
  case MapImplementation::swiss:
    return kSwissCallees;
  }
  return {};
}

std::span<const HeapRequestFunction> heap_request_functions() { return kHeapRequests; }
std::span<const std::string_view> misuse_functions() { return kMisuse; }
std::span<const std::string_view> map_write_functions() { return kMapWrites; }
std::span<const std::string_view> syscall6_functions() { return kSyscall6; }

bool is_map_writer(std::string_view function) { return matches_any(function, kWriters); }
bool is_map_front_end(std::string_view function) { return matches_any(function, kFrontEnds); }

bool takes_map_type_first(std::string_view function) { return matches_any(function, kTypeFirst); }

bool is_runtime_package(std::string_view package) { return matches_any(package, kRuntimePackages); }

} // namespace mapscope
