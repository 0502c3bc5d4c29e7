// One name, one type: two types of one name in two files are one to the linker, which keeps the
// functions of either. Optimised code often hides that, and only a build with -O0 shows it.
#include <map>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "unit/house/source_tree.h"

namespace mapscope {
namespace {

// The types that a file defines outside of unnamed namespaces, inner types left out. Formatted as
// all of the tree is: such a definition begins in the first column.
std::vector<std::string> types_in(const std::string &content) {
  static const std::regex kDefinition{
      R"(^(?:struct|class|union|enum(?: class| struct)?) (?:\[\[\w+\]\] )?(\w+)(?: final)?(?: :[^:].*)?(?: \{.*)?$)"};
  std::vector<std::string> names;
  bool is_unnamed = false;
  std::istringstream lines{content};
  for (std::string line; std::getline(lines, line);) {
    if (line == "namespace {")
      is_unnamed = true;
    else if (line == "} // namespace")
      is_unnamed = false;
    const bool is_declared = line.ends_with(';') && !line.ends_with("};");
    std::smatch match;
    if (!is_unnamed && !is_declared && std::regex_match(line, match, kDefinition))
      names.push_back(match[1]);
  }
  return names;
}

TEST(TypeNamesTest, NoTwoFilesDefineATypeOfOneName) {
  std::map<std::string, std::string> file_of;
  for (const SourceFile &file : read_source_tree()) {
    if (!file.path.starts_with("userspace/"))
      continue;
    for (const std::string &name : types_in(file.content)) {
      auto [first, is_new] = file_of.emplace(name, file.path);
      EXPECT_TRUE(is_new) << fmt::format(
          "{} is defined in {} and in {}: rename one, or put it into an unnamed namespace", name,
          first->second, file.path);
    }
  }
  EXPECT_GT(file_of.size(), 100u) << "the tree was not read";
}

TEST(TypeNamesTest, TellsDefinitionsFromDeclarations) {
  EXPECT_EQ(types_in("namespace mapscope {\n"
                     "struct Declared;\n"
                     "class Plain {\n"
                     "  struct Inner {\n"
                     "  };\n"
                     "};\n"
                     "struct Short { int x; };\n"
                     "class Derived final : public Plain {\n"
                     "};\n"
                     "class Wrapped\n"
                     "    : public Plain {\n"
                     "};\n"
                     "enum class Kind : std::uint8_t { a, b };\n"
                     "namespace {\n"
                     "struct Own {\n"
                     "};\n"
                     "} // namespace\n"
                     "union Last {\n"
                     "};\n"
                     "} // namespace mapscope\n"),
            (std::vector<std::string>{"Plain", "Short", "Derived", "Wrapped", "Kind", "Last"}));
}

} // namespace
} // namespace mapscope
