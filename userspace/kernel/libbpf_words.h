// What libbpf would print on standard error, kept for error messages instead.
#pragma once

#include <span>

#include "base/error.h"
#include "flow/feature.h"

namespace mapscope {

// Forgets earlier words of this thread, and keeps those that come.
void keep_libbpf_words();

// The error of a load with the reason: what this kernel lacks, else what libbpf and the verifier
// said. But for Errc::denied, where libbpf guesses at reasons that are not ours.
Error with_libbpf_words(const Error &error);

// The same for who knows what is missing. Nobody but a programmer understands a verifier, so its
// words are for refusals that nothing else explains.
Error refused_load(const Error &error, std::span<const Feature> missing);

} // namespace mapscope
