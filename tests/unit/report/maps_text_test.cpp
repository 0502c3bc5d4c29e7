// What `maps` prints for people.
#include "report/maps_text.h"

#include <cstdlib>
#include <sstream>

#include <gtest/gtest.h>

#include "base/printable.h"
#include "report/maps_words.h"
#include "unit/report/maps_fixture.h"

namespace mapscope {
namespace {

std::size_t columns_of(std::string_view line) {
  std::size_t columns = 0;
  while (!line.empty()) {
    line.remove_prefix(std::max<std::size_t>(1, utf8_length(line)));
    ++columns;
  }
  return columns;
}

void expect_fits(const std::string &text) {
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(columns_of(line), 80U) << line;
    EXPECT_FALSE(line.ends_with(' ')) << '"' << line << '"';
  }
}

TEST(MapsTextTest, TellsTheProcessThenEachMapThenTheHeap) {
  std::string text = maps_text(maps_report(), false);
  expect_fits(text);
  EXPECT_EQ(text, R"(/srv/app (pid 4711), go1.26.8, swiss maps
read at      2026-11-21T18:25:10Z
heap         4.00 MiB live, 6.00 MiB in use, 9.00 MiB idle (1.00 MiB given back)
gc           12 cycles, goal 8.00 MiB, 1,234,567 objects allocated, 1,000,000 of
             them freed
maps         3 maps, 17 entries in 131,080 slots (<1% full)
             2.26 MiB (45% of the heap's objects), 1.91 MiB resident
reclaimable  2.25 MiB (99%), if every map were rebuilt for the entries it has;
             not known of 1 map
types        1 known exactly, 1 one of several, 1 unknown
evidence     1 proved, 1 referenced, 1 consistent
apart        2 headers without contents that nothing contradicts (96 B): maps
             never written to, or chance; in no number above
not seen     3 maps changed faster than could be read: not among these
not seen     1 map freed while the heap was read
not seen     1 header copied from other maps bit by bit: counted once
not seen     maps whose headers lie on stacks of goroutines
note         The layout of go1.26.8 is that of go1.26.11, the nearest one known.

RECLAIMABLE    BYTES RESIDENT            LEN/SLOTS FILL           CAUSE
   2.25 MiB 2.25 MiB 1.91 MiB           10/131,072  <1% #.......  emptied
  0xc000010000  map[int]int
  -> after emptying it: m2 := make(map[int]int, 10); maps.Copy(m2, m); m = m2
     frees 2.25 MiB
          -    192 B    192 B                  7/8  88% #######.
  0xc000020000  map[int]int or map[int]uint or map[uint]int
        0 B      0 B      0 B                  0/0    - ........
  0x7f00deadbee0 (stack)  unknown
2 more; --top N shows more, --top 0 all of them

heap space without objects, by size class: 11.4 KiB in all
   OBJECT   POINTERS      OBJECTS     SPANS      FREE     TAILS  EMPTY
     48 B        yes          100         2  11.2 KiB     160 B    71%
    large         no            3         3       0 B     100 B    <1%

owners       not looked for; --owners tells who holds each map
)");
}

TEST(MapsTextTest, GroupsByType) {
  MapsReport report = maps_report();
  report.groups = {
      {.type = "map[int]int", .certainty = TypeCertainty::exact, .totals = report.totals},
      {.type = "map[string]*labels.Labels",
       .certainty = TypeCertainty::exact,
       .totals = report.totals},
      {.totals = report.totals}};
  std::string text = maps_text(report, false);
  expect_fits(text);
  EXPECT_NE(text.find(R"(
RECLAIMABLE    BYTES RESIDENT     MAPS     ENTRIES FILL        TYPE
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #..... map[int]int
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #.....
  map[string]*labels.Labels
  2.25 MiB+ 2.26 MiB 1.91 MiB        3          17  <1% #..... unknown
)"),
            std::string::npos)
      << text;
}

TEST(MapsTextTest, SaysThatTheFiltersLetNothingThrough) {
  MapsReport report = maps_report();
  report.maps.clear();
  report.selected = 0;
  EXPECT_NE(maps_text(report, false)
                .find("\nno map is as --type, --owner, --site and --min-bytes want it\n"),
            std::string::npos);
}

TEST(MapsTextTest, ExplainsOneMap) {
  MapTypeLayout layout = emptied_layout();
  std::string text = map_explanation_text(maps_report(), map_explanation(layout), false);
  expect_fits(text);
  for (std::string_view part : {
           R"(map[int]int at 0xc000010000
process      /srv/app (pid 4711), go1.26.8, swiss maps
)",
           R"(bytes        2.25 MiB; made anew for its entries 376 B: 2.25 MiB would be free
cause        emptied
             Entries were deleted: 131,072 slots stay for 10 entries, since a Go
             map never shrinks
advice       after emptying it: m2 := make(map[int]int, 10); maps.Copy(m2, m);
             m = m2 frees 2.25 MiB
evidence     proved: its keys hash to where they lie
history      has grown, entries were deleted
)",
           R"(bytes by cause
  entries               160   <1%  #.............................
  empty           2,096,912   89%  ###########################...
  tombstones             80   <1%  #.............................
  control           131,072    6%  ##............................
  directory           5,120   <1%  #.............................
  header                 48   <1%  #.............................
  size class        131,072    6%  ##............................
  all             2,364,464
)",
           R"(
element      main.Point, 24 bytes, 14 of them padding
               0  seen                 bool                         1  + 7
               8  id                   int64                        8
              16  dirty                bool                         1  + 7
)",
           "       15     1,024         0           1          895      7  0xc0000401e0\n"
           "  and 112 more\n",
           R"(fill of 16,384 groups
  0 of 8           16,374   99%  ##############################
  1 of 8               10   <1%  #.............................
  2 of 8                0    0%
)",
           R"(258 objects on the heap, in 66 spans
  COUNT    BYTES    ASKED  CLASS     SPAN PTRS      ADDRESS  PART
      1     48 B     48 B     48 8.00 KiB  yes 0xc000010000  header
      1 1.00 KiB 1.00 KiB  1,024 8.00 KiB  yes 0xc000030000  directory
    128 2.25 MiB 2.12 MiB 18,432 72.0 KiB   no 0xc000100000  groups
  and 128 more
)",
           "Go's         300 of 8 KiB\nthe kernel's 600 of 4 KiB, 590 in memory, 0 in swap\n",
           "bytes        about 1.56 KiB, give or take 120 B\nfrom         8 of 10 entries\n"})
    EXPECT_NE(text.find(part), std::string::npos) << "missing:\n" << part << "in:\n" << text;
}

TEST(MapsTextTest, SaysWhereTheBytesOfAnUnknownTypeAre) {
  MapExplanation explanation{.map = map_of_several_types()};
  std::string text = map_explanation_text(maps_report(), explanation, false);
  expect_fits(text);
  EXPECT_NE(text.find("  entries         not known     -  in empty\n"), std::string::npos) << text;
  EXPECT_NE(text.find("candidates   map[int]int, map[int]uint, map[uint]int\n"), std::string::npos);
  EXPECT_NE(text.find("what a rebuild would take is not known"), std::string::npos);
}

TEST(MapsTextTest, ShowsChainsOfClassicBuckets) {
  MapsReport report = maps_report();
  report.implementation = MapImplementation::classic;
  MapExplanation explanation{.map = emptied_map()};
  explanation.anatomy.chain_lengths = {100, 10, 0, 1};
  explanation.anatomy.fill = {1, 0, 0, 0, 0, 0, 0, 0, 121};
  std::string text = map_explanation_text(report, explanation, false);
  EXPECT_NE(text.find("overflow buckets in the chain of a bucket\n"
                      "  0                  100   90%  ##############################\n"
                      "  1                   10    9%  ###...........................\n"
                      "  3 or more            1   <1%  #.............................\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("fill of 122 buckets, those of chains included"), std::string::npos);
}

TEST(MapsTextTest, NamesFromOutsideSteerNoTerminal) {
  MapsReport report = maps_report();
  report.exe = "/tmp/\x1b[2J";
  report.maps[0].type = "map[\x1b]main.T\xff";
  report.remarks = {"\x07"};
  EXPECT_EQ(maps_text(report, false).find_first_of("\x1b\x07\xff"), std::string::npos);
}

TEST(MapsTextTest, BlocksAreForTerminalsThatSpeakUtf8) {
  ::setenv("LC_ALL", "en_US.UTF-8", 1);
  EXPECT_NE(maps_text(maps_report(), true).find("▏"), std::string::npos);
  EXPECT_EQ(maps_text(maps_report(), false).find("▏"), std::string::npos);
  ::setenv("LC_ALL", "C", 1);
  EXPECT_EQ(maps_text(maps_report(), true).find("▏"), std::string::npos);
  ::unsetenv("LC_ALL");
}

TEST(MapsWordsTest, BarsShowWhatIsAboveNothingAndBelowAll) {
  EXPECT_EQ(bar_text(0, 10, 4, false), "....");
  EXPECT_EQ(bar_text(1, 1000, 4, false), "#...");
  EXPECT_EQ(bar_text(999, 1000, 4, false), "###.");
  EXPECT_EQ(bar_text(10, 10, 4, false), "####");
  EXPECT_EQ(bar_text(20, 10, 4, false), "####");
  EXPECT_EQ(bar_text(5, 0, 4, false), "....");
  EXPECT_EQ(bar_text(1, 2, 4, true), "██  ");
  EXPECT_EQ(bar_text(1, 1000, 2, true), "▏ ");
  EXPECT_EQ(bar_text(999, 1000, 2, true), "█▉");
}

TEST(MapsWordsTest, SharesAreNeitherRoundedToNothingNorToAll) {
  EXPECT_EQ(percent_text(0, 10), "0%");
  EXPECT_EQ(percent_text(1, 1000), "<1%");
  EXPECT_EQ(percent_text(1, 2), "50%");
  EXPECT_EQ(percent_text(999, 1000), "99%");
  EXPECT_EQ(percent_text(3, 3), "100%");
  EXPECT_EQ(percent_text(0, 0), "-");
}

TEST(MapsWordsTest, LongTextIsWrappedAtBlanksAndCut) {
  EXPECT_EQ(wrapped("one two three", 0, 2, 8), "one two\n  three");
  EXPECT_EQ(wrapped("at the end m = m2 frees", 0, 0, 16), "at the end\nm = m2 frees");
  EXPECT_EQ(wrapped("then maps.Copy(m2, m); it is done", 0, 0, 20),
            "then\nmaps.Copy(m2, m); it\nis done");
  EXPECT_EQ(wrapped("unbreakable", 0, 2, 4), "unbreakable");
  EXPECT_EQ(wrapped("", 0, 2, 4), "");
  EXPECT_EQ(cut_to("map[string]int", 10), "map[str...");
  EXPECT_EQ(cut_to("map[string]int", 14), "map[string]int");
  EXPECT_EQ(cut_to("ääää", 4), "ääää");
}

} // namespace
} // namespace mapscope
