// What words say of types, against a program that knows what they are.
#include "heap/owners/dynamic_types.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "binary/go_binary.h"
#include "binary/program_roots.h"
#include "support/census_program.h"
#include "support/file_content.h"
#include "support/go_releases.h"
#include "unit/binary/built_programs.h"

namespace mapscope {
namespace {

using testing::CensusProgram;

// The words of one line that the program printed.
using Line = std::vector<std::string>;

std::uint64_t hex(const std::string &text) { return std::stoull(text, nullptr, 16); }

std::optional<ProgramRoots> roots_of(const std::string &path) {
  const auto file = testing::file_bytes(path);
  auto binary = GoBinary::open(file, path);
  auto roots = binary ? read_roots(*binary) : std::unexpected(binary.error());
  return roots ? std::optional{*std::move(roots)} : std::nullopt;
}

class DynamicTypesTest : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
protected:
  void SetUp() override {
    const auto &[version, mode] = GetParam();
    const auto path =
        built({"tests/fixtures/dynamic_types", ".", "dynamic_types-" + version + "-" + mode},
              version, "", mode == "stripped" ? "-trimpath -ldflags='-s -w'" : "-trimpath");
    if (!path)
      GTEST_SKIP() << "Go " << version << " can't be had";
    program_.emplace(*path, std::vector<std::string>{});
    ASSERT_TRUE(program_->is_ready());
    roots_ = roots_of(*path);
    ASSERT_TRUE(roots_);
    layout_ = *HeapLayout::from(program_->facts);
    const auto root = find_heap(memory(), program_->anchors, layout_);
    ASSERT_TRUE(root) << root.error().message();
    auto spans = SpanTable::read(memory(), *root, layout_);
    ASSERT_TRUE(spans) << spans.error().message();
    spans_.emplace(*std::move(spans));
    auto go_types = GoTypes::read(memory(), program_->anchors.types, program_->facts);
    ASSERT_TRUE(go_types) << go_types.error().message();
    types_.emplace(memory(), *std::move(go_types), layout_, *spans_, &*roots_, LoadBias{});
  }

  testing::ChildMemory &memory() { return program_->memory(); }
  bool has_generics() const { return program_->facts.version.minor >= 18; }

  std::vector<Line> lines(const std::string &kind) const {
    std::vector<Line> found;
    for (const auto &[number, text] : program_->noise) {
      std::istringstream words{text};
      Line line{std::istream_iterator<std::string>{words}, {}};
      if (!line.empty() && line[0] == kind)
        found.push_back({line.begin() + 1, line.end()});
    }
    return found;
  }

  std::string name_of(std::uint64_t type) const {
    const auto header = types_->types().memory().header(type);
    return header ? types_->types().memory().type_name(*header) : "";
  }

  DynamicType of(std::uint64_t word, std::optional<bool> is_empty) {
    const auto type = types_->of_interface(word, is_empty);
    EXPECT_TRUE(type) << type.error().message();
    return type.value_or(DynamicType{});
  }

  void expect_interfaces(const std::string &kind, bool is_empty, std::size_t count);
  void expect_fields(const Line &line);
  std::uint64_t word_at(std::uint64_t address) {
    return read_value<std::uint64_t>(memory(), address).value_or(0);
  }

  std::optional<CensusProgram> program_;
  std::optional<ProgramRoots> roots_;
  HeapLayout layout_;
  std::optional<SpanTable> spans_;
  std::optional<DynamicTypes> types_;
};

void DynamicTypesTest::expect_interfaces(const std::string &kind, bool is_empty,
                                         std::size_t count) {
  const auto all = lines(kind);
  ASSERT_EQ(all.size(), count);
  for (const Line &line : all) {
    const std::uint64_t word = hex(line[0]);
    std::string name = line[2];
    for (std::size_t i = 3; i < line.size(); ++i)
      name += " " + line[i];
    // Asked as what it is, as anything, and as what it is not.
    for (const std::optional<bool> asked : {std::optional{is_empty}, std::optional<bool>{}}) {
      const DynamicType type = of(word, asked);
      ASSERT_NE(type.descriptor, 0u) << name;
      EXPECT_EQ(type.is_direct, line[1] == "1") << name;
      EXPECT_EQ(type.descriptor == word, is_empty) << name;
      // Only reflect knows the names of types that it made.
      if (const std::string told = name_of(type.descriptor); !told.empty()) {
        EXPECT_EQ(told, name);
      } else {
        EXPECT_TRUE(spans_->find_span(type.descriptor)) << name;
      }
    }
    EXPECT_EQ(of(word, !is_empty).descriptor, 0u) << name;
  }
}

TEST_P(DynamicTypesTest, DescriptorsAreTypesOfEmptyInterfaces) {
  expect_interfaces("empty", true, 44);
}

TEST_P(DynamicTypesTest, ItabsNameTypesOfOtherInterfaces) { expect_interfaces("itab", false, 19); }

TEST_P(DynamicTypesTest, OtherWordsAreNoTypes) {
  const auto junk = lines("junk");
  ASSERT_GT(junk.size(), 1700u);
  std::set<std::uint64_t> words;
  for (const Line &line : junk)
    words.insert(hex(line[0]));
  // Parts of descriptors and itabs, and what lies around them.
  std::set<std::uint64_t> sound;
  for (const Line &line : lines("empty"))
    sound.insert(hex(line[0]));
  for (const Line &line : lines("itab"))
    sound.insert(hex(line[0]));
  for (const std::uint64_t word : sound)
    for (std::uint64_t distance = 1; distance < 32; ++distance) // the shortest itab
      words.insert(word + distance);
  for (const std::uint64_t word : words)
    for (const std::optional<bool> asked :
         {std::optional{true}, std::optional{false}, std::optional<bool>{}}) {
      if (!sound.contains(word)) {
        EXPECT_EQ(of(word, asked).descriptor, 0u) << std::hex << word;
      }
      EXPECT_EQ(types_->closure_type(word), 0u) << std::hex << word;
    }
}

// Of every word of the data of types, only those are types at which one begins: there is nothing
// but the next type, a method table or the like in between.
TEST_P(DynamicTypesTest, NoTypeBeginsInsideOfAnother) {
  const TypeMemory &types = types_->types().memory();
  std::uint64_t end = 0, count = 0;
  for (std::uint64_t at = types.start(); at < types.start() + types.bytes().size(); at += 8) {
    if (of(at, true).descriptor == 0)
      continue;
    EXPECT_GE(at, end) << std::hex << at << " " << name_of(at);
    end = at + TypeFields::kBytes;
    ++count;
  }
  EXPECT_GT(count, 400u);
}

// The fields of a closure are what it captured, by value or by pointer.
void DynamicTypesTest::expect_fields(const Line &line) {
  const std::uint64_t closure = hex(line[0]);
  std::string text = line[1];
  for (std::size_t i = 2; i < line.size(); ++i)
    text += " " + line[i];
  std::multiset<std::string> wanted, found;
  std::istringstream parts{text};
  std::set<std::string> unknown; // types of fields whose words the program did not say
  for (std::string part; std::getline(parts, part, ';');) {
    if (part.ends_with("=*"))
      unknown.insert(part.substr(0, part.size() - 2));
    wanted.insert(part);
  }
  const std::uint64_t descriptor = types_->closure_type(word_at(closure));
  ASSERT_NE(descriptor, 0u) << text;
  const auto type = types_->types().type({descriptor});
  ASSERT_TRUE(type);
  for (std::size_t i = 1; i < type->fields.size(); ++i) {
    const GoField &field = type->fields[i];
    found.insert(field.type_name + "=" +
                 (unknown.contains(field.type_name)
                      ? "*"
                      : fmt::format("{:x}", word_at(closure + field.offset))));
  }
  EXPECT_EQ(found, wanted);
}

TEST_P(DynamicTypesTest, ClosuresHaveWhatTheyCaptured) {
  const auto closures = lines("closure");
  ASSERT_EQ(closures.size(), 3u);
  for (const Line &line : closures)
    expect_fields(line);
}

TEST_P(DynamicTypesTest, DictionariesNameTheMapsOfGenericCode) {
  const auto generic = lines("generic");
  ASSERT_EQ(generic.size(), has_generics() ? 39u : 0u);
  std::size_t named = 0;
  for (const Line &line : generic) {
    const std::uint64_t closure = hex(line[0]), map = hex(line[1]), real = hex(line[2]);
    const std::uint64_t descriptor = types_->closure_type(word_at(closure));
    ASSERT_NE(descriptor, 0u);
    const auto type = types_->types().type({descriptor});
    const auto leaves = types_->types().leaves({descriptor});
    ASSERT_TRUE(type && leaves);
    const GoField &last = type->fields.back();
    for (const TypeLeaf &leaf : *leaves) {
      if (leaf.kind != GoKind::map || word_at(closure + leaf.offset) != map)
        continue;
      EXPECT_TRUE(types_->is_shape(leaf.element)) << name_of(leaf.element);
      EXPECT_FALSE(types_->is_shape(real)) << name_of(real);
      std::uint64_t words = 0;
      // Until Go 1.19 it is a word without a type, of no known length.
      if (std::sscanf(last.type_name.c_str(), "*[%lu]uintptr", &words) != 1)
        continue;
      const auto found =
          types_->map_type_in_dictionary(word_at(closure + last.offset), words, leaf.element);
      ASSERT_TRUE(found);
      EXPECT_EQ(*found, real) << name_of(*found) << " and not " << name_of(real);
      ++named;
      // No dictionary at all, and one of another closure.
      for (const std::uint64_t other :
           {closure, word_at(closure), std::uint64_t{0}, ~std::uint64_t{0}}) {
        const auto none = types_->map_type_in_dictionary(other, words, leaf.element);
        ASSERT_TRUE(none);
        EXPECT_EQ(*none, 0u);
      }
    }
  }
  EXPECT_EQ(named, program_->facts.version.minor >= 20 ? generic.size() : 0u);
}

TEST_P(DynamicTypesTest, PointersAreThoseThatTheCollectorFollows) {
  const auto lines_of_objects = lines("object");
  ASSERT_EQ(lines_of_objects.size(), 372u);
  std::vector<HeapObject> objects;
  for (const Line &line : lines_of_objects) {
    const auto object = spans_->find_object(hex(line[0]));
    ASSERT_TRUE(object && object->data() == hex(line[0]));
    objects.push_back(*object);
  }
  PointerBits bits(memory(), layout_, *spans_);
  ASSERT_TRUE(bits.read(objects));
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const HeapObject &object = objects[i];
    const std::string &mask = lines_of_objects[i][2];
    const auto told = bits.of(object);
    const auto words = bits.words(object);
    ASSERT_TRUE(words);
    if (layout_.has_malloc_headers() && object.size_bytes > kHeaderlessBytesMax) {
      EXPECT_FALSE(told);
      EXPECT_FALSE(*words);
      continue;
    }
    ASSERT_TRUE(told) << object.size_bytes;
    ASSERT_TRUE(*words) << object.size_bytes;
    std::string all(object.size_bytes / 8, '0');
    std::ranges::copy(mask, all.begin());
    std::string found;
    for (const bool is_pointer : **words)
      found += is_pointer ? '1' : '0';
    EXPECT_EQ(found, all);
    for (std::size_t word = 0; word < 64; ++word)
      EXPECT_EQ((*told >> word & 1) != 0, word < all.size() && all[word] == '1');
  }
  // Nothing is kept for the next round.
  ASSERT_TRUE(bits.read({}));
  for (const HeapObject &object : objects)
    EXPECT_FALSE(bits.of(object));
}

INSTANTIATE_TEST_SUITE_P(Releases, DynamicTypesTest,
                         ::testing::Combine(::testing::ValuesIn(kGoReleases),
                                            ::testing::Values("plain", "stripped")),
                         [](const auto &test) {
                           std::string name =
                               std::get<0>(test.param) + "_" + std::get<1>(test.param);
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

} // namespace
} // namespace mapscope
