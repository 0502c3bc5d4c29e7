// docs/events.md tells of everything that the contract declares.
#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "unit/house/source_tree.h"

namespace mapscope {
namespace {

std::string content_of(const std::vector<SourceFile> &tree, std::string_view path) {
  const auto file = std::ranges::find(tree, path, &SourceFile::path);
  EXPECT_NE(file, tree.end()) << path << " is not in the tree";
  return file == tree.end() ? "" : file->content;
}

// Every word of `header` that begins with one of the prefixes of what a record can say.
std::vector<std::string> declared_names(std::string_view header) {
  constexpr auto kPrefixes = std::to_array<std::string_view>(
      {"EVENT_KIND_", "MAP_OPERATION_", "HEAP_REQUEST_", "CALL_CLASS_", "DESCRIPTOR_", "WITNESS_",
       "CALL_OUTSIDE", "CALL_INSIDE", "CALL_WINDOW_ONLY", "CALL_STACK_ONLY", "CALL_UNDER_WRITE",
       "LOSS_"});
  constexpr auto kNotRecorded =
      std::to_array<std::string_view>({"_NONE", "_COUNT", "_MASK", "_PROBES"});
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
  std::vector<std::string> names;
  for (std::size_t at = header.find_first_of(kLetters); at != header.npos;
       at = header.find_first_of(kLetters, at)) {
    const std::size_t end = std::min(header.find_first_not_of(kLetters, at), header.size());
    const std::string_view name = header.substr(at, end - at);
    at = end;
    if (std::ranges::any_of(kPrefixes, [&](auto prefix) { return name.starts_with(prefix); }) &&
        std::ranges::none_of(kNotRecorded, [&](auto suffix) { return name.ends_with(suffix); }))
      names.emplace_back(name);
  }
  return names;
}

TEST(EventsDocumentTest, NamesWhatTheContractDeclares) {
  const std::vector<SourceFile> tree = read_source_tree();
  const std::string document = content_of(tree, "docs/events.md");
  std::size_t name_count = 0;
  for (auto header : {"bpf/contract/events.h", "bpf/contract/targets.h"})
    for (const std::string &name : declared_names(content_of(tree, header))) {
      ++name_count;
      EXPECT_NE(document.find("`" + name + "`"), document.npos) << name << " of " << header;
    }
  EXPECT_GT(name_count, 50u) << "the contract was not read";
}

TEST(EventsDocumentTest, FindsEnumeratorsAndLeavesBoundsOut) {
  EXPECT_EQ(declared_names("LOSS_A = 0, /* x */ LOSS_COUNT = 8, OTHER, WITNESS_B"),
            (std::vector<std::string>{"LOSS_A", "WITNESS_B"}));
}

} // namespace
} // namespace mapscope
