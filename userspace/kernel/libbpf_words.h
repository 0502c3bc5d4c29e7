// What libbpf would print on standard error, kept for error messages instead.
#pragma once

#include "base/error.h"

namespace mapscope {

// Forgets earlier words of this thread, and keeps those that come.
void keep_libbpf_words();

// The error of a load with what libbpf and the verifier said; but for Errc::denied, where libbpf
// guesses at reasons that are not ours.
Error with_libbpf_words(const Error &error);

} // namespace mapscope
