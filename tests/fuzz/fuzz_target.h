// How a fuzz target begins: as libFuzzer calls it, or, where one executable has all of them, by its
// own name.
#pragma once

#include <cstddef>
#include <cstdint>

// MAPSCOPE_FUZZ_TARGET(name, data, size_bytes) { ... return 0; }: takes any bytes.
#ifdef MAPSCOPE_FUZZ
#define MAPSCOPE_FUZZ_TARGET(name, data, size_bytes)                                               \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size_bytes)
#else
#define MAPSCOPE_FUZZ_TARGET(name, data, size_bytes)                                               \
  extern "C" int name##_input(const std::uint8_t *data, std::size_t size_bytes)
#endif
