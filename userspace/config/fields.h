// How a struct of the configuration stands in the file: one table of fields, from which it is read,
// checked, printed and documented. Reading goes over what is there already, so that a file says
// only what differs from the defaults.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "config/problems.h"
#include "config/value_text.h"
#include "config/yaml_tree.h"

namespace mapscope::configuration {

// A key below some value, with what it expects: "include[].exe".
struct ConfigKey {
  std::string path, expected;
};

// What is said of a node: `path` leads to it.
struct ConfigPlace {
  const YamlNode &node;
  std::string path;
  ConfigProblems &problems;

  void wrong(std::string_view what) const { problems.add(node.mark, path, what); }
};

// How a T is read and written. `expected` ends every complaint.
template <typename T> struct ConfigValue {
  std::string expected;
  std::function<void(const ConfigPlace &, T &)> read;
  std::function<YamlNode(const T &)> write;
  std::vector<ConfigKey> keys_below = {};
};

template <typename S> struct ConfigField {
  std::string key;
  std::string expected;
  std::function<void(const ConfigPlace &, S &)> read;
  std::function<YamlNode(const S &)> write;
  std::vector<ConfigKey> keys_below;
  bool is_required = false;
};

template <typename S> using ConfigFields = std::vector<ConfigField<S>>;

inline YamlNode scalar_node(std::string text) {
  return {.kind = YamlKind::scalar, .text = std::move(text)};
}

inline std::string_view name_of(YamlKind kind) {
  switch (kind) {
  case YamlKind::empty:
    return "nothing";
  case YamlKind::scalar:
    return "a single value";
  case YamlKind::list:
    return "a list";
  case YamlKind::map:
    return "a map";
  }
  return "";
}

template <typename S, typename T>
ConfigField<S> field(const std::string &key, T S::*member, const ConfigValue<T> &value) {
  return {.key = key,
          .expected = value.expected,
          .read = [read = value.read, member](const ConfigPlace &place,
                                              S &s) { read(place, s.*member); },
          .write = [write = value.write, member](const S &s) { return write(s.*member); },
          .keys_below = value.keys_below};
}

template <typename S> ConfigField<S> required(ConfigField<S> field) {
  field.is_required = true;
  return field;
}

// The fields of something inside of `S` as fields of `S`. `inside` gives a reference to it,
// constant or not as `S` is.
template <typename S, typename Inner, typename Inside>
ConfigFields<S> lift(const ConfigFields<Inner> &fields, Inside inside) {
  ConfigFields<S> lifted;
  for (const ConfigField<Inner> &field : fields)
    lifted.push_back(
        {.key = field.key,
         .expected = field.expected,
         .read = [read = field.read, inside](const ConfigPlace &place,
                                             S &s) { read(place, inside(s)); },
         .write = [write = field.write, inside](const S &s) { return write(inside(s)); },
         .keys_below = field.keys_below,
         .is_required = field.is_required});
  return lifted;
}

template <typename S> ConfigFields<S> joined(ConfigFields<S> first, const ConfigFields<S> &second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

template <typename S> std::vector<std::string> keys_of(const ConfigFields<S> &fields) {
  std::vector<std::string> keys;
  for (const ConfigField<S> &field : fields)
    keys.push_back(field.key);
  return keys;
}

template <typename S> std::vector<ConfigKey> all_keys_of(const ConfigFields<S> &fields) {
  std::vector<ConfigKey> keys;
  for (const ConfigField<S> &field : fields) {
    keys.push_back({field.key, field.expected});
    for (const ConfigKey &below : field.keys_below)
      keys.push_back(
          {field.key + (below.path.starts_with('[') ? "" : ".") + below.path, below.expected});
  }
  return keys;
}

inline std::string path_below(const std::string &path, const std::string &key) {
  return path.empty() ? key : fmt::format("{}.{}", path, key);
}

// The value of a key; null: it is not there.
inline const YamlEntry *find_entry(const YamlNode &map, std::string_view key) {
  for (const YamlEntry &entry : map.entries)
    if (entry.key == key)
      return &entry;
  return nullptr;
}

// Reads the entries of `place.node`, which is a map or empty. A key whose value was commented out
// counts as absent.
template <typename S>
void read_fields(const ConfigPlace &place, const ConfigFields<S> &fields, S &s) {
  std::set<std::string_view> seen;
  for (const YamlEntry &entry : place.node.entries) {
    const std::string path = path_below(place.path, printable_key(entry.key));
    if (!seen.insert(entry.key).second) {
      place.problems.add(entry.mark, path, "stands here twice; expected each key once");
      continue;
    }
    const ConfigField<S> *known = nullptr;
    for (const ConfigField<S> &field : fields)
      if (field.key == entry.key)
        known = &field;
    if (known == nullptr)
      place.problems.add(entry.mark, path,
                         fmt::format("no such key{}; expected one of {}",
                                     did_you_mean(entry.key, keys_of(fields)),
                                     listed(keys_of(fields))));
    else
      known->read({entry.value, path, place.problems}, s);
  }
  for (const ConfigField<S> &field : fields)
    if (field.is_required && !seen.contains(field.key))
      place.problems.add(place.node.mark, path_below(place.path, field.key),
                         fmt::format("is missing; expected {}", field.expected));
}

template <typename S> YamlNode write_fields(const ConfigFields<S> &fields, const S &s) {
  YamlNode node{.kind = YamlKind::map};
  for (const ConfigField<S> &field : fields)
    node.entries.push_back({.key = field.key, .mark = {}, .value = field.write(s)});
  return node;
}

// What doesn't fit together in a struct whose fields are sound each: `complain(key, what)`.
using ConfigComplaint = std::function<void(std::string_view key, std::string what)>;
template <typename S> using ConfigCheck = std::function<void(const S &, const ConfigComplaint &)>;

template <typename S>
void check_fields(const ConfigPlace &place, const ConfigCheck<S> &check, const S &s) {
  if (!check)
    return;
  check(s, [&](std::string_view key, const std::string &what) {
    const YamlEntry *entry = find_entry(place.node, key);
    place.problems.add(entry != nullptr ? entry->value.mark : place.node.mark,
                       path_below(place.path, std::string{key}), what);
  });
}

// A struct with its own map in the file.
template <typename S>
ConfigValue<S> section(const ConfigFields<S> &fields, const ConfigCheck<S> &check = {}) {
  std::vector<ConfigKey> keys = all_keys_of(fields);
  const std::string expected = fmt::format("a map with {}", listed(keys_of(fields)));
  return {.expected = expected,
          .read =
              [fields, check, expected](const ConfigPlace &place, S &s) {
                if (place.node.kind == YamlKind::scalar || place.node.kind == YamlKind::list)
                  return place.wrong(
                      fmt::format("{}; expected {}", name_of(place.node.kind), expected));
                read_fields(place, fields, s);
                check_fields(place, check, s);
              },
          .write = [fields](const S &s) { return write_fields(fields, s); },
          .keys_below = std::move(keys)};
}

// All of the list is replaced where the file has one.
template <typename T>
ConfigValue<std::vector<T>> list_of(const ConfigValue<T> &item, std::size_t max) {
  std::vector<ConfigKey> keys;
  for (const ConfigKey &below : item.keys_below)
    keys.push_back({"[]." + below.path, below.expected});
  const std::string expected = fmt::format("a list, each item {}", item.expected);
  return {.expected = expected,
          .read =
              [item, max, expected](const ConfigPlace &place, std::vector<T> &list) {
                if (place.node.kind == YamlKind::empty)
                  return;
                if (place.node.kind != YamlKind::list)
                  return place.wrong(
                      fmt::format("{}; expected {}", name_of(place.node.kind), expected));
                if (place.node.items.size() > max)
                  return place.wrong(
                      fmt::format("{} items; expected at most {}", place.node.items.size(), max));
                list.clear();
                for (const YamlNode &node : place.node.items) {
                  const std::string path = fmt::format("{}[{}]", place.path, list.size());
                  item.read({node, path, place.problems}, list.emplace_back());
                }
              },
          .write =
              [item](const std::vector<T> &list) {
                YamlNode node{.kind = YamlKind::list};
                for (const T &each : list)
                  node.items.push_back(item.write(each));
                return node;
              },
          .keys_below = std::move(keys)};
}

// "null" takes the value away.
template <typename T> ConfigValue<std::optional<T>> optional_of(const ConfigValue<T> &value) {
  return {.expected = value.expected,
          .read =
              [read = value.read](const ConfigPlace &place, std::optional<T> &optional) {
                if (place.node.kind == YamlKind::empty)
                  optional.reset();
                else
                  read(place, optional.emplace());
              },
          .write =
              [write = value.write](const std::optional<T> &optional) {
                return optional ? write(*optional) : YamlNode{};
              }};
}

// A value that is one word, from its text.
template <typename T>
ConfigValue<T> scalar(const std::string &expected,
                      const std::function<FromText<T>(std::string_view)> &from,
                      const std::function<std::string(const T &)> &to) {
  return {.expected = expected,
          .read =
              [expected, from](const ConfigPlace &place, T &value) {
                if (place.node.kind != YamlKind::scalar)
                  return place.wrong(
                      fmt::format("{}; expected {}", name_of(place.node.kind), expected));
                FromText<T> read = from(place.node.text);
                if (read)
                  value = *std::move(read);
                else
                  place.wrong(fmt::format("{}; expected {}", read.error(), expected));
              },
          .write = [to](const T &value) { return scalar_node(to(value)); }};
}

} // namespace mapscope::configuration
