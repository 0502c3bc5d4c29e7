// Which releases the table speaks for, told by executables that have no DWARF.
#include "binary/layout_lookup.h"

#include <gtest/gtest.h>

#include "binary/layout_table.h"
#include "support/synthetic_go.h"

namespace mapscope {
namespace {

struct Lookup {
  bool is_known = false;
  RuntimeLayout layout;
};

Lookup look_up(std::string version) {
  SyntheticGo program;
  program.version = std::move(version);
  const auto bytes = program.make();
  const auto binary = GoBinary::open(bytes, "/srv/app");
  if (!binary) {
    ADD_FAILURE() << binary.error().message();
    return {};
  }
  std::vector<std::string> warnings;
  return {is_known_release(*binary), find_layout(*binary, warnings)};
}

TEST(LayoutLookupTest, AMeasuredReleaseHasItsOwn) {
  for (const char *version : {"go1.17.13", "go1.26.8", "go1.26.8-X:nogreenteagc"}) {
    auto found = look_up(version);
    EXPECT_TRUE(found.is_known) << version;
    EXPECT_EQ(found.layout.source, LayoutSource::table) << version;
  }
}

TEST(LayoutLookupTest, VendorsAndCandidatesAndOtherPatchesHaveTheNearest) {
  for (const char *version :
       {"go1.26.8-fips", "go1.26rc1", "go1.26.99", "go1.26.8 (Red Hat 1.26.8-1.el10)"}) {
    auto found = look_up(version);
    EXPECT_TRUE(found.is_known) << version;
    EXPECT_EQ(found.layout.source, LayoutSource::nearest) << version;
    EXPECT_EQ(found.layout.find("runtime.g.goid"), 152) << version;
  }
}

// What lies between two releases may have what neither has.
TEST(LayoutLookupTest, DevelopmentVersionsAndNewerReleasesHaveNone) {
  for (const char *version : {"devel go1.26-4f2b1f3a Tue Mar 3", "go1.26-20260101-RC00",
                              "go1.26-devel_ca37d24e0b", "go1.99.0", "go1.99"}) {
    auto found = look_up(version);
    EXPECT_FALSE(found.is_known) << version;
    EXPECT_EQ(found.layout.source, LayoutSource::none) << version;
    EXPECT_TRUE(found.layout.offsets.empty()) << version;
  }
}

} // namespace
} // namespace mapscope
