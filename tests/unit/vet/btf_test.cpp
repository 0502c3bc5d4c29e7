// BTF that lies: cycles, huge counts, offsets outside; made by hand, record by record.
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "binary/btf.h"
#include "binary/btf_maps.h"

namespace mapscope {
namespace {

constexpr std::uint32_t kInt = 1, kPtr = 2, kArray = 3, kStruct = 4, kTypedef = 8, kConst = 10,
                        kVar = 14, kDatasec = 15;

// A section of BTF, as a compiler would write it.
class BtfImage {
public:
  std::uint32_t name(const std::string &text) {
    const auto at = static_cast<std::uint32_t>(strings_.size());
    strings_ += text + '\0';
    return at;
  }
  // The number of the type.
  std::uint32_t add(std::uint32_t name, std::uint32_t kind, std::uint32_t vlen,
                    std::uint32_t size_or_type, const std::vector<std::uint32_t> &tail = {}) {
    words({name, kind << 24 | vlen, size_or_type});
    words(tail);
    return ++count_;
  }
  std::uint32_t add_int() { return add(name("int"), kInt, 0, 4, {32}); }
  std::uint32_t add_uint(std::uint32_t value) { // __uint()
    return add(0, kPtr, 0, add(0, kArray, 0, 0, {1, 1, value}));
  }
  std::vector<std::byte> bytes() const {
    std::string out;
    auto put = [&](auto value) {
      out.append(reinterpret_cast<const char *>(&value), sizeof(value));
    };
    put(std::uint16_t{0xeb9f});
    put(std::uint16_t{1});
    put(std::uint32_t{24});
    put(std::uint32_t{0});
    put(static_cast<std::uint32_t>(types_.size()));
    put(static_cast<std::uint32_t>(types_.size()));
    put(static_cast<std::uint32_t>(strings_.size()));
    out += types_ + strings_;
    const auto *begin = reinterpret_cast<const std::byte *>(out.data());
    return {begin, begin + out.size()};
  }

private:
  void words(const std::vector<std::uint32_t> &words) {
    types_.append(reinterpret_cast<const char *>(words.data()), words.size() * sizeof(words[0]));
  }
  std::string types_, strings_ = std::string(1, '\0');
  std::uint32_t count_ = 0;
};

std::string error_of_maps(const BtfImage &image) {
  const auto bytes = image.bytes();
  const auto maps = read_btf_maps(bytes);
  return maps ? "" : maps.error().message();
}

TEST(BtfTest, ReadsAMap) {
  BtfImage image;
  image.add_int();
  const auto type = image.add_uint(1), entries = image.add_uint(7);
  const auto key = image.add(0, kPtr, 0, 1);
  const auto definition = image.add(0, kStruct, 3, 24,
                                    {image.name("type"), type, 0, image.name("max_entries"),
                                     entries, 64, image.name("key"), key, 128});
  const auto variable = image.add(image.name("table"), kVar, 0, definition, {1});
  image.add(image.name(".maps"), kDatasec, 1, 24, {variable, 0, 24});
  const auto bytes = image.bytes();
  const auto maps = read_btf_maps(bytes);
  ASSERT_TRUE(maps) << maps.error().message();
  ASSERT_EQ(maps->size(), 1u);
  EXPECT_EQ(maps->front().name, "table");
  EXPECT_EQ(maps->front().type_number, 1u);
  EXPECT_EQ(maps->front().max_entries, 7u);
  EXPECT_EQ(maps->front().key_bytes, 4u);
  EXPECT_EQ(maps->front().key_type->name, "int");
}

TEST(BtfTest, ATypeThatIsItselfEnds) {
  BtfImage image;
  image.add(image.name("me"), kTypedef, 0, 1);
  const auto array = image.add(0, kArray, 0, 0, {2, 1, 1});
  const auto bytes = image.bytes();
  const auto btf = Btf::parse(bytes);
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->resolve(1));
  EXPECT_FALSE(btf->size_of(1));
  EXPECT_FALSE(btf->size_of(array)); // an array of itself
  EXPECT_FALSE(btf->c_name(array));
}

TEST(BtfTest, APointerCycleEnds) {
  BtfImage image;
  image.add(0, kPtr, 0, 2);
  image.add(0, kPtr, 0, 1);
  const auto bytes = image.bytes();
  const auto btf = Btf::parse(bytes);
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->c_name(1));
  EXPECT_EQ(*btf->size_of(1), 8u);
}

TEST(BtfTest, AVariableOfACyclicTypeIsAnError) {
  BtfImage image;
  image.add(0, kConst, 0, 2);
  image.add(0, kConst, 0, 1);
  const auto variable = image.add(image.name("table"), kVar, 0, 1, {1});
  image.add(image.name(".maps"), kDatasec, 1, 8, {variable, 0, 8});
  EXPECT_NE(error_of_maps(image).find("cycle"), std::string::npos) << error_of_maps(image);
}

TEST(BtfTest, AMapOfItselfIsAnError) {
  BtfImage image;
  image.add_int();
  // struct { struct <itself> *values[]; }
  const std::uint32_t definition = 4;
  const auto pointer = image.add(0, kPtr, 0, definition);
  const auto array = image.add(0, kArray, 0, 0, {pointer, 1, 0});
  ASSERT_EQ(image.add(0, kStruct, 1, 0, {image.name("values"), array, 0}), definition);
  const auto variable = image.add(image.name("table"), kVar, 0, definition, {1});
  image.add(image.name(".maps"), kDatasec, 1, 8, {variable, 0, 8});
  EXPECT_NE(error_of_maps(image).find("map of maps of maps"), std::string::npos)
      << error_of_maps(image);
}

TEST(BtfTest, SizesThatWrapAreErrors) {
  BtfImage image;
  image.add_int();
  std::uint32_t array = 1;
  for (int i = 0; i < 3; ++i)
    array = image.add(0, kArray, 0, 0, {array, 1, 0xffffffff});
  const auto bytes = image.bytes();
  const auto btf = Btf::parse(bytes);
  ASSERT_TRUE(btf);
  EXPECT_FALSE(btf->size_of(array));
}

TEST(BtfTest, MoreMembersThanTheSectionHasAreAnError) {
  BtfImage image;
  image.add(0, kStruct, 0xffff, 4);
  const auto bytes = image.bytes();
  EXPECT_FALSE(Btf::parse(bytes));
}

TEST(BtfTest, ManyVariablesOfOneHugeDefinitionEnd) {
  BtfImage image;
  image.add_int();
  std::vector<std::uint32_t> members;
  const auto type = image.add_uint(1), name = image.name("type");
  for (int i = 0; i < 60'000; ++i)
    members.insert(members.end(), {name, type, 0});
  const auto definition = image.add(0, kStruct, 60'000, 8, members);
  const auto variable = image.add(image.name("table"), kVar, 0, definition, {1});
  std::vector<std::uint32_t> variables;
  for (int i = 0; i < 60'000; ++i)
    variables.insert(variables.end(), {variable, 0, 8});
  image.add(image.name(".maps"), kDatasec, 60'000, 8, variables);
  EXPECT_NE(error_of_maps(image).find("more than"), std::string::npos) << error_of_maps(image);
}

TEST(BtfTest, AnythingCutShortIsAnError) {
  BtfImage image;
  image.add_int();
  const auto bytes = image.bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(Btf::parse(std::span{bytes}.first(size))) << size;
  EXPECT_TRUE(Btf::parse(bytes));
}

} // namespace
} // namespace mapscope
