// The words for the numbers of bpf(2): types of maps and programs, flags of maps. Tables of our
// own, since libbpf knows what it was built for, and a kernel may be newer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mapscope {

// "hash"; "type 77" for what this build does not know. As bpftool writes them.
std::string bpf_map_type_name(std::uint32_t type);
std::string bpf_program_type_name(std::uint32_t type);

// "BPF_F_NO_PREALLOC"; a bit that this build does not know as a number.
std::vector<std::string> bpf_map_flag_names(std::uint32_t flags);

} // namespace mapscope
