// The table of the kernel's maps, and one of them in words.
#include "report/bpf_maps_text.h"

#include <gtest/gtest.h>

#include "report/bpf_maps_words.h"
#include "unit/report/bpf_maps_fixture.h"

namespace mapscope {
namespace {

void expect_in(const std::string &text, std::string_view part) {
  EXPECT_NE(text.find(part), text.npos) << part << "\nis not in:\n" << text;
}

TEST(BpfMapsTextTest, ATableOfMaps) {
  const std::string text = bpf_maps_text(bpf_report(), false);
  expect_in(text, "BPF maps     5 maps, 6.00 MiB without 2 whose memory is not known\n"
                  "             1 of these is mapscope's own, 4.00 KiB\n"
                  "entries      of 3 counted by the kernel (c), of 2 not known (?)\n"
                  "read at      2023-11-14T22:13:20Z, with 1.50 ms of CPU time\n"
                  "not seen     1 map that went away meanwhile\n");
  expect_in(text, "note         runs of programs are not counted: refused\n");
  expect_in(text, "            ENTRIES/MAX   FILL             MEMORY      ID  TYPE\n"
                  "          51,200/65,536 c  78% ######..  5.00 MiB      42  lru_hash\n"
                  "  flow_table  flowd.service, 1 program, pinned at /sys/fs/bpf/flow_table\n"
                  "    lookups ~1,310/s (810 to 2,310), updates ~40/s (10 or more), deletes not\n"
                  "      known\n"
                  "    +2.0 entries/s; full in about 2 h 0 min (1 h 0 min to 3 h 0 min)\n"
                  "  -> be careful\n"
                  "       2.56 KiB/256 KiB c  <1% #.......         -       7  ringbuf\n"
                  "  events\n"
                  "                   -/16 ?    -                  -       9  queue\n"
                  "  bad?[2J  mapscope's own, a queue has no keys to go through\n"
                  "1 more; --top N shows more, --top 0 all of them\n");
}

TEST(BpfMapsTextTest, NoLineIsWiderThanATerminal) {
  const std::string text = bpf_maps_text(bpf_report(), false);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, 80u) << text.substr(at, end - at);
    at = end + 1;
  }
}

TEST(BpfMapsTextTest, NothingIsShownOfNothing) {
  BpfMapsReport report;
  expect_in(bpf_maps_text(report, false), "0 maps");
  report.totals.maps = 3;
  expect_in(bpf_maps_text(report, false), "no map is as --type, --name and --own want it");
}

TEST(BpfMapsTextTest, ColourOnlyWhereItIsSeen) {
  EXPECT_EQ(bpf_maps_text(bpf_report(), false).find('\x1b'), std::string::npos);
  EXPECT_NE(bpf_maps_text(bpf_report(), true).find('\x1b'), std::string::npos);
}

TEST(BpfMapsTextTest, OneMapInWords) {
  BpfMapsReport report = bpf_report();
  report.rows.resize(1);
  report.rows[0].map.keys = BpfKeyDistribution{.of = "lookups through bpf(2)",
                                               .sampled = 100,
                                               .distinct = 2,
                                               .top = {{.key = "{.port = 80}", .count = 97}},
                                               .prefixes = {{.key = "0a 00 ...", .count = 100}},
                                               .entropy_bits = 0.2};
  const std::string text = bpf_map_explanation_text(report, false);
  expect_in(text, "map 42 flow_table, lru_hash\n"
                  "key          16 bytes, struct flow_key\n"
                  "value        64 bytes, struct flow\n");
  expect_in(text, "flags        0x2; BPF_F_NO_COMMON_LRU: each CPU has a list");
  expect_in(text, "entries      51,200/65,536 (78.1 %)\n"
                  "             counted by the kernel itself: its counter of elements\n");
  expect_in(text, "memory       5.00 MiB: what it holds now, as the kernel accounts for it\n");
  expect_in(text, "made         before 2023-11-14T22:13:20Z: program 12 was loaded\n");
  expect_in(text, "programs     12 count_flows, xdp\n");
  expect_in(text, "held by      pid 815 /usr/bin/flowd\n");
  expect_in(text, "  lookups    310/s by system calls (counted); ~1,000/s (500 to 2,000) by");
  expect_in(text, "  failed     2 E2BIG;");
  expect_in(text, " 97% {.port = 80}\n");
  expect_in(text, "100% begin with 0a 00 ...\n");
  expect_in(text, "->           be careful\n");
}

TEST(BpfMapsTextTest, RatesNeverSayMoreThanIsKnown) {
  EXPECT_EQ(rate_text(BpfRate{.exact = 2.5}), "2.5/s");
  EXPECT_EQ(rate_text(BpfRate{}), "not known");
  EXPECT_EQ(rate_text(BpfRate{.lower = 900}), "at least 900/s");
  EXPECT_EQ(rate_text(BpfRate{.estimate = 10, .lower = 10, .upper = 10}), "10/s");
  EXPECT_EQ(rate_text(sum_of(BpfRate{.exact = 100}, BpfRate{})), "at least 100/s");
  EXPECT_EQ(frequency_text(0.04), "0.04");
  EXPECT_EQ(frequency_text(-1234), "-1,234");
}

TEST(BpfMapsTextTest, TimesToFullSayHowSureTheyAre) {
  EXPECT_EQ(fullness_time_text({}), "");
  EXPECT_EQ(fullness_time_text({.seconds = 0}), "now");
  EXPECT_EQ(fullness_time_text({.seconds = 90, .lower = 60}),
            "in about 1 min 30 s (1 min 0 s or later, perhaps never)");
  EXPECT_EQ(fullness_time_text({.seconds = 864'000}), "in about 10 days");
}

} // namespace
} // namespace mapscope
