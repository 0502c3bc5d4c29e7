// What a BPF object file says of its maps, before any loader has changed it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mapscope {

enum class BpfMapDefinition : std::uint8_t {
  btf,         // a variable in .maps, described by its BTF type
  legacy,      // a struct bpf_map_def in the section "maps", which libbpf 1.0 no longer reads
  global_data, // a data section, of which loaders make an array with one element
};

// A key or value type as BTF describes it.
struct BpfDeclaredType {
  std::string name;           // as C writes it: "struct flow_key", "__u32"
  std::uint64_t bytes = 0;    // sizeof
  bool is_integer = false;    // int, enum, or a typedef of one
  std::string counter_member; // a member that is called as counters are; empty: none
};

// Absent: not declared, which a loader may still do.
struct BpfDeclaredMap {
  std::string name;
  BpfMapDefinition definition = BpfMapDefinition::btf;
  std::optional<std::uint32_t> type_number; // enum bpf_map_type
  std::optional<std::uint32_t> key_bytes, value_bytes, max_entries;
  std::uint32_t flags = 0; // BPF_F_*
  std::uint64_t extra = 0;
  bool is_pinned = false;
  std::optional<BpfDeclaredType> key_type, value_type;
  bool is_inner = false;         // the template of what a map of maps holds
  bool has_inner = false;        // `values` names one
  std::vector<std::string> tags; // btf_decl_tag of the variable
  std::string source;            // where it is written, as the debug information names it
  std::uint32_t line = 0;        // 0: not known
};

struct BpfObjectFacts {
  std::string path;
  std::vector<BpfDeclaredMap> maps; // in the order of the file
  // Variables of .maps that nothing describes, since the object has no BTF.
  std::vector<std::string> undescribed_maps;
};

} // namespace mapscope
