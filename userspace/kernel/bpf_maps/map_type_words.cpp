// BTF by libbpf; see map_type_words.h.
#include "kernel/bpf_maps/map_type_words.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string_view>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "base/printable.h"
#include "kernel/libbpf_words.h"

namespace mapscope {
namespace {

// A struct without a name is written with all its fields.
constexpr std::size_t kWordsBytesMax = 4096;

void append_words(void *context, const char *format, va_list arguments) {
  auto &text = *static_cast<std::string *>(context);
  char piece[512];
  const int length = std::vsnprintf(piece, sizeof(piece), format, arguments);
  if (length > 0 && text.size() < kWordsBytesMax)
    text.append(piece, std::min<std::size_t>(static_cast<std::size_t>(length), sizeof(piece) - 1));
}

// Fields are left out: "struct {...}".
std::string without_fields(std::string text) {
  const std::size_t open = text.find('{');
  if (open != text.npos) {
    const std::size_t close = text.rfind('}');
    const std::string behind = close == text.npos ? "" : text.substr(close + 1);
    text = text.substr(0, open) + "{...}" + behind;
  }
  while (text.ends_with(' '))
    text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
  return printable(text);
}

std::string declaration(const btf *types, std::uint32_t type_id) {
  if (types == nullptr || type_id == 0)
    return {};
  std::string text;
  const Handle<btf_dump, btf_dump__free> dump{btf_dump__new(types, append_words, &text, nullptr)};
  if (!dump)
    return {};
  LIBBPF_OPTS(btf_dump_emit_type_decl_opts, options, .field_name = "");
  if (btf_dump__emit_type_decl(dump.get(), type_id, &options) != 0)
    return {};
  return without_fields(std::move(text));
}

bool is_vmlinux(std::uint32_t btf_id) {
  const Fd types{bpf_btf_get_fd_by_id(btf_id)};
  char name[64] = {};
  bpf_btf_info info{};
  info.name = reinterpret_cast<std::uintptr_t>(name);
  info.name_len = sizeof(name);
  std::uint32_t size = sizeof(info);
  return types && bpf_obj_get_info_by_fd(types.get(), &info, &size) == 0 &&
         std::string_view{name} == "vmlinux";
}

} // namespace

void free_btf(btf *types) noexcept { btf__free(types); }

MapTypeWords::MapTypeWords() { keep_libbpf_words(); }
MapTypeWords::~MapTypeWords() = default;

std::string MapTypeWords::of(std::uint32_t btf_id, std::uint32_t type_id) {
  if (btf_id == 0 || type_id == 0)
    return {};
  auto [known, is_new] = words_.try_emplace(std::uint64_t{btf_id} << 32 | type_id);
  if (!is_new)
    return known->second;
  if (last_id_ != btf_id) {
    last_.reset(btf__load_from_kernel_by_id(btf_id));
    last_id_ = btf_id;
  }
  return known->second = declaration(last_.get(), type_id);
}

const btf *MapTypeWords::kernel_types() {
  if (!kernel_)
    kernel_.reset(btf__load_vmlinux_btf());
  return kernel_.get();
}

std::string MapTypeWords::of_kernel(std::uint32_t module_btf_id, std::uint32_t type_id) {
  if (type_id == 0 || kernel_types() == nullptr)
    return {};
  if (module_btf_id == 0 || is_vmlinux(module_btf_id))
    return declaration(kernel_.get(), type_id);
  // The module's types build on the kernel's.
  const BtfOwner module{btf__load_from_kernel_by_id_split(module_btf_id, kernel_.get())};
  return declaration(module.get(), type_id);
}

} // namespace mapscope
