// Writes the seed corpora of the fuzz targets: make_seeds tests/fuzz/corpus
#include <sys/mman.h>

#include <filesystem>
#include <span>
#include <string>

#include "binary/go_binary.h"
#include "binary/read_facts.h"
#include "fuzz/seed_files.h"
#include "kernel/bpf_maps/call_sites.h"
#include "recording/recording_writer.h"
#include "support/bpf_code.h"
#include "support/snapshot_items.h"
#include "support/synthetic_core.h"
#include "support/synthetic_dwarf.h"
#include "support/synthetic_go.h"
#include "support/synthetic_run.h"
#include "support/synthetic_types.h"
#include "wire/chunk_reader.h"
#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/source_json.h"

using namespace mapscope;
using mapscope::testing::BpfCode;

namespace {

void write_message(const std::filesystem::path &path, const nlohmann::json &message) {
  const auto bytes = nlohmann::json::to_msgpack(message);
  write_seed(path, std::as_bytes(std::span{bytes}));
}

// A whole recording, and the items and words of its chunks behind the number of the latter, as
// recording_fuzz.cpp takes them apart. Words of more than one chunk would not fit their records.
bool write_recording(const std::filesystem::path &corpus) {
  const int memory = ::memfd_create("recording", MFD_CLOEXEC);
  Fd file{::dup(memory)};
  auto writer = RecordingWriter::create(Fd{memory}, "seed");
  RunLog log;
  BothObservers both{log, **writer};
  tell_synthetic_run(both, (*writer)->listen(std::make_shared<SyntheticNames>()));
  if (!(*writer)->close())
    return false;
  auto source = ByteSource::open(std::move(file));
  write_seed(corpus / "recording", *source->read(0, source->size_bytes()));
  auto chunks = ChunkReader::open(std::move(*source), kRecordingKind);
  Bytes items(2), words;
  for (auto step = chunks->next(); step->items; step = chunks->next()) {
    items.insert(items.end(), step->items->begin(), step->items->end());
    words.insert(words.end(), step->words.begin(), step->words.end());
  }
  items[0] = static_cast<std::byte>(words.size());
  items[1] = static_cast<std::byte>(words.size() >> 8);
  items.insert(items.end(), words.begin(), words.end());
  write_seed(corpus / "items", items);
  return true;
}

// As types_fuzz.cpp takes it apart: the release, the types, a key.
void write_types(const std::filesystem::path &path, std::uint8_t release,
                 testing::SyntheticTypes::Shape shape) {
  const auto types = testing::synthetic_map_types(shape).bytes();
  std::vector<std::byte> seed{std::byte{release}};
  seed.insert(seed.end(), types.begin(), types.end());
  seed.resize(seed.size() + 64, std::byte{0x11});
  write_seed(path, seed);
}

void write_core_file(const std::filesystem::path &path) {
  constexpr std::uint64_t kPage = SyntheticCore::kPage;
  const Bytes executable = SyntheticCore::executable(2);
  SyntheticCore core;
  core.segments = {{0x400000, kPage, PF_R | PF_X, {}},
                   {0x401000, kPage, PF_R | PF_W, Bytes(100)},
                   {0xc000000000, 2 * kPage, PF_R | PF_W, Bytes(200)}};
  core.files = {{0x400000, kPage, 0, "/srv/program"}, {0x401000, kPage, 1, "/srv/program"}};
  core.entry = 0x400100;
  Bytes seed{static_cast<std::byte>(executable.size()),
             static_cast<std::byte>(executable.size() >> 8)};
  for (const Bytes &part : {core.make(), executable})
    seed.insert(seed.end(), part.begin(), part.end());
  write_seed(path, seed);
}

// As roots_fuzz.cpp takes it apart.
void write_dwarf(const std::filesystem::path &path) {
  SyntheticDwarf dwarf;
  const Bytes abbreviations = SyntheticDwarf::abbreviations();
  Bytes seed{static_cast<std::byte>(abbreviations.size()),
             static_cast<std::byte>(abbreviations.size() >> 8)};
  for (const Bytes &part : {abbreviations, dwarf.information()})
    seed.insert(seed.end(), part.begin(), part.end());
  write_seed(path, seed);
}

// As snapshot_fuzz.cpp takes them apart.
void write_snapshots(const std::filesystem::path &corpus) {
  const Bytes memory(0x40, std::byte{7});
  Bytes items, body;
  FieldWriter{body}(std::int64_t{0xc000000000}, 0x30U, 16, 0x10U);
  append_item(items, SnapshotItem::reads, body);
  body.clear();
  FieldWriter{body}(std::vector<Mapping>{
      {.start = {0x400000}, .size_bytes = 4096, .is_readable = true, .name = "/srv/program"}});
  append_item(items, SnapshotItem::mappings, body);
  for (const bool is_swapped : {false, true}) {
    body.clear();
    FieldWriter{body}(
        ResidencyAnswer{.page_bytes = 4096,
                        .ranges = {{{0xc000000000}, 0x4000}},
                        .runs = {{.range = {{0xc000001000}, 0x1000}, .is_swapped = is_swapped}}});
    append_item(items, SnapshotItem::residency, body);
  }
  const ElfAddress address{10};
  const SourceFrames frames{{"main.inner", "/src/main.go", 3, true}, {"main.main", "", 0, false}};
  append_item(items, SnapshotItem::frames, frames_to_bytes({&address, 1}, {&frames, 1}));
  const ProgramRoots roots{
      .variables = {{.name = "main.store", .address = {0x600000}, .size_bytes = 8}},
      .masked = {{{{0x600000}, 64}, {0x700000}}},
      .uses = {{.address = {0x600000}, .function = "main.add"}},
      .warnings = {"a sentence"}};
  append_item(items, SnapshotItem::roots, roots_to_bytes(roots));
  write_seed(corpus / "snapshot", snapshot_of(items, memory));
  Bytes seed{static_cast<std::byte>(memory.size()), std::byte{0}};
  for (const Bytes &part : {items, memory})
    seed.insert(seed.end(), part.begin(), part.end());
  write_seed(corpus / "items", seed);
}

// Functions, a callback, a loop, a map that a map holds and a lookup in an array that is inlined.
void write_programs(const std::filesystem::path &corpus) {
  const auto helper = [](BpfHelper which) { return static_cast<std::int32_t>(which); };
  const auto lookup = helper(BpfHelper::lookup);
  BpfCode calls;
  calls.map(BPF_REG_1, 1).store(BPF_DW, BPF_REG_10, -16, BPF_REG_1).call_function(6);
  calls.function(BPF_REG_2, 5).load(BPF_DW, BPF_REG_1, BPF_REG_10, -16);
  calls.call(helper(BpfHelper::for_each)).call(BPF_FUNC_tail_call).exit();
  calls.call(helper(BpfHelper::update)).call(lookup).jump_if(BPF_JNE, BPF_REG_0, 0, -3).exit();
  write_seed(corpus / "functions", calls.bytes());
  BpfCode inner;
  inner.call_on(1, lookup).jump_if(BPF_JEQ, BPF_REG_0, 0, 8);
  inner.load(BPF_DW, BPF_REG_1, BPF_REG_0, 0).add(BPF_REG_1, 312);
  inner.load(BPF_W, BPF_REG_0, BPF_REG_2, 0).jump_if(BPF_JGE, BPF_REG_0, 4, 3);
  inner.raw(BPF_ALU64 | BPF_LSH | BPF_K, BPF_REG_0, 0, 0, 3);
  inner.raw(BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0).jump(1).set(BPF_REG_0, 0);
  write_seed(corpus / "inner_map", inner.exit().bytes());
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 2)
    return 2;
  const std::filesystem::path corpus{argv[1]};
  SyntheticGo program;
  const auto file = program.make();
  const std::span<const std::byte> bytes{file};
  write_seed(corpus / "go_binary_fuzz/tiny", bytes);
  write_seed(corpus / "go_look_fuzz/tiny", bytes);
  write_seed(corpus / "build_info_fuzz/inline",
             bytes.subspan(program.build_info_offset() + 14, 18 + program.version.size() + 1));
  write_seed(corpus / "pclntab_fuzz/two_functions",
             bytes.subspan(program.pclntab_offset(), program.pclntab_bytes()));
  Bytes module{std::byte{0}};
  module.insert(module.end(),
                file.begin() + static_cast<std::ptrdiff_t>(program.module_data_offset()),
                file.begin() + static_cast<std::ptrdiff_t>(program.module_data_offset() + 592));
  write_seed(corpus / "module_data_fuzz/go1.26", module);
  program.has_sections = false;
  write_seed(corpus / "go_binary_fuzz/without_sections", program.make());
  write_seed(corpus / "go_look_fuzz/without_sections", program.make());

  const auto binary = GoBinary::open(file, "/srv/tiny");
  auto facts = binary ? read_facts(*binary) : std::unexpected(binary.error());
  if (!facts)
    return 1;
  facts->layout.offsets = {{"runtime.g.goid", 152}, {"runtime.m.curg", 184}}; // 1500 are no seed
  write_message(corpus / "wire_fuzz/facts", facts_to_json(*facts));
  const ElfAddress inlined{program.text().value + 20};
  write_message(corpus / "wire_fuzz/frames", frames_to_json(binary->symbolize({&inlined, 1})));
  const std::optional<MapType> types[] = {
      MapType{.name = "map[string]int", .key_bytes = 16, .element_bytes = 8, .group_bytes = 200},
      std::nullopt};
  write_message(corpus / "wire_fuzz/map_types", map_types_to_json(types));
  write_message(corpus / "wire_fuzz/error", error_to_json({Errc::malformed, "a sentence"}));
  using Shape = testing::SyntheticTypes::Shape;
  write_types(corpus / "types_fuzz/pairs", 4, Shape::pairs);
  write_types(corpus / "types_fuzz/strides", 6, Shape::strides);
  write_types(corpus / "types_fuzz/buckets", 1, Shape::buckets);
  write_dwarf(corpus / "roots_fuzz/dwarf");
  write_core_file(corpus / "core_file_fuzz/core");
  write_snapshots(corpus / "snapshot_fuzz");
  write_programs(corpus / "call_sites_fuzz");
  return write_small_seeds(corpus) && write_recording(corpus / "recording_fuzz") ? 0 : 1;
}
