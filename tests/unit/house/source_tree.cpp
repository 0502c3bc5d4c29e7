// Reads the tree, and the few lines of each file that its rules are about.
#include "unit/house/source_tree.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>

#include "support/file_content.h"

namespace mapscope {
namespace {

namespace fs = std::filesystem;

bool starts_with_any(std::string_view text, auto prefixes) {
  return std::ranges::any_of(prefixes, [&](auto prefix) { return text.starts_with(prefix); });
}

// The folder of userspace/ that a path or an include lies in: "flow/event.h" is in "flow".
std::string_view folder_of(std::string_view path) { return path.substr(0, path.find('/')); }

std::string wrong_system_header(std::string_view folder, std::string_view include) {
  constexpr auto kBpf = std::to_array<std::string_view>(
      {"<bpf/", "<linux/bpf", "<linux/btf", "\"skeletons/", "<skeletons/"});
  constexpr auto kExecutables = std::to_array<std::string_view>(
      {"<elf.h", "<gelf.h", "<libelf.h", "<dwarf.h", "<elfutils/", "<capstone/"});
  if (folder != "kernel" && starts_with_any(include, kBpf))
    return "only kernel/ speaks to libbpf";
  if (folder != "binary" && starts_with_any(include, kExecutables) &&
      !(folder == "memory" && include == "<elf.h>")) // core files
    return "only binary/ parses executables";
  return {};
}

std::string wrong_project_header(std::string_view folder, std::string_view path) {
  const std::string_view included = folder_of(path);
  if (folder == "base")
    return included == "base" ? "" : "base/ knows nothing of the project";
  if (folder == "pipeline" || folder == "commands" || folder == "main.cpp")
    return {};
  if (path.starts_with("bpf/"))
    return path.starts_with("bpf/contract/") ? "" : "user space sees bpf/ through contract/ only";
  if (included == folder || included == "base" || included == "flow" || included == "skeletons")
    return {};
  if ((included == "wire" || included == "go") && folder != "flow")
    return {};
  return fmt::format(
      "{}/ may include base/, flow/, go/, wire/ and itself; stages meet in pipeline/", folder);
}

std::string bpf_violation(std::string_view file, std::string_view include) {
  if (file.starts_with("bpf/contract/"))
    return include == "<linux/types.h>" || include.starts_with("\"bpf/contract/")
               ? ""
               : "the contract stands alone, so that both sides can include it";
  if (include == "\"vmlinux.h\"" || include.starts_with("<bpf/bpf_"))
    return {};
  return include.starts_with("<") || include.contains("userspace/")
             ? "BPF programs know vmlinux.h, libbpf's helpers and bpf/"
             : "";
}

// `content` without the lines at its top that say nothing of its purpose.
std::string_view skip_formalities(std::string_view content) {
  constexpr auto kFormal = std::to_array<std::string_view>(
      {"#!", "// SPDX", "/* SPDX", "# SPDX", "//go:build", "// +build", "# -*-"});
  while (content.starts_with('\n') || starts_with_any(content, kFormal))
    content.remove_prefix(std::min(content.size(), content.find('\n') + 1));
  return content;
}

// The words of a comment, one space between them.
std::string without_marks(std::string_view comment) {
  std::istringstream words{std::string(comment)};
  std::string text;
  for (std::string word; words >> word;)
    if (word.find_first_not_of("/*#") != std::string::npos)
      text += (text.empty() ? "" : " ") + word;
  return text;
}

// The run of lines at the top that all start with `mark`.
std::string_view leading_lines(std::string_view content, std::string_view mark) {
  std::size_t end = 0;
  while (content.substr(end).starts_with(mark))
    end = std::min(content.find('\n', end), content.size() - 1) + 1;
  return content.substr(0, end);
}

} // namespace

std::vector<SourceFile> read_source_tree() {
  const fs::path root = MAPSCOPE_SOURCE_DIR;
  constexpr auto kNotOurs =
      std::to_array<std::string_view>({".git", "build", ".cache", "__pycache__"});
  std::vector<SourceFile> files;
  for (auto entry = fs::recursive_directory_iterator(root); entry != fs::end(entry); ++entry) {
    const std::string name = entry->path().filename().string();
    if (std::ranges::find(kNotOurs, name) != kNotOurs.end()) {
      entry.disable_recursion_pending();
      continue;
    }
    if (!entry->is_regular_file())
      continue;
    files.push_back(
        {fs::relative(entry->path(), root).string(), testing::file_text(entry->path())});
  }
  return files;
}

std::vector<std::string> includes_of(std::string_view content) {
  std::vector<std::string> includes;
  std::istringstream lines{std::string(content)};
  for (std::string line; std::getline(lines, line);) {
    std::erase(line, ' ');
    constexpr std::string_view kDirective = "#include";
    if (!line.starts_with(kDirective) || line.size() < kDirective.size() + 3)
      continue;
    const char closing = line[kDirective.size()] == '<' ? '>' : '"';
    const std::size_t end = line.find(closing, kDirective.size() + 1);
    includes.push_back(line.substr(kDirective.size(), end + 1 - kDirective.size()));
  }
  return includes;
}

std::string include_violation(std::string_view file, std::string_view include) {
  if (file.starts_with("bpf/"))
    return bpf_violation(file, include);
  constexpr std::string_view kUserspace = "userspace/";
  if (!file.starts_with(kUserspace))
    return {};
  const std::string_view folder = folder_of(file.substr(kUserspace.size()));
  if (std::string reason = wrong_system_header(folder, include); !reason.empty())
    return reason;
  return include.starts_with('"')
             ? wrong_project_header(folder, include.substr(1, include.size() - 2))
             : "";
}

std::string opening_comment(std::string_view content) {
  content = skip_formalities(content);
  if (content.starts_with("/*"))
    return without_marks(content.substr(2, content.find("*/") - 2));
  if (content.starts_with("\"\"\""))
    return without_marks(content.substr(3, content.find("\"\"\"", 3) - 3));
  if (content.starts_with("//"))
    return without_marks(leading_lines(content, "//"));
  return content.starts_with("# ") ? without_marks(leading_lines(content, "#")) : "";
}

std::string machine_path_in(std::string_view content) {
  // The letters stand apart so that this file does not break its own rule.
  constexpr auto kRoots = std::to_array<std::string_view>({"/w"
                                                           "ork",
                                                           "/ro"
                                                           "ot"});
  const auto continues_name = [](char c) { return std::isalnum(c) || std::strchr("_.})-/", c); };
  for (std::string_view root : kRoots)
    for (std::size_t at = content.find(root); at != content.npos; at = content.find(root, at + 1)) {
      const std::size_t end = at + root.size();
      const bool begins_a_path = at == 0 || !continues_name(content[at - 1]);
      const bool ends_the_name =
          end == content.size() || content[end] == '/' || !continues_name(content[end]);
      if (begins_a_path && ends_the_name)
        return std::string(content.substr(at, content.find_first_of(" \t\n\"'", end) - at));
    }
  return {};
}

} // namespace mapscope
