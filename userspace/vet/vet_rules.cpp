// The catalogue; docs/vet.md says more of each.
#include "vet/vet_rules.h"

#include <algorithm>
#include <array>

namespace mapscope {
namespace {

using enum VetLevel;

constexpr std::array kRules = {
    VetRule{"bpf-no-limit", warning, "a BPF map without max_entries",
            "The kernel refuses to make such a map, so its size is what some loader chooses, and "
            "nobody who reads the object knows it."},
    VetRule{"bpf-huge", error, "a BPF map that may take a lot of kernel memory",
            "The memory of BPF maps is the kernel's: it can't be swapped out, and most types take "
            "all of it when the map is made."},
    VetRule{"bpf-percpu", warning, "a per-CPU BPF map that grows with the host",
            "A per-CPU map keeps each value once for every possible CPU; what is small on a laptop "
            "is not on a server."},
    VetRule{"bpf-prealloc", warning, "a hash that allocates what it is not going to use",
            "A hash without BPF_F_NO_PREALLOC takes the memory of max_entries when it is made."},
    VetRule{"bpf-lru-evicts", note, "an LRU map whose entries matter",
            "A full LRU map takes an older entry away for each new one, and tells nobody."},
    VetRule{"bpf-no-btf", warning, "a BPF map whose key or value has no type",
            "Without BTF neither bpftool nor mapscope can show what is in the map, and loaders "
            "can't check it against the program."},
    VetRule{"bpf-bad-type", error, "a BPF map without a type, or with one that is not known",
            "The kernel refuses a map without a type; of a type that mapscope does not know it "
            "checks nothing."},
    VetRule{"bpf-bad-flags", error, "flags that the kernel refuses for this type of map",
            "The kernel answers EINVAL when the map is made."},
    VetRule{"bpf-wrong-size", error, "sizes that the kernel refuses for this type of map",
            "The kernel answers EINVAL or E2BIG when the map is made."},
    VetRule{"go-bpf-no-limit", warning, "an ebpf.MapSpec without MaxEntries",
            "The kernel refuses to make such a map unless something sets its size before."},
    VetRule{"go-bpf-huge", warning, "an ebpf.MapSpec that may take a lot of kernel memory",
            "The memory of BPF maps is the kernel's, and most types take all of it when the map is "
            "made."},
    VetRule{"go-bpf-wrong-size", error, "an ebpf.MapSpec with a size that the kernel refuses",
            "The kernel answers EINVAL when the map is made."},
    VetRule{"go-map-no-hint", warning, "a Go map that is made without the size it will have",
            "A map without a hint grows step by step, and copies its entries at each."},
    VetRule{"go-map-in-loop", note, "a Go map that is made anew in each turn of a loop",
            "Each turn allocates what the one before has left to the collector; clear() keeps it."},
};

} // namespace

std::span<const VetRule> vet_rules() { return kRules; }

const VetRule *find_vet_rule(std::string_view id) {
  const auto found = std::ranges::find(kRules, id, &VetRule::id);
  return found == kRules.end() ? nullptr : &*found;
}

} // namespace mapscope
