// Seeds that are written down here whole; see make_seeds.cpp.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <bpf/btf.h>
#include <elf.h>

#include "alert/notice.h"
#include "base/handle.h"
#include "bpf/contract/events.h"
#include "fuzz/seed_files.h"
#include "unit/serve/fake_daemon.h"

namespace mapscope {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {bytes.begin(), bytes.end()};
}

void write_text(const std::filesystem::path &path, std::string_view text) {
  write_seed(path, std::as_bytes(std::span{text}));
}

// As process_files_fuzz.cpp takes them apart.
void write_process_files(const std::filesystem::path &corpus) {
  constexpr std::string_view kPod =
      "0::/kubepods.slice/kubepods-burstable.slice/"
      "kubepods-burstable-pod0f2c6d1a_0b1c_4d2e_8f3a_112233445566.slice/cri-containerd-"
      "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff.scope\n"
      "4:cpu,memory:/system.slice/my\\x2dapp.service (deleted)\n";
  constexpr std::string_view kAuxv{"\x09\0\0\0\0\0\0\0\x00\x10\x40\0\0\0\0\0", 16};
  constexpr std::array<std::pair<const char *, std::string_view>, 9> kFiles{{
      {"stat", "17 (a) b) S 1 17 17 0 -1 4194304 90 0 0 0 1 2 0 0 20 0 5 0 4711 1000 200 "
               "18446744073709551615 1 1 140720000000000 0 0 0\n"},
      {"maps", "00400000-00500000 r-xp 00001000 08:01 99                   /srv/program\n"
               "c000000000-c004000000 rw-p 00000000 00:00 0 \n"
               "7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0          [stack]\n"},
      {"cgroup", kPod},
      {"auxv", kAuxv},
      {"cmdline", {"/srv/program\0--name\0\xff\x1b[31m\0", 27}},
      {"limits",
       {"0::/a/b\0"
        "1048576\ninactive_file 4096\n",
        35}},
      {"mountinfo", "36 35 0:27 / /sys/fs/bpf rw,nosuid - bpf bpf rw,mode=700\n"
                    "37 35 0:28 / /mnt/far\\040away rw shared:1 - nfs4 host:/ rw\n"},
      {"kallsyms", "ffffffff81000000 T __bpf_call_base\nffffffff81001000 t htab_map_lookup_elem\n"
                   "ffffffff81002000 t __htab_map_lookup_elem\t[module]\n"},
      {"fdinfo", "pos:\t0\nmap_type:\t1\nmemlock:\t4096\nmap_id:\t17\nfrozen:\t0\n"},
  }};
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    std::vector<std::byte> seed{static_cast<std::byte>(i)};
    const auto text = bytes_of(kFiles[i].second);
    seed.insert(seed.end(), text.begin(), text.end());
    write_seed(corpus / kFiles[i].first, seed);
  }
}

void write_alerts(const std::filesystem::path &corpus) {
  AlertNotice notice{.alert = made_up_alert()};
  notice.labels = alert_labels(notice.alert.finding, "a-host", {{"team", "storage"}});
  write_text(corpus / "of_a_process", stored_text(notice));
  notice.alert = made_up_alert("bpf-map-full", 1'700'000'100'000'000'000);
  notice.alert.finding.is_firing = false;
  notice.alert.finding.resolution = "It is empty.";
  notice.alert.finding.bpf_map = FindingBpfMap{.id = 17, .name = "flows", .method = "counted"};
  write_text(corpus / "of_a_bpf_map", stored_text(notice));
}

void write_answers(const std::filesystem::path &corpus) {
  write_text(corpus / "document",
             "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  write_text(corpus / "error", "HTTP/1.1 404 Not Found\r\nContent-Length: 26\r\n\r\n"
                               "{\"error\":\"no such process\"}");
}

// Functions as the compiler begins and ends them; the first byte is the machine.
void write_code(const std::filesystem::path &corpus) {
  // cmp 0x10(%r14),%rsp; jbe; push %rbp; mov %rsp,%rbp; lea 0x100(%rip),%rax; call; pop %rbp; ret;
  // call morestack; jmp to the entry.
  constexpr std::string_view kAmd64{
      "\0\x49\x3b\x66\x10\x76\x12\x55\x48\x89\xe5\x48\x8d\x05\x00\x01"
      "\x00\x00\xe8\x10\x00\x00\x00\x5d\xc3\xe8\x20\x00\x00\x00\xeb\xe0",
      32};
  // ldr x16,[x28,#16]; cmp sp,x16; b.ls; str x30,[sp,#-32]!; adrp x0; add x0,x0,#64; bl; ret; b.
  constexpr std::array<std::uint32_t, 10> kArm64{0xf9400b90, 0xeb3063ff, 0x540000e9, 0xf81e0ffe,
                                                 0x90000000, 0x91010000, 0x94000010, 0xf84207fe,
                                                 0xd65f03c0, 0x17fffff7};
  write_text(corpus / "amd64", kAmd64);
  std::vector<std::byte> seed{std::byte{1}};
  const auto words = std::as_bytes(std::span{kArm64});
  seed.insert(seed.end(), words.begin(), words.end());
  write_seed(corpus / "arm64", seed);
}

// struct key {int id; unsigned flags: 3; char name[4]; enum kind kind; union {...}; *next}
bool write_map_data(const std::filesystem::path &path) {
  const Handle<btf, btf__free> types{btf__new_empty()};
  const int number = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  const int letter = btf__add_int(types.get(), "char", 1, BTF_INT_CHAR);
  const int name = btf__add_array(types.get(), number, letter, 4);
  const int kind = btf__add_enum(types.get(), "kind", 4);
  btf__add_enum_value(types.get(), "FIRST", 1);
  const int alias = btf__add_typedef(types.get(), "id_t", number);
  const int both = btf__add_union(types.get(), nullptr, 4);
  btf__add_field(types.get(), "number", alias, 0, 0);
  btf__add_field(types.get(), "letters", name, 0, 0);
  const int pointer = btf__add_ptr(types.get(), both);
  btf__add_struct(types.get(), "key", 32);
  btf__add_field(types.get(), "id", alias, 0, 0);
  btf__add_field(types.get(), "flags", number, 32, 3);
  btf__add_field(types.get(), "name", name, 64, 0);
  btf__add_field(types.get(), "kind", kind, 96, 0);
  btf__add_field(types.get(), "both", both, 128, 0);
  btf__add_field(types.get(), "next", pointer, 192, 0);
  std::uint32_t size = 0;
  const auto *raw = static_cast<const std::byte *>(btf__raw_data(types.get(), &size));
  if (raw == nullptr)
    return false;
  std::vector<std::byte> seed{static_cast<std::byte>(size), static_cast<std::byte>(size >> 8)};
  seed.insert(seed.end(), raw, raw + size);
  for (std::uint8_t byte = 0; byte < 32; ++byte)
    seed.push_back(std::byte{byte});
  write_seed(path, seed);
  return true;
}

// A record of each kind for decode_fuzz.cpp, and all of them as attribute_fuzz.cpp takes them
// apart.
void write_records(const std::filesystem::path &decoded, const std::filesystem::path &attributed) {
  constexpr std::array<std::size_t, 13> kSizes{0,
                                               sizeof(process_exec_event),
                                               sizeof(process_exit_event),
                                               sizeof(process_fork_event),
                                               sizeof(image_entry_event),
                                               sizeof(map_operation_event),
                                               sizeof(heap_request_event),
                                               sizeof(system_call_event),
                                               sizeof(system_call_detail_event),
                                               sizeof(system_call_result_event),
                                               sizeof(io_uring_submit_event),
                                               sizeof(stack_event),
                                               sizeof(map_misuse_event)};
  std::vector<std::byte> all{std::byte{0x09}};
  for (std::size_t kind = 1; kind < kSizes.size(); ++kind) {
    std::vector<std::byte> record(kSizes[kind]);
    event_header header{};
    header.kind = static_cast<__u16>(kind);
    header.size_bytes = static_cast<__u16>(record.size());
    std::memcpy(record.data(), &header, sizeof(header));
    write_seed(decoded / std::to_string(kind), record);
    all.push_back(static_cast<std::byte>(kind));
    all.insert(all.end(), record.begin(), record.end());
  }
  write_seed(attributed / "one_of_each", all);
}

// One that changes nothing: for the rest, the fuzzer finds words itself.
void write_edits(const std::filesystem::path &corpus) {
  const std::vector<std::byte> edits(4 + 4 * 12);
  for (const char *target : {"goroutines_fuzz", "sites_fuzz", "classic_fuzz"})
    write_seed(corpus / target / "unchanged", edits);
}

} // namespace

bool write_small_seeds(const std::filesystem::path &corpus) {
  write_process_files(corpus / "process_files_fuzz");
  write_alerts(corpus / "notice_fuzz");
  write_answers(corpus / "answer_fuzz");
  write_code(corpus / "instructions_fuzz");
  write_records(corpus / "decode_fuzz", corpus / "attribute_fuzz");
  write_edits(corpus);
  return write_map_data(corpus / "map_data_fuzz/key");
}

} // namespace mapscope
