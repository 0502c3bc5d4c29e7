// A report of a process with a few maps, written by hand.
#pragma once

#include "report/maps_report.h"

namespace mapscope {

inline JudgedMap emptied_map() {
  JudgedMap judged;
  judged.map.address = {0xc000010000};
  judged.map.seed = 0x1234567890abcdef;
  judged.map.len = 10;
  judged.map.slots = 131'072;
  judged.map.tombstones = 5;
  judged.map.group_bytes = 136;
  judged.map.evidence = MapEvidence::proved;
  judged.map.history = {.has_deletions = true, .has_grown = true};
  judged.map.bytes = {
      .header = 48, .directory = 5120, .control = 131'072, .cells = 2'097'152, .rounding = 131'072};
  judged.map.resident_bytes = 2'000'000;
  judged.certainty = TypeCertainty::exact;
  judged.type = "map[int]int";
  judged.by_cause = {.entries = 160,
                     .padding = 0,
                     .empty = 2'096'912,
                     .tombstones = 80,
                     .control = 131'072,
                     .directory = 5120,
                     .header = 48,
                     .size_class = 131'072};
  judged.rebuilt_bytes = 376;
  judged.reclaimable_bytes = 2'364'088;
  judged.cause = MapCause::emptied;
  judged.explanation =
      "Entries were deleted: 131,072 slots stay for 10 entries, since a Go map never shrinks";
  judged.advice = "after emptying it: m2 := make(map[int]int, 10); maps.Copy(m2, m); m = m2 frees "
                  "2.25 MiB";
  return judged;
}

inline JudgedMap map_of_several_types() {
  JudgedMap judged;
  judged.map.address = {0xc000020000};
  judged.map.len = 7;
  judged.map.slots = 8;
  judged.map.evidence = MapEvidence::consistent;
  judged.map.bytes = {.header = 48, .control = 8, .cells = 136};
  judged.map.resident_bytes = 192;
  judged.certainty = TypeCertainty::candidate;
  judged.candidate_count = 3;
  judged.candidates = {"map[int]int", "map[int]uint", "map[uint]int"};
  judged.by_cause = {.empty = 136, .control = 8, .header = 48};
  return judged;
}

inline JudgedMap map_of_no_known_type() {
  JudgedMap judged;
  judged.map.address = {0x7f00deadbee0};
  judged.map.is_on_stack = true;
  judged.map.evidence = MapEvidence::referenced;
  judged.by_cause.entries = judged.by_cause.padding = 0;
  judged.rebuilt_bytes = judged.reclaimable_bytes = 0;
  return judged;
}

inline SourceFrame frame_of(std::string function, std::uint32_t line) {
  return {.function = std::move(function), .file = "/src/app/main.go", .line = line};
}

inline MapOwner owner_of_entries() {
  return {.reach = Reach::reachable,
          .root_class = OwnerClass::variable,
          .root = "main.store",
          .path = "main.store → *Cache.shards[].entries",
          .holder = "main.store.shards[].entries"};
}

inline MapsReport maps_report() {
  MapsReport report;
  report.pid = 4711;
  report.exe = "/srv/app";
  report.go_version = "go1.26.8";
  report.implementation = MapImplementation::swiss;
  report.source = "process 4711";
  report.wall_time_ns = 1'795'285'510'000'000'000;
  report.heap = {.live_bytes = 4 << 20,
                 .allocated_bytes = 5 << 20,
                 .in_use_bytes = 6 << 20,
                 .idle_bytes = 9 << 20,
                 .released_bytes = 1 << 20,
                 .goal_bytes = 8 << 20,
                 .gc_cycles = 12,
                 .objects_allocated = 1'234'567,
                 .objects_freed = 1'000'000};
  report.heap.size_classes = {
      {.object_bytes = 48,
       .has_pointers = true,
       .span_count = 2,
       .span_bytes = 16'384,
       .object_count = 100,
       .free_bytes = 11'424,
       .tail_bytes = 160},
      {.object_bytes = 18'432, .span_count = 64, .span_bytes = 2'359'296, .object_count = 128},
      {.span_count = 3, .span_bytes = 300'000, .object_count = 3, .tail_bytes = 100}};
  report.counts = {.candidate_count = 20,
                   .map_count = 5,
                   .copy_count = 1,
                   .rejected_count = 10,
                   .unsettled_count = 3,
                   .gone_count = 1};
  report.totals = {.maps = 3,
                   .entries = 17,
                   .slots = 131'080,
                   .bytes = 2'364'656,
                   .reclaimable_bytes = 2'364'088,
                   .reclaimable_unknown = 1,
                   .resident_bytes = 2'000'192,
                   .swapped_bytes = 0,
                   .exact_types = 1,
                   .candidate_types = 1,
                   .unknown_types = 1,
                   .proved = 1,
                   .referenced = 1,
                   .consistent = 1};
  report.plausible = 2;
  report.plausible_bytes = 96;
  report.maps = {emptied_map(), map_of_several_types(), map_of_no_known_type()};
  report.selected = 5;
  report.remarks = {"The layout of go1.26.8 is that of go1.26.11, the nearest one known."};
  return report;
}

// The same after a look for owners and sites.
inline MapsReport maps_report_with_owners() {
  MapsReport report = maps_report();
  report.owners = {.was_made = true,
                   .is_complete = true,
                   .objects_typed = 990,
                   .objects_untyped = 10,
                   .bytes_read = 5 << 20,
                   .maps_reached = 2,
                   .maps_unreachable = 1,
                   .maps_changed = 4,
                   .goroutines_left_out = 1,
                   .cpu_ms = 12};
  report.sites = {.was_read = true,
                  .rate_bytes = 512 << 10,
                  .is_rate_known = true,
                  .sampled_objects = 6,
                  .sampled_maps = 1};
  report.reachable = {.maps = 2, .entries = 10, .bytes = 2'364'464};
  report.unreachable = {.maps = 1, .entries = 7, .bytes = 192};
  report.maps[0].owner = owner_of_entries();
  report.maps[0].site = {
      .shares = {{.frame = frame_of("main.fill", 41), .kind = SiteKind::grew, .samples = 3}}};
  report.maps[0].written_at = {{.frame = frame_of("main.put", 52), .samples = 900},
                               {.frame = frame_of("main.fill", 41), .samples = 100}};
  report.maps[1].owner.reach = Reach::unreachable;
  report.maps[1].site = {
      .shares = {{.frame = frame_of("main.fill", 41), .kind = SiteKind::grew, .samples = 3},
                 {.frame = frame_of("main.main", 9), .kind = SiteKind::grew, .samples = 1},
                 {.frame = frame_of("main.load", 60), .samples = 1}},
      .is_of_pattern = true};
  report.maps[2].owner = {.reach = Reach::reachable,
                          .root_class = OwnerClass::goroutine,
                          .root = "main.worker",
                          .path = "main.worker"};
  report.site_uses = {{.frame = frame_of("main.fill", 41),
                       .stack = {frame_of("main.fill", 41), frame_of("main.main", 9)},
                       .in_use_bytes = 1000,
                       .in_use_objects = 2,
                       .allocated_bytes = 5000,
                       .allocated_objects = 10,
                       .samples = 1}};
  return report;
}

inline MapTypeLayout emptied_layout() {
  MapTypeLayout layout;
  layout.descriptor = {0x500000};
  layout.type = {
      .name = "map[int]main.Point", .key_bytes = 8, .element_bytes = 24, .group_bytes = 264};
  layout.key = {.name = "int", .kind = 2, .size_bytes = 8, .alignment = 8};
  layout.element = {
      .name = "main.Point",
      .kind = 25,
      .size_bytes = 24,
      .alignment = 8,
      .padding_bytes = 14,
      .fields = {{"seen", "bool", 0, 1, 1}, {"id", "int64", 8, 8, 8}, {"dirty", "bool", 16, 1, 1}}};
  layout.keys_offset = 8;
  layout.elements_offset = 16;
  layout.key_stride = layout.element_stride = 32;
  return layout;
}

// `layout` outlives what is returned.
inline MapExplanation map_explanation(const MapTypeLayout &layout) {
  MapExplanation explanation{.map = emptied_map(), .type = &layout};
  MapAnatomy &anatomy = explanation.anatomy;
  anatomy.map = explanation.map.map;
  anatomy.global_depth = 7;
  anatomy.object_count = 258;
  anatomy.span_count = 66;
  anatomy.objects = {{.part = MapPart::header,
                      .address = {0xc000010000},
                      .bytes = 48,
                      .asked_bytes = 48,
                      .slot_bytes = 48,
                      .span = {0xc000010000},
                      .span_bytes = 8192,
                      .has_pointers = true},
                     {.part = MapPart::directory,
                      .address = {0xc000030000},
                      .bytes = 1024,
                      .asked_bytes = 1024,
                      .slot_bytes = 1024,
                      .span = {0xc000030000},
                      .span_bytes = 8192,
                      .has_pointers = true},
                     {.part = MapPart::groups,
                      .address = {0xc000100000},
                      .count = 128,
                      .bytes = 2'359'296,
                      .asked_bytes = 2'228'224,
                      .slot_bytes = 18'432,
                      .span = {0xc000100000},
                      .span_bytes = 73'728}};
  anatomy.table_count = 128;
  for (std::uint64_t i = 0; i < 20; ++i)
    anatomy.tables.push_back({.address = {0xc000040000 + 32 * i},
                              .groups = {0xc000100000 + 18'432 * i},
                              .index = i,
                              .slots = 1024,
                              .used = i % 3,
                              .tombstones = 1,
                              .growth_left = 895 - i % 3,
                              .local_depth = 7});
  anatomy.fill = {16'374, 10};
  anatomy.heap_pages = 300;
  anatomy.kernel_page_bytes = 4096;
  anatomy.kernel_pages = 600;
  anatomy.resident_pages = 590;
  anatomy.swapped_pages = 0;
  anatomy.payload = PayloadEstimate{
      .entry_count = 10, .sampled_count = 8, .bytes = 1600, .error_bytes = 120, .unread_count = 1};
  return explanation;
}

} // namespace mapscope
