// The words that the text and the JSON of `verify` share.
#pragma once

#include <string_view>

#include "flow/verdict.h"

namespace mapscope {

// "clean", "violated", "inconclusive"
std::string_view word_for(Outcome outcome);

// "file", "memory", ...
std::string_view word_for(call_class klass);

// "file", "directory", "pipe", ...; "unknown" where the kernel side did not look.
std::string_view word_for(descriptor_kind descriptor);

// "classic", "swiss"; empty: not known.
std::string_view word_for(MapImplementation implementation);

// A key of JSON: "goroutine_unreadable". Empty: the value is not used.
std::string_view word_for(loss what);

} // namespace mapscope
