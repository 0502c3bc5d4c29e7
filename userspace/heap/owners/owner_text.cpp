// Patterns as people read them: fields by name, what pointers lead to behind an arrow.
#include <algorithm>
#include <utility>

#include "base/printable.h"
#include "heap/owners/field_names.h"
#include "heap/owners/owner_patterns.h"

namespace mapscope {
namespace {

using Step = OwnerPatterns::Step;

constexpr std::size_t kTypeNameMax = 80; // of types without a name: what follows is cut
constexpr std::string_view kArrow = " → ";

class PathWriter {
public:
  explicit PathWriter(const GoTypes &types) : types_(types) {}

  void begin(const OwnerRoot &root) {
    const std::string name = printable(root.name + root.part);
    text = with_short_packages(name);
    package_ = package_of(text);
    is_at_root_ = true;
    is_slice_ = root.is_slice;
    // A frame has no fields, and what it points to no name.
    if (root.root_class != OwnerClass::goroutine)
      holder = expression_ = name;
  }

  // `function`: of a captured() step.
  void add(const Step &step, std::string_view function) {
    switch (step.kind) {
    case StepKind::root:
      return;
    case StepKind::field:
      add_field(step);
      break;
    case StepKind::interface:
      add_interface(step);
      break;
    case StepKind::word:
      add_word(step);
      break;
    case StepKind::buffer:
      text += "<-";
      if (!expression_.empty())
        expression_ = "(<-" + expression_ + ")";
      break;
    case StepKind::captured:
      text += kArrow;
      text += function.empty() ? "func" : with_short_packages(function);
      expression_.clear();
      break;
    case StepKind::entries:
      map_ = step.holder_type;
      break;
    }
    is_at_root_ = false;
    before_ = step;
  }

  std::string text, holder;

private:
  bool is_in_closure() const { return before_.kind == StepKind::captured; }

  void add_path(std::string path, std::uint64_t holder_type) {
    if (path.empty())
      return;
    if (is_in_closure() && path.starts_with('.')) {
      const std::size_t end = std::min(path.find_first_of(".[", 1), path.size());
      path = "{" + path.substr(1, end - 1) + "}" + path.substr(end);
    } else if (expression_.empty()) { // the field is called by its type
      const std::string name = with_short_packages(type_name(types_, holder_type));
      if (is_named(name))
        expression_ = name;
    }
    text += path;
    if (!expression_.empty())
      holder = expression_ += path;
  }

  void add_field(const Step &step) {
    const auto place = field_at(types_, step.holder_type, step.offset);
    if (!place) {
      add_word(step);
      return;
    }
    if (place->is_implementation)
      return;
    if (place->is_key)
      expression_.clear();
    add_path(place->path, step.holder_type);
    if (place->kind == GoKind::slice)
      add_path("[]", 0);
    else if (place->kind == GoKind::pointer && !is_indirect(*place) && !was_said(step))
      add_arrow(step.target_type);
  }

  // What a map holds by pointer looks in its groups like pointers that the program made.
  bool is_indirect(const FieldPlace &place) const {
    if (map_ == 0 || before_.kind != StepKind::entries)
      return false;
    const auto type =
        types_.memory().word(map_ + (place.is_key ? TypeFields::kMapKey : TypeFields::kMapElement));
    const auto header = type ? types_.memory().header(*type) : std::nullopt;
    return header && header->size_bytes > kDirectBytesMax;
  }

  // The dynamic type of an interface has just been named, and is this pointer's.
  bool was_said(const Step &step) const {
    return before_.kind == StepKind::interface && before_.target_type == step.holder_type;
  }

  void add_arrow(std::uint64_t type) {
    const std::string name = short_name(type);
    if (is_named(name) && !name.starts_with("struct {")) {
      text += kArrow;
      text += "*" + without_package(name);
    }
  }

  void add_interface(const Step &step) {
    const bool is_pointer = (step.offset & OwnerPatterns::kPointerInInterface) != 0;
    if (const auto place = field_at(types_, step.holder_type, step.offset & ~7U))
      add_path(place->path, step.holder_type);
    std::string name = short_name(step.target_type);
    if (is_pointer && !name.empty())
      name = "*" + name;
    text += name.empty() ? "(?)" : "(" + without_package(name) + ")";
    if (!expression_.empty())
      expression_ += name.empty() ? "" : ".(" + name + ")";
    if (name.empty())
      expression_.clear();
  }

  // What the variable holds has no name of its own; what an unknown object holds has none at all.
  void add_word(const Step &step) {
    if (is_at_root_ && is_slice_) {
      add_path("[]", 0);
      return;
    }
    if (!is_at_root_ && !text.ends_with('?')) {
      text += '?';
      expression_.clear();
    }
    add_arrow(step.target_type);
  }

  std::string short_name(std::uint64_t type) const {
    std::string name = with_short_packages(type_name(types_, type));
    if (!is_named(name) && name.size() > kTypeNameMax) {
      std::size_t end = kTypeNameMax;
      while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80)
        --end;
      name.resize(end);
      name += "…";
    }
    return name;
  }

  // Types of the root's own package are told apart without it.
  std::string without_package(const std::string &name) const {
    const std::size_t stars = std::min(name.find_first_not_of('*'), name.size());
    const std::string_view bare = std::string_view{name}.substr(stars);
    return !package_.empty() && package_of(bare) == package_ && bare.size() > package_.size() + 1 &&
                   bare[package_.size()] == '.'
               ? name.substr(0, stars) + std::string{bare.substr(package_.size() + 1)}
               : name;
  }

  const GoTypes &types_;
  std::string expression_; // of Go, or as near as it gets; empty: there is none
  std::string package_;
  std::uint64_t map_ = 0; // type of the last map on the path
  Step before_;
  bool is_at_root_ = true, is_slice_ = false;
};

} // namespace

MapOwner OwnerPatterns::describe(std::uint32_t pattern, const GoTypes &types) const {
  if (pattern == kNone || pattern >= nodes_.size())
    return {};
  const OwnerRoot &root = root_of(pattern);
  PathWriter writer{types};
  writer.begin(root);
  for (const std::uint32_t number : path_to(pattern)) {
    const Step &step = nodes_[number].step;
    const auto function = functions_.find(step.kind == StepKind::captured ? step.holder_type : 0);
    writer.add(step, function == functions_.end() ? std::string_view{} : function->second);
  }
  return {.reach = Reach::reachable,
          .root_class = root.root_class,
          .root = printable(root.name),
          .path = std::move(writer.text),
          .holder = std::move(writer.holder)};
}

std::string OwnerPatterns::describe_step(std::uint32_t pattern, const GoTypes &types) const {
  const std::string whole = describe(pattern, types).path;
  if (nodes_[pattern].step.kind == StepKind::root)
    return whole;
  const std::string before = describe(nodes_[pattern].step.parent, types).path;
  return whole.starts_with(before) ? whole.substr(before.size()) : whole;
}

} // namespace mapscope
