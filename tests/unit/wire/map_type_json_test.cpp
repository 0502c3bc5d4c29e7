// Map types there and back, and everything that a hostile parser could answer instead.
#include "wire/map_type_json.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using Json = nlohmann::json;

const MapType kType{.name = "map[main.Key]main.Entry",
                    .key_bytes = 129,
                    .element_bytes = 24,
                    .group_bytes = 264,
                    .group_has_pointers = true,
                    .key_is_indirect = true,
                    .element_is_indirect = false};

TEST(MapTypeJsonTest, ComesBackAsItWent) {
  const std::vector<std::optional<MapType>> answers{kType, std::nullopt,
                                                    MapType{.name = "m", .group_bytes = 8}};
  const auto back = map_types_from_json(map_types_to_json(answers));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(*back, answers);
}

TEST(MapTypeJsonTest, NamesAreMadePrintable) {
  auto type = kType;
  type.name = "map[\x1b[2J]int";
  const auto back = map_types_from_json(map_types_to_json(std::vector{std::optional{type}}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->front()->name, "map[?[2J]int");
}

TEST(MapTypeJsonTest, RefusesWhatIsNoMapType) {
  const Json sound = map_types_to_json(std::vector{std::optional{kType}});
  EXPECT_TRUE(map_types_from_json(sound));
  EXPECT_FALSE(map_types_from_json(Json::object()));
  EXPECT_FALSE(map_types_from_json(sound[0]));
  for (std::size_t field = 0; field < sound[0].size(); ++field) {
    for (const Json &wrong : {Json{}, Json(-1), Json::array(), Json(1.5)}) {
      Json damaged = sound;
      damaged[0][field] = wrong;
      EXPECT_FALSE(map_types_from_json(damaged)) << field << " " << wrong;
    }
    Json shorter = sound;
    shorter[0].erase(field);
    EXPECT_FALSE(map_types_from_json(shorter)) << field;
  }
  Json longer = sound;
  longer[0].push_back(true);
  EXPECT_FALSE(map_types_from_json(longer));
}

TEST(MapTypeJsonTest, RefusesWhatNoProgramHas) {
  const auto refuses = [](const MapType &type) {
    return !is_possible(type) &&
           !map_types_from_json(map_types_to_json(std::vector{std::optional{type}}));
  };
  const auto with = [](auto field, auto value) {
    MapType type = kType;
    type.*field = value;
    return type;
  };
  EXPECT_TRUE(is_possible(kType));
  EXPECT_TRUE(refuses(with(&MapType::name, "")));
  EXPECT_TRUE(refuses(with(&MapType::name, std::string(5000, 'x'))));
  EXPECT_TRUE(refuses(with(&MapType::key_bytes, ~0ULL)));
  EXPECT_TRUE(refuses(with(&MapType::element_bytes, ~0ULL)));
  EXPECT_TRUE(refuses(with(&MapType::group_bytes, 0ULL)));
  EXPECT_TRUE(refuses(with(&MapType::group_bytes, 1ULL << 32)));
}

} // namespace
} // namespace mapscope
