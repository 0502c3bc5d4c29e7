// The text of /proc/PID/maps.
#include "memory/mappings.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

namespace mapscope {
namespace {

TEST(MappingsTest, AreReadWithAllTheirFields) {
  const auto mappings = parse_mappings(
      "00400000-00452000 r-xp 00001000 08:02 173521      /usr/bin/a program\n"
      "c000000000-c000400000 rw-p 00000000 00:00 0                          [anon: Go: heap]\n"
      "c000400000-c004000000 ---p 00000000 00:00 0 \n"
      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
  ASSERT_TRUE(mappings) << mappings.error().message();
  ASSERT_EQ(mappings->size(), 4u);
  const Mapping &program = (*mappings)[0];
  EXPECT_EQ(program.start.value, 0x400000u);
  EXPECT_EQ(program.size_bytes, 0x52000u);
  EXPECT_TRUE(program.is_readable && !program.is_writable && program.is_executable);
  EXPECT_EQ(program.file_offset, 0x1000u);
  EXPECT_EQ(program.device, makedev(8, 2));
  EXPECT_EQ(program.inode, 173521u);
  EXPECT_EQ(program.name, "/usr/bin/a program");
  EXPECT_TRUE((*mappings)[1].is_writable);
  EXPECT_EQ((*mappings)[1].name, "[anon: Go: heap]");
  EXPECT_FALSE((*mappings)[2].is_readable);
  EXPECT_EQ((*mappings)[2].name, "");
  EXPECT_EQ((*mappings)[3].start.value, 0xffffffffff600000u);
}

TEST(MappingsTest, NoneAreNone) {
  const auto mappings = parse_mappings("");
  ASSERT_TRUE(mappings);
  EXPECT_TRUE(mappings->empty());
}

TEST(MappingsTest, RefusesEveryCutOfALine) {
  constexpr std::string_view kLine = "400000-452000 r-xp 00001000 08:02 173521 ";
  ASSERT_TRUE(parse_mappings(kLine));
  for (std::size_t size = 1; size < kLine.size(); ++size)
    EXPECT_FALSE(parse_mappings(kLine.substr(0, size))) << size;
  EXPECT_FALSE(parse_mappings("452000-400000 r-xp 00001000 08:02 173521 \n"));
}

TEST(MappingsTest, TellWhereAnExecutableWasLoaded) {
  const auto mappings = parse_mappings("55c301d47000-55c301dcc000 r--p 00000000 fe:00 7 /srv/a b\n"
                                       "55c301dcc000-55c301e15000 r-xp 00085000 fe:00 7 /srv/a b\n"
                                       "55c301e15000-55c301e16000 r-xp 00085000 fe:00 8 /srv/c\n")
                            .value();
  BinaryFacts facts;
  facts.entry = {0x86040}; // one page further in memory than in the file
  facts.entry_offset = {0x85040};
  EXPECT_EQ(load_bias_of(mappings, "/srv/a b", facts)->value, 0x55c301dcc000u - 0x86000);
  EXPECT_EQ(load_bias_of(mappings, "/srv/d", facts).error().code(), Errc::not_found);
  facts.entry_offset = {0xce000};
  EXPECT_FALSE(load_bias_of(mappings, "/srv/a b", facts));
}

} // namespace
} // namespace mapscope
