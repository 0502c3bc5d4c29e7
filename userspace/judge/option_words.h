// What options of several commands say about maps: sizes, addresses, names of types.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/address.h"
#include "base/error.h"

namespace mapscope {

// "4096", "64KiB", "1MiB", "2GiB". Errors: usage, a sentence that begins with `option`.
Result<std::uint64_t> parse_size(std::string_view option, std::string_view text);

// "10s", "500ms", "2m"; above 0, and an hour at most. Errors: as above.
Result<std::chrono::milliseconds> parse_duration(std::string_view option, std::string_view text);

// "0xc000012340", of a map's header. Errors: as above.
Result<ProcessAddress> parse_map_address(std::string_view option, std::string_view text);

// Whether `pattern` is a part of the name; or with a '*' in it, which stands for any text, all of
// it. Brackets mean themselves, since they are in the name of every map type.
bool matches_type_name(std::string_view pattern, std::string_view name);

} // namespace mapscope
