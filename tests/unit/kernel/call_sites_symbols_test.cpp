// Which functions of the kernel are calls on maps.
#include "kernel/bpf_maps/call_sites_symbols.h"

#include <sstream>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

constexpr const char *kSymbols = "ffffffff81000000 T _text\n"
                                 "ffffffff814cc810 T __bpf_call_base\n"
                                 "ffffffff814cc7f0 T bpf_map_lookup_elem\n"
                                 "ffffffff8151d470 t __pfx___htab_map_lookup_elem\n"
                                 "ffffffff8151d480 t __htab_map_lookup_elem\n"
                                 "ffffffff81520610 t htab_map_update_elem.llvm.123\n"
                                 "ffffffff81520620 t bpf_alias\n"
                                 "ffffffff81520620 t queue_map_pop_elem\n"
                                 "ffffffff81520630 D bpf_map_delete_elem_proto\n"
                                 "ffffffffc0520610 t trie_lookup_elem\t[module]\n"
                                 "nonsense\n";

KernelCalls calls_of(const std::string &text) {
  std::istringstream stream{text};
  auto calls = KernelCalls::read(stream);
  EXPECT_TRUE(calls);
  return std::move(*calls);
}

TEST(CallSitesSymbolsTest, NamesFunctionsByTheirDistance) {
  const auto calls = calls_of(kSymbols);
  EXPECT_EQ(calls.helper_of(0x8151d480 - 0x814cc810), BpfHelper::lookup);
  EXPECT_EQ(calls.helper_of(-0x20), BpfHelper::lookup);
  EXPECT_EQ(calls.helper_of(0x81520610 - 0x814cc810), BpfHelper::update);
  EXPECT_EQ(calls.helper_of(0xc0520610 - 0x814cc810), BpfHelper::lookup);
  EXPECT_EQ(calls.helper_of(0x81520630 - 0x814cc810), BpfHelper::unknown) << "that is data";
  EXPECT_EQ(calls.helper_of(0x8151d470 - 0x814cc810), BpfHelper::unknown);
  EXPECT_EQ(calls.helper_of(1), BpfHelper::unknown);
}

TEST(CallSitesSymbolsTest, TakesTheNameThatTellsMore) {
  EXPECT_EQ(calls_of(kSymbols).helper_of(0x81520620 - 0x814cc810), BpfHelper::remove);
}

TEST(CallSitesSymbolsTest, SaysThatAddressesAreHidden) {
  std::istringstream stream{"0000000000000000 T _text\n0000000000000000 T __bpf_call_base\n"};
  const auto calls = KernelCalls::read(stream);
  ASSERT_FALSE(calls);
  EXPECT_EQ(calls.error().code(), Errc::denied);
}

TEST(CallSitesSymbolsTest, SaysThatThereIsNoBase) {
  std::istringstream stream{"ffffffff81000000 T _text\n"};
  const auto calls = KernelCalls::read(stream);
  ASSERT_FALSE(calls);
  EXPECT_EQ(calls.error().code(), Errc::unsupported);
}

} // namespace
} // namespace mapscope
