// Data goes one way, and so do the includes: a stage knows base/, flow/ and itself.
#include <gtest/gtest.h>

#include "unit/house/source_tree.h"

namespace mapscope {
namespace {

TEST(IncludeDirectionTest, TheTreeHoldsIt) {
  std::size_t include_count = 0;
  for (const SourceFile &file : read_source_tree())
    if (file.path.starts_with("userspace/") || file.path.starts_with("bpf/"))
      for (const std::string &include : includes_of(file.content)) {
        ++include_count;
        const std::string reason = include_violation(file.path, include);
        EXPECT_TRUE(reason.empty()) << file.path << " includes " << include << ": " << reason;
      }
  EXPECT_GT(include_count, 100u) << "the tree was not read";
}

TEST(IncludeDirectionTest, AStageMayNotIncludeAnother) {
  EXPECT_FALSE(include_violation("userspace/judge/rules.h", "\"decode/decoder.h\"").empty());
  EXPECT_TRUE(include_violation("userspace/judge/rules.h", "\"flow/event.h\"").empty());
  EXPECT_TRUE(include_violation("userspace/judge/rules.h", "\"judge/verdict.h\"").empty());
}

TEST(IncludeDirectionTest, StagesMeetInPipelineAndCommands) {
  EXPECT_TRUE(include_violation("userspace/pipeline/loop.cpp", "\"decode/decoder.h\"").empty());
  EXPECT_TRUE(include_violation("userspace/commands/verify.cpp", "\"kernel/session.h\"").empty());
}

TEST(IncludeDirectionTest, FlowKnowsTheContractAndBaseKnowsNothing) {
  EXPECT_TRUE(include_violation("userspace/flow/event.h", "\"bpf/contract/events.h\"").empty());
  EXPECT_FALSE(include_violation("userspace/flow/event.h", "\"kernel/session.h\"").empty());
  EXPECT_FALSE(include_violation("userspace/flow/event.h", "\"wire/message.h\"").empty());
  EXPECT_FALSE(include_violation("userspace/base/error.h", "\"flow/event.h\"").empty());
  EXPECT_FALSE(include_violation("userspace/base/error.h", "\"bpf/contract/events.h\"").empty());
}

TEST(IncludeDirectionTest, OnlyKernelSpeaksToLibbpf) {
  for (auto header : {"<bpf/libbpf.h>", "\"skeletons/mapscope.skel.h\"", "<linux/bpf.h>"}) {
    EXPECT_TRUE(include_violation("userspace/kernel/session.cpp", header).empty()) << header;
    EXPECT_FALSE(include_violation("userspace/commands/verify.cpp", header).empty()) << header;
  }
}

TEST(IncludeDirectionTest, OnlyBinaryParsesExecutables) {
  for (auto header : {"<elf.h>", "<gelf.h>", "<elfutils/libdw.h>", "<capstone/capstone.h>"}) {
    EXPECT_TRUE(include_violation("userspace/binary/elf_file.cpp", header).empty()) << header;
    EXPECT_FALSE(include_violation("userspace/attach/plan.cpp", header).empty()) << header;
  }
}

TEST(IncludeDirectionTest, UserSpaceSeesTheKernelSideThroughTheContractOnly) {
  EXPECT_FALSE(include_violation("userspace/decode/decoder.cpp", "\"bpf/emit.bpf.h\"").empty());
  EXPECT_FALSE(include_violation("bpf/contract/events.h", "\"vmlinux.h\"").empty());
  EXPECT_FALSE(include_violation("bpf/exec.bpf.c", "<stdio.h>").empty());
  EXPECT_TRUE(include_violation("bpf/exec.bpf.c", "<bpf/bpf_helpers.h>").empty());
}

TEST(IncludeDirectionTest, FindsIncludesOfBothKinds) {
  EXPECT_EQ(includes_of("#include <a.h>\n // #include <b.h>\n#  include \"c.h\"\n"),
            (std::vector<std::string>{"<a.h>", "\"c.h\""}));
}

} // namespace
} // namespace mapscope
