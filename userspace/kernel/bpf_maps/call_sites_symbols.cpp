// The kernel's functions by name; see call_sites_symbols.h.
#include "kernel/bpf_maps/call_sites_symbols.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace mapscope {

namespace {

struct NamedHelper {
  std::string_view name;
  BpfHelper helper;
};

constexpr std::array kNamedHelpers = std::to_array<NamedHelper>({
    {"bpf_map_lookup_elem", BpfHelper::lookup},
    {"bpf_map_lookup_percpu_elem", BpfHelper::lookup},
    {"bpf_map_peek_elem", BpfHelper::lookup},
    {"bpf_get_local_storage", BpfHelper::lookup},
    {"sock_map_lookup", BpfHelper::lookup},
    {"sock_hash_lookup", BpfHelper::lookup},
    {"bpf_map_update_elem", BpfHelper::update},
    {"bpf_map_push_elem", BpfHelper::update},
    {"bpf_map_delete_elem", BpfHelper::remove},
    {"bpf_map_pop_elem", BpfHelper::remove},
    {"bpf_sk_storage_delete", BpfHelper::remove},
    {"bpf_sk_storage_delete_tracing", BpfHelper::remove},
    {"bpf_inode_storage_delete", BpfHelper::remove},
    {"bpf_task_storage_delete", BpfHelper::remove},
    {"bpf_task_storage_delete_recur", BpfHelper::remove},
    {"bpf_cgrp_storage_delete", BpfHelper::remove},
    {"bpf_sk_storage_get", BpfHelper::lookup_or_update},
    {"bpf_sk_storage_get_cg_sock", BpfHelper::lookup_or_update},
    {"bpf_sk_storage_get_tracing", BpfHelper::lookup_or_update},
    {"bpf_inode_storage_get", BpfHelper::lookup_or_update},
    {"bpf_task_storage_get", BpfHelper::lookup_or_update},
    {"bpf_task_storage_get_recur", BpfHelper::lookup_or_update},
    {"bpf_cgrp_storage_get", BpfHelper::lookup_or_update},
    {"bpf_sock_map_update", BpfHelper::update_second},
    {"bpf_sock_hash_update", BpfHelper::update_second},
    {"bpf_loop", BpfHelper::loop},
    {"bpf_find_vma", BpfHelper::loop},
    {"bpf_user_ringbuf_drain", BpfHelper::loop},
    {"bpf_rbtree_add_impl", BpfHelper::loop},
    {"bpf_rbtree_add", BpfHelper::loop},
    {"bpf_for_each_map_elem", BpfHelper::for_each},
    {"bpf_for_each_hash_elem", BpfHelper::for_each},
    {"bpf_for_each_array_elem", BpfHelper::for_each},
    {"bpf_throw", BpfHelper::throw_exception},
});

// "ffffffff814cc810 T name\t[module]"
struct KernelSymbol {
  std::uint64_t address = 0;
  std::string_view name;
};

std::optional<KernelSymbol> parse_symbol(std::string_view line) {
  KernelSymbol symbol;
  const auto *end = line.data() + line.size();
  const auto [rest, error] = std::from_chars(line.data(), end, symbol.address, 16);
  if (error != std::errc{} || end - rest < 4 ||
      std::string_view{" tTwW"}.find(rest[1]) == std::string_view::npos)
    return std::nullopt;
  symbol.name = {rest + 3, end};
  symbol.name = symbol.name.substr(0, symbol.name.find('\t'));
  return symbol;
}

} // namespace

BpfHelper helper_named(std::string_view name) {
  name = name.substr(0, name.find('.')); // compilers append ".llvm.123"
  const auto *named = std::ranges::find(kNamedHelpers, name, &NamedHelper::name);
  if (named != kNamedHelpers.end())
    return named->helper;
  // Operations of map types (struct bpf_map_ops), which the verifier calls in place of the helpers:
  // htab_map_update_elem, queue_map_pop_elem.
  struct Operation {
    std::string_view ending;
    BpfHelper helper;
  };
  constexpr auto kOperations = std::to_array<Operation>({
      {"_lookup_elem", BpfHelper::lookup},
      {"_lookup_percpu_elem", BpfHelper::lookup},
      {"_peek_elem", BpfHelper::lookup},
      {"_update_elem", BpfHelper::update},
      {"_push_elem", BpfHelper::update},
      {"_delete_elem", BpfHelper::remove},
      {"_pop_elem", BpfHelper::remove},
  });
  for (const auto &operation : kOperations)
    if (name.ends_with(operation.ending))
      return operation.helper;
  return name.starts_with("bpf_") ? BpfHelper::other : BpfHelper::unknown;
}

Result<KernelCalls> KernelCalls::read() {
  std::ifstream file{"/proc/kallsyms"};
  if (!file)
    return std::unexpected(Error::from_errno("opening /proc/kallsyms"));
  return read(file);
}

Result<KernelCalls> KernelCalls::read(std::istream &kallsyms) {
  std::optional<std::uint64_t> base;
  std::vector<std::pair<std::uint64_t, BpfHelper>> found;
  for (std::string line; std::getline(kallsyms, line);) {
    const auto symbol = parse_symbol(line);
    if (!symbol)
      continue;
    if (symbol->name == "__bpf_call_base") {
      if (symbol->address == 0)
        return fail(Errc::denied, "/proc/kallsyms hides addresses (kernel.kptr_restrict): what "
                                  "programs call can't be told; run it with CAP_SYSLOG");
      base = symbol->address;
    }
    if (symbol->name.starts_with("__pfx_")) // what stands in front of a function
      continue;
    if (const auto helper = helper_named(symbol->name); helper != BpfHelper::unknown)
      found.emplace_back(symbol->address, helper);
  }
  if (!base)
    return fail(Errc::unsupported, "/proc/kallsyms has no __bpf_call_base: what programs call "
                                   "can't be told");
  KernelCalls calls;
  for (const auto &[address, helper] : found) {
    const auto distance = static_cast<std::int64_t>(address - *base);
    if (distance >= std::numeric_limits<std::int32_t>::min() &&
        distance <= std::numeric_limits<std::int32_t>::max())
      calls.helpers_.emplace_back(static_cast<std::int32_t>(distance), helper);
  }
  // Of several names of one function, that which tells something stands last.
  std::ranges::sort(calls.helpers_, [](const auto &left, const auto &right) {
    return std::pair{left.first, left.second != BpfHelper::other} <
           std::pair{right.first, right.second != BpfHelper::other};
  });
  calls.helpers_.shrink_to_fit();
  return calls;
}

BpfHelper KernelCalls::helper_of(std::int32_t distance) const {
  const auto after =
      std::ranges::upper_bound(helpers_, distance, {}, &decltype(helpers_)::value_type::first);
  if (after == helpers_.begin() || std::prev(after)->first != distance)
    return BpfHelper::unknown;
  return std::prev(after)->second;
}

} // namespace mapscope
