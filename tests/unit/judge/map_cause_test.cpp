// Causes and advice, in the words that people read.
#include <gtest/gtest.h>

#include "judge/map_judge.h"
#include "judge/struct_order.h"
#include "unit/judge/map_fixture.h"

namespace mapscope {
namespace {

using Types = std::vector<const MapTypeLayout *>;

// One judged map, with what its test says of it.
struct Case {
  BinaryFacts facts = facts_of_go(26);
  MapTypeLayout type = map_of(int_type(), int_type(), false);
  std::uint64_t hint = 100'000, len = 10;
  MapHistory history;
  std::uint64_t tombstones = 0;

  JudgedMap judge() const {
    MapSample map = map_made_for(hint, len, type, facts);
    map.history = history;
    map.tombstones = tombstones;
    return MapJudge{facts}.judge(map, Types{&type});
  }
};

Case classic_case(unsigned minor) {
  return {.facts = facts_of_go(minor), .type = map_of(int_type(), int_type(), true)};
}

TEST(MapCauseTest, AMapMadeForItsEntriesHasNone) {
  for (unsigned minor : {17U, 20U, 22U, 23U, 24U, 27U})
    for (std::uint64_t len : {0U, 1U, 8U, 9U, 100U, 900U, 7000U, 100'000U}) {
      Case healthy{.facts = facts_of_go(minor), .hint = len, .len = len};
      healthy.type = map_of(int_type(), int_type(), minor < 24);
      JudgedMap judged = healthy.judge();
      EXPECT_EQ(judged.cause, MapCause::none)
          << "go1." << minor << " len " << len << ": " << judged.explanation;
      EXPECT_EQ(judged.advice, "");
    }
}

// What its runtime makes of a hint, and keeps, is not known: no number, no cause.
TEST(MapCauseTest, AReleaseThatIsNotKnownHasNone) {
  Case unknown{.history = {.has_deletions = true}};
  ASSERT_NE(unknown.judge().cause, MapCause::none);
  unknown.facts.is_known_release = false;
  const JudgedMap judged = unknown.judge();
  EXPECT_EQ(judged.cause, MapCause::none);
  EXPECT_EQ(judged.advice, "");
  EXPECT_EQ(judged.rebuilt_bytes, std::nullopt);
  EXPECT_EQ(judged.reclaimable_bytes, std::nullopt);
}

TEST(MapCauseTest, DeletedEntriesTellThatItWasEmptied) {
  JudgedMap judged = Case{.history = {.has_deletions = true}}.judge();
  EXPECT_EQ(judged.cause, MapCause::emptied);
  EXPECT_EQ(judged.explanation, "Entries were deleted: 131,072 slots stay for 10 entries, since a "
                                "Go map never shrinks");
  EXPECT_EQ(judged.advice, "after emptying it: m2 := make(map[int]int, 10); maps.Copy(m2, m); "
                           "m = m2 frees 2.25 MiB");
}

TEST(MapCauseTest, OlderReleasesCopyInALoop) {
  Case old = classic_case(20);
  old.history.has_deletions = true;
  EXPECT_EQ(old.judge().advice, "after emptying it: m2 := make(map[int]int, 10); for k, v := range "
                                "m { m2[k] = v }; m = m2 frees 2.39 MiB");
}

TEST(MapCauseTest, ClearingAndGrowingTellItToo) {
  JudgedMap cleared = Case{.len = 0, .history = {.was_cleared = true}}.judge();
  EXPECT_EQ(cleared.cause, MapCause::emptied);
  EXPECT_EQ(cleared.explanation,
            "It was cleared: 131,072 slots stay for no entry, since a Go map never shrinks");
  EXPECT_EQ(cleared.advice, "after emptying it: m = make(map[int]int) frees 2.26 MiB");
  EXPECT_EQ(Case{.history = {.has_grown = true}}.judge().cause, MapCause::emptied);
}

TEST(MapCauseTest, NoTraceOfMoreIsTooLargeAHint) {
  JudgedMap judged = Case{.len = 12'345, .history = {}}.judge();
  EXPECT_EQ(judged.cause, MapCause::over_hinted);
  EXPECT_EQ(
      judged.explanation,
      "It has room for 114,688 entries and holds 12,345, with no sign that it ever held more");
  EXPECT_EQ(judged.advice, "make(map[int]int, 13000) where it is made saves 1.97 MiB");
}

TEST(MapCauseTest, WhereNothingTellsItSaysSo) {
  // Classic maps do not tell whether they were cleared.
  JudgedMap classic = classic_case(22).judge();
  EXPECT_EQ(classic.cause, MapCause::mostly_empty);
  EXPECT_NE(classic.explanation.find("nothing tells"), std::string::npos);
  EXPECT_NE(classic.advice.find("if it never holds more: make(map[int]int, 10)"),
            std::string::npos);
  // A map that was surely made so large, of which surely something was deleted.
  EXPECT_EQ((Case{.history = {.has_deletions = true, .was_hinted = true}}.judge().cause),
            MapCause::mostly_empty);
}

TEST(MapCauseTest, SmallMapsAreNotWorthAWord) {
  Case small{.hint = 100, .len = 1, .history = {.has_deletions = true}};
  small.type = map_of(plain_type("int8", 3, 1), plain_type("int8", 3, 1), false);
  JudgedMap judged = small.judge();
  EXPECT_GT(judged.reclaimable_bytes, 0U);
  EXPECT_EQ(judged.cause, MapCause::none);
}

TEST(MapCauseTest, TombstonesAreToldWithWhatTheyBlock) {
  Case thinned{.hint = 28'000, .len = 13'000, .history = {.has_deletions = true}};
  thinned.tombstones = 6'553;
  JudgedMap judged = thinned.judge();
  EXPECT_EQ(judged.cause, MapCause::tombstones);
  EXPECT_EQ(
      judged.explanation,
      "6,553 of 32,768 slots (20 %) are tombstones of deleted entries: they hold 102 KiB, and "
      "block as many new entries until the map grows");
  EXPECT_NE(judged.advice.find("m2 := make(map[int]int, 13000); maps.Copy(m2, m); m = m2"),
            std::string::npos);
  EXPECT_NE(judged.advice.find("clear(m) leaves none of them"), std::string::npos);
  // A map that is all but empty was emptied, whatever that left.
  thinned.len = 10;
  EXPECT_EQ(thinned.judge().cause, MapCause::emptied);
}

TEST(MapCauseTest, WhoNeverPrunesTombstonesIsNamed) {
  GoType floats = plain_type("float64", 14, 8), pointers = plain_type("*int", 22, 8);
  auto cause_of = [](unsigned minor, GoType key) {
    Case thinned{.facts = facts_of_go(minor), .hint = 28'000, .len = 13'000};
    thinned.type = map_of(std::move(key), int_type(), false, false);
    thinned.tombstones = 6'553;
    return thinned.judge();
  };
  EXPECT_EQ(cause_of(24, int_type()).cause, MapCause::tombstones);
  EXPECT_NE(cause_of(24, int_type()).advice.find("go1.25"), std::string::npos);
  EXPECT_EQ(cause_of(26, int_type()).cause, MapCause::tombstones);
  EXPECT_EQ(cause_of(26, pointers).cause, MapCause::known_defect);
  EXPECT_EQ(cause_of(26, pointers).advice.substr(0, 52),
            "known defect of go1.26: build with go1.27 or newer; ");
  EXPECT_EQ(cause_of(27, pointers).cause, MapCause::tombstones);
  EXPECT_EQ(cause_of(27, floats).cause, MapCause::known_defect);
  EXPECT_EQ(cause_of(27, struct_type("main.Key", {})).cause, MapCause::tombstones); // not certain
}

TEST(MapCauseTest, ClearOfAnEmptyMapLeavesTombstonesInGo124) {
  Case emptied{.facts = facts_of_go(24), .len = 0, .history = {.has_deletions = true}};
  emptied.tombstones = 50'000;
  JudgedMap judged = emptied.judge();
  EXPECT_EQ(judged.cause, MapCause::emptied);
  EXPECT_NE(judged.advice.find("known defect: in go1.24, clear() of a map without entries leaves "
                               "its tombstones (fixed in go1.25)"),
            std::string::npos);
}

TEST(MapCauseTest, ChainsOfOverflowBucketsAreTold) {
  Case chained = classic_case(22);
  chained.hint = chained.len = 6'656;
  MapSample map = map_made_for(6'656, 6'656, chained.type, chained.facts);
  map.bytes.overflow += 704 * 144;
  JudgedMap judged = MapJudge{chained.facts}.judge(map, Types{&chained.type});
  EXPECT_EQ(judged.cause, MapCause::overflow);
  EXPECT_EQ(judged.explanation,
            "115 KiB (44 % of the map) are chains of overflow buckets: every look at them reads "
            "several buckets, one after the other");
  EXPECT_NE(judged.advice.find("make(map[int]int, 6656)"), std::string::npos);
}

TEST(MapCauseTest, OldBucketsStayUntilWritesMoveThem) {
  Case growing = classic_case(22);
  growing.len = 106'497;
  MapSample map = map_made_for(growing.len, growing.len, growing.type, growing.facts);
  map.bytes.old = 16'384 * 144;
  map.old_buckets = 16'384;
  map.evacuated_buckets = 2;
  JudgedMap judged = MapJudge{growing.facts}.judge(map, Types{&growing.type});
  EXPECT_EQ(judged.cause, MapCause::old_buckets);
  EXPECT_EQ(
      judged.explanation,
      "A growth is unfinished: 2 of 16,384 old buckets have moved, and all of them still take "
      "2.25 MiB; each write moves up to two, and a map that is only read keeps them");
  EXPECT_EQ(judged.advice, "make(map[int]int, 110000) where it is made spares it the growth; 8,191 "
                           "writes would finish this one");
  map.old_buckets = 32'768; // as many as there are now
  EXPECT_EQ(MapJudge{growing.facts}.judge(map, Types{&growing.type}).advice,
            "16,383 writes would finish this one");
  map.bytes.old = 12 << 10; // of a small map: it is as good as done
  EXPECT_EQ(MapJudge{growing.facts}.judge(map, Types{&growing.type}).cause, MapCause::none);
}

TEST(MapCauseTest, GrowthWithoutAHintIsToldWithWhatItCopied) {
  Case grown{.hint = 80'000, .len = 60'000, .history = {.has_grown = true}};
  JudgedMap judged = grown.judge();
  EXPECT_EQ(judged.cause, MapCause::no_hint);
  EXPECT_EQ(judged.explanation, "It has grown step by step: from its first group on, 14 doublings "
                                "copied about 1.75 MiB");
  EXPECT_EQ(judged.advice, "make(map[int]int, 60000) where it is made spares it that");
  // Tables of a map that was made for 7,000 entries split by chance: that is no missing hint.
  grown.hint = grown.len = 7'000;
  EXPECT_EQ(grown.judge().cause, MapCause::none);
}

TEST(MapCauseTest, Go121DoublesTooEarly) {
  Case early = classic_case(21);
  early.hint = early.len = 6'300; // between 6 and 6.5 for each of 1,024 buckets
  JudgedMap judged = early.judge();
  EXPECT_EQ(judged.cause, MapCause::known_defect);
  EXPECT_NE(judged.explanation.find("go1.21 doubles a map at 6 entries a bucket"),
            std::string::npos);
  EXPECT_EQ(judged.advice, "known defect of go1.21: build with go1.22 or newer");
  early.len = 6'000;
  EXPECT_NE(early.judge().cause, MapCause::known_defect);
  early.facts = facts_of_go(22);
  early.len = 6'300;
  EXPECT_EQ(early.judge().cause, MapCause::none);
}

GoField field(std::string name, std::string type, std::uint64_t bytes) {
  return {.name = std::move(name),
          .type_name = std::move(type),
          .size_bytes = bytes,
          .alignment = bytes == 0 ? 1 : std::min<std::uint64_t>(bytes, 8)};
}

GoType bad_key() {
  return struct_type("main.badKey", {field("kind", "int8", 1), field("id", "int64", 8),
                                     field("small", "int32", 4), field("flag", "bool", 1)});
}

GoType bad_element() {
  return struct_type("main.badElem", {field("seen", "bool", 1), field("bytes", "int64", 8),
                                      field("dirty", "bool", 1), field("count", "int64", 8),
                                      field("stale", "bool", 1)});
}

TEST(MapCauseTest, PaddingIsToldWithTheOrderThatSavesIt) {
  for (bool classic : {false, true}) {
    Case padded{.facts = facts_of_go(classic ? 22 : 26), .hint = 5'000, .len = 5'000};
    padded.type = map_of(bad_key(), bad_element(), classic);
    JudgedMap judged = padded.judge();
    EXPECT_EQ(judged.cause, MapCause::padding);
    EXPECT_EQ(judged.explanation,
              "31 of the 64 bytes of each entry (48 %) are padding: 7 behind key.kind, 3 behind "
              "key.flag, 7 behind element.seen, 7 behind element.dirty, 7 behind element.stale");
    EXPECT_EQ(
        judged.advice,
        "type badKey struct { id int64; small int32; kind int8; flag bool } is 16 instead of "
        "24 bytes, and type badElem struct { bytes int64; count int64; seen bool; dirty bool; "
        "stale bool } is 24 instead of 40 bytes: 24 bytes less for each entry, 192 KiB in "
        "all");
  }
}

TEST(MapCauseTest, StructsWithoutANameAreCalledT) {
  for (const char *name :
       {"struct { seen bool; bytes int64 }", "go.shape.struct { main.seen bool }"}) {
    Case padded{.hint = 5'000, .len = 5'000};
    GoType element = bad_element();
    element.name = name;
    padded.type = map_of(int_type(), element, false);
    EXPECT_TRUE(padded.judge().advice.starts_with("type T struct { bytes int64; ")) << name;
  }
}

TEST(MapCauseTest, PaddingThatNoOrderSavesIsToldWithoutAdvice) {
  Case padded{.hint = 5'000, .len = 5'000};
  padded.type = map_of(int_type(), plain_type("bool", 1, 1), false);
  JudgedMap judged = padded.judge();
  EXPECT_EQ(judged.cause, MapCause::padding);
  EXPECT_EQ(judged.explanation,
            "7 of the 16 bytes of each entry (44 %) are padding: 7 to align the entry");
  EXPECT_EQ(judged.advice, "");
}

TEST(StructOrderTest, LeavesMeantPaddingAndGoodOrdersAlone) {
  EXPECT_EQ(better_struct_order(struct_type("T", {field("a", "int64", 8), field("b", "bool", 1)})),
            std::nullopt);
  EXPECT_EQ(better_struct_order(struct_type(
                "T", {field("a", "bool", 1), field("b", "int64", 8), field("_", "bool", 1)})),
            std::nullopt);
  // Go pads a field without a size at the end, so that its address stays inside.
  GoType last = struct_type("T", {field("a", "int64", 8), field("z", "struct {}", 0)});
  last.size_bytes = 16;
  last.padding_bytes = 8;
  auto order = better_struct_order(last);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->size_bytes, 8U);
  EXPECT_EQ(order->fields.front().name, "z");
}

TEST(MapTypesTest, WhatCandidatesShareIsTheirName) {
  const MapTypeLayout ints = map_of(int_type(), int_type(), false);
  const MapTypeLayout uints = map_of(int_type(), plain_type("uint", 7, 8), false);
  const MapTypeLayout strings = map_of(string_type(), int_type(), false, true);
  MapJudge judge{facts_of_go(26)};
  MapSample map = map_made_for(10, 10, ints, facts_of_go(26));
  EXPECT_EQ(judge.judge(map, {}).certainty, TypeCertainty::unknown);
  JudgedMap one = judge.judge(map, Types{&ints});
  EXPECT_EQ(one.type, "map[int]int");
  EXPECT_EQ(one.certainty, TypeCertainty::exact);
  EXPECT_EQ(one.candidate_count, 0U);
  MapTypeLayout shape = ints;
  shape.is_shape = true;
  JudgedMap shaped = judge.judge(map, Types{&shape});
  EXPECT_EQ(shaped.certainty, TypeCertainty::candidate);
  EXPECT_EQ(shaped.candidates, (std::vector<std::string>{"map[int]int"}));
  EXPECT_EQ(shaped.candidate_count, 1U);
  JudgedMap two = judge.judge(map, Types{&ints, &uints});
  EXPECT_EQ(two.certainty, TypeCertainty::candidate);
  EXPECT_EQ(two.type, "map[int]_");
  EXPECT_EQ(two.candidates, (std::vector<std::string>{"map[int]int", "map[int]uint"}));
  EXPECT_EQ(judge.judge(map, Types{&ints, &strings}).type, "map[_]int");
  EXPECT_EQ(judge.judge(map, Types{&uints, &strings}).type, "");
}

} // namespace
} // namespace mapscope
