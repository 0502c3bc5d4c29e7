// Which functions of the Go runtime mapscope knows, by name: what each means for a map.
//
// Names as pclntab has them (without ".abi0"). Go source: runtime/map.go, map_fast*.go (until
// 1.23), internal/runtime/maps/*.go and runtime/map.go (1.24 on).
#pragma once

#include <span>
#include <string_view>

#include "flow/binary_facts.h"

namespace mapscope {

struct OperationFunction {
  map_operation operation;
  std::string_view function;
  std::string_view what; // "growth": what goes unseen where no probe sees this function
};

// The functions whose entry is a map operation. None of them calls another one, but for
// rehash, under which table growth and split are listed.
//
// Swiss maps are made by NewMap, which reflect calls too, and not by runtime.makemap; classic
// maps always by the latter.
std::span<const OperationFunction> operation_functions(MapImplementation implementation);

// Functions that the compiler leaves out of line unless a profile tells it otherwise, and that
// are not operations themselves: a copy of one elsewhere is worth knowing.
std::span<const std::string_view> watched_callees(MapImplementation implementation);

struct HeapRequestFunction {
  heap_request request;
  std::string_view function;
};
std::span<const HeapRequestFunction> heap_request_functions();

// What the runtime calls to report wrong use of a map, among other things.
std::span<const std::string_view> misuse_functions();

// The functions that write one entry, (t *maptype, h or m, key ..): the compiler and reflect call
// them, each for the keys that it is for.
std::span<const std::string_view> map_write_functions();

// Where user code enters the kernel from, Go 1.19 on; one of them.
std::span<const std::string_view> syscall6_functions();

// Creates, grows, clears, copies, writes or deletes; pure readers do not.
bool is_map_writer(std::string_view function);

// Bodies in package runtime that reach map functions for other packages.
bool is_map_front_end(std::string_view function);

// Its first argument is the descriptor of the map's type, and the compiler calls it.
bool takes_map_type_first(std::string_view function);

// The runtime or a package below it, which the linker puts in front of all others.
// Go source: cmd/internal/objabi/pkgspecial.go and, until 1.21, path.go.
bool is_runtime_package(std::string_view package);

} // namespace mapscope
