// The border to yaml-cpp: its events become a tree, its exceptions become errors.
#include "config/yaml_tree.h"

#include <algorithm>
#include <exception>
#include <istream>
#include <optional>
#include <span>
#include <spanstream>
#include <utility>

#include <yaml-cpp/emitter.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include "base/printable.h"

namespace mapscope::configuration {
namespace {

YamlMark mark_of(const YAML::Mark &mark) {
  return {.line = mark.line + 1, .column = mark.column + 1};
}

// What we refuse in the middle of a document. Thrown through yaml-cpp, as its own exceptions are.
struct Refused : std::exception {
  Refused(YamlMark where, std::string why) : mark(where), reason(std::move(why)) {}
  const char *what() const noexcept override { return reason.c_str(); }
  YamlMark mark;
  std::string reason;
};

// yaml-cpp tells values in the order of the text, keys of maps among them.
class TreeBuilder final : public YAML::EventHandler {
public:
  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark &) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    add({.kind = YamlKind::empty, .mark = mark_of(mark)});
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t) override {
    throw Refused(mark_of(mark), "an alias (\"*name\"); expected the value itself");
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                const std::string &value) override {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    add({.kind = YamlKind::scalar, .mark = mark_of(mark), .text = value});
  }
  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlKind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlKind::map);
  }
  void OnMapEnd() override { close(); }

private:
  // A list or map whose end has not come yet, with the key that waits for its value.
  struct Open {
    YamlNode node;
    std::optional<YamlEntry> key;
  };

  static void refuse_anchor(const YAML::Mark &mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor)
      throw Refused(mark_of(mark), "an anchor (\"&name\"); expected the value alone");
  }

  // "?" and "!" are yaml-cpp's own words for plain and quoted values.
  static void refuse_tag(const YAML::Mark &mark, const std::string &tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      throw Refused(mark_of(mark), "a tag (\"!name\"); expected the value alone");
  }

  void open(const YAML::Mark &mark, const std::string &tag, YAML::anchor_t anchor, YamlKind kind) {
    refuse_anchor(mark, anchor);
    refuse_tag(mark, tag);
    if (open_.size() >= kYamlDepthMax)
      throw Refused(mark_of(mark), fmt::format("nested more than {} deep", kYamlDepthMax));
    open_.push_back({.node = {.kind = kind, .mark = mark_of(mark)}, .key = std::nullopt});
  }

  void close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }

  void add(YamlNode node) {
    if (++node_count_ > kYamlNodesMax)
      throw Refused(node.mark, fmt::format("more than {} values", kYamlNodesMax));
    if (open_.empty())
      root_ = std::move(node);
    else if (open_.back().node.kind == YamlKind::list)
      open_.back().node.items.push_back(std::move(node));
    else
      add_to_map(open_.back(), std::move(node));
  }

  static void add_to_map(Open &map, YamlNode node) {
    if (map.key) {
      map.key->value = std::move(node);
      map.node.entries.push_back(std::move(*map.key));
      map.key.reset();
      return;
    }
    if (node.kind != YamlKind::scalar)
      throw Refused(node.mark, "a key that is no word");
    map.key = YamlEntry{.key = std::move(node.text), .mark = node.mark, .value = {}};
  }

  YamlNode root_;
  std::vector<Open> open_;
  std::size_t node_count_ = 0;
};

// The offset of the first byte that is not of UTF-8, or that no text holds; npos: all is well.
// yaml-cpp would take a byte order mark of UTF-16 for an order, and replace what it can't read.
std::size_t find_bad_byte(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const bool is_control =
        (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f;
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0 || is_control)
      return at;
    at += length;
  }
  return text.npos;
}

YamlMark mark_at(std::string_view text, std::size_t offset) {
  YamlMark mark{.line = 1, .column = 1};
  for (std::size_t i = 0; i < offset; ++i) {
    const bool is_line_end = text[i] == '\n';
    mark.line += is_line_end ? 1 : 0;
    mark.column = is_line_end ? 1 : mark.column + 1;
  }
  return mark;
}

void emit(YAML::Emitter &out, const YamlNode &node) {
  switch (node.kind) {
  case YamlKind::empty:
    out << YAML::Null;
    return;
  case YamlKind::scalar:
    out << node.text;
    return;
  case YamlKind::list: {
    const bool is_flat = std::ranges::all_of(
        node.items, [](const YamlNode &item) { return item.kind == YamlKind::scalar; });
    out << (is_flat ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const YamlNode &item : node.items)
      emit(out, item);
    out << YAML::EndSeq;
    return;
  }
  case YamlKind::map:
    out << (node.entries.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
    for (const YamlEntry &entry : node.entries) {
      out << YAML::Key << entry.key << YAML::Value;
      emit(out, entry.value);
    }
    out << YAML::EndMap;
    return;
  }
}

std::unexpected<Error> wrong(std::string_view name, YamlMark mark, std::string_view what) {
  return fail(Errc::usage, "{}:{}:{}: {}", name, mark.line, mark.column, what);
}

} // namespace

Result<YamlNode> parse_yaml(std::string_view text, std::string_view name) {
  if (text.size() > kYamlBytesMax)
    return fail(Errc::usage, "{}: larger than 1 MiB, the most that a configuration may have", name);
  if (const std::size_t bad = find_bad_byte(text); bad != text.npos)
    return wrong(name, mark_at(text, bad),
                 fmt::format("byte 0x{:02x}; expected text in UTF-8",
                             static_cast<unsigned char>(text[bad])));
  try {
    std::ispanstream stream{std::span<const char>{text.data(), text.size()}};
    YAML::Parser parser{stream};
    TreeBuilder first, second;
    if (!parser.HandleNextDocument(first))
      return YamlNode{.kind = YamlKind::empty, .mark = {1, 1}};
    YamlNode root = first.take();
    if (parser.HandleNextDocument(second))
      return wrong(name, second.take().mark, "a second document; expected one");
    return root;
  } catch (const Refused &refused) {
    return wrong(name, refused.mark, refused.reason);
  } catch (const YAML::Exception &error) {
    return wrong(name, mark_of(error.mark), fmt::format("not YAML: {}", error.msg));
  } catch (const std::exception &error) {
    return fail(Errc::usage, "{}: not YAML: {}", name, error.what());
  }
}

std::string yaml_text(const YamlNode &node) {
  YAML::Emitter out;
  emit(out, node);
  return std::string{out.c_str(), out.size()} + "\n";
}

} // namespace mapscope::configuration
