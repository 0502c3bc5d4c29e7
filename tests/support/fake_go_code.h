// Machine code that behaves like compiled Go code does: user code that calls a map function
// of the runtime, which calls another one, which makes a system call; and then calls that one
// itself. amd64.
#pragma once

#include <cstdint>

namespace mapscope::testing {

// One run of fake_user_code(): the registers at the map function's entry, and the system
// call that is made twice with the same g, inside the map function and after it.
struct FakeRun {
  std::uint64_t g = 0;
  std::uint64_t ax = 0, bx = 0, cx = 0; // Go's first three arguments
  std::uint64_t number = 0, arguments[3] = {0, 0, 0};
  std::uint64_t result = 0;          // what the map function returns in ax
  std::uint64_t left = 1, right = 0; // compared just before the call: the flags at its entry
  std::uint64_t fp = 0;              // at the map function's entry; 0: that of the caller
};

extern "C" {
// Runs it. Everything below lies inside [fake_text_start, fake_text_end).
void fake_user_code(FakeRun *run);

extern const char fake_text_start, fake_text_end;
extern const char fake_user_start, fake_user_end;       // the caller
extern const char fake_after_map_call;                  // its return address
extern const char fake_runtime_start, fake_runtime_end; // the functions below
extern const char fake_map_function, fake_map_function_end;
extern const char fake_map_return; // its return instruction
extern const char fake_other_function, fake_other_function_end;
}

} // namespace mapscope::testing
