// The profile of maps, read back as pprof reads it.
#include "report/maps_pprof.h"

#include <array>
#include <map>

#include <gtest/gtest.h>
#include <protozero/pbf_reader.hpp>
#include <zlib.h>

#include "unit/report/maps_fixture.h"

namespace mapscope {
namespace {

std::string inflated(std::string bytes) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef *>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  std::array<char, 4096> piece;
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef *>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = ::inflate(&stream, Z_NO_FLUSH);
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  EXPECT_EQ(status, Z_STREAM_END);
  ::inflateEnd(&stream);
  return out;
}

struct Sample {
  std::vector<std::string> stack; // leaf first: "main.fill /src/app/main.go:41"
  std::vector<std::int64_t> values;
  std::map<std::string, std::string> labels;
};

struct Profile {
  std::vector<std::string> texts, value_names;
  std::vector<Sample> samples;
  std::map<std::uint64_t, std::string> functions, locations;
  std::int64_t time_ns = 0;
  std::string default_type;
};

template <typename Read> void each(const std::string &bytes, std::uint32_t tag, Read read) {
  protozero::pbf_reader message{bytes};
  while (message.next(tag))
    read(message);
}

void read_function(Profile &profile, protozero::pbf_reader function) {
  std::uint64_t id = 0;
  std::string name;
  while (function.next())
    switch (function.tag()) {
    case 1:
      id = function.get_uint64();
      break;
    case 2:
      name = profile.texts.at(static_cast<std::size_t>(function.get_int64()));
      break;
    case 4:
      if (auto file = static_cast<std::size_t>(function.get_int64()); file != 0)
        name += " " + profile.texts.at(file);
      break;
    default:
      ADD_FAILURE() << "field " << function.tag(); // system_name above all
      function.skip();
    }
  EXPECT_TRUE(profile.functions.emplace(id, name).second);
}

void read_location(Profile &profile, protozero::pbf_reader location) {
  std::uint64_t id = 0;
  std::string text;
  while (location.next())
    if (location.tag() == 1) {
      id = location.get_uint64();
    } else if (location.tag() == 4) {
      protozero::pbf_reader line = location.get_message();
      while (line.next())
        if (line.tag() == 1)
          text = profile.functions.at(line.get_uint64());
        else if (std::int64_t number = line.get_int64(); number != 0)
          text += ":" + std::to_string(number);
    } else {
      location.skip();
    }
  EXPECT_NE(id, 0U);
  EXPECT_TRUE(profile.locations.emplace(id, text).second);
}

Sample read_sample(const Profile &profile, protozero::pbf_reader message) {
  Sample sample;
  while (message.next())
    if (message.tag() == 1) {
      for (std::uint64_t id : message.get_packed_uint64())
        sample.stack.push_back(profile.locations.at(id));
    } else if (message.tag() == 2) {
      for (std::int64_t value : message.get_packed_int64())
        sample.values.push_back(value);
    } else {
      protozero::pbf_reader label = message.get_message();
      std::array<std::string, 3> parts;
      while (label.next())
        parts.at(label.tag()) = profile.texts.at(static_cast<std::size_t>(label.get_int64()));
      sample.labels[parts[1]] = parts[2];
    }
  return sample;
}

Profile parsed(const MapsProfile &maps) {
  auto written = maps_pprof(maps);
  EXPECT_TRUE(written.has_value());
  const std::string bytes = inflated(std::move(*written));
  Profile profile;
  each(bytes, 6, [&](auto &field) { profile.texts.push_back(field.get_string()); });
  each(bytes, 5, [&](auto &field) { read_function(profile, field.get_message()); });
  each(bytes, 4, [&](auto &field) { read_location(profile, field.get_message()); });
  each(bytes, 2,
       [&](auto &field) { profile.samples.push_back(read_sample(profile, field.get_message())); });
  each(bytes, 9, [&](auto &field) { profile.time_ns = field.get_int64(); });
  auto text = [&](std::int64_t number) {
    return profile.texts.at(static_cast<std::size_t>(number));
  };
  each(bytes, 14, [&](auto &field) { profile.default_type = text(field.get_int64()); });
  each(bytes, 1, [&](auto &field) {
    protozero::pbf_reader type = field.get_message();
    std::string name;
    while (type.next())
      name += (name.empty() ? "" : "/") + text(type.get_int64());
    profile.value_names.push_back(name);
  });
  return profile;
}

using Texts = std::vector<std::string>;
using Numbers = std::vector<std::int64_t>;

MapsProfile two_maps() {
  MapsProfile maps{.wall_time_ns = 1'795'285'510'000'000'000, .exe = "/srv/app"};
  maps.rows = {{.maps = 3,
                .bytes = 4096,
                .reclaimable_bytes = 1024,
                .entries = 17,
                .type = "map[int]int",
                .owner = owner_of_entries(),
                .sites = {{.frame = frame_of("main.fill", 41), .samples = 2}}},
               {.maps = 1, .bytes = 48, .owner = {.reach = Reach::unreachable}}};
  return maps;
}

TEST(MapsPprofTest, TheOwnerPathIsTheStack) {
  const Profile profile = parsed(two_maps());
  EXPECT_EQ(profile.value_names,
            (Texts{"maps/count", "entries/count", "bytes/bytes", "reclaimable/bytes",
                   "inuse_space/bytes", "alloc_space/bytes"}));
  EXPECT_EQ(profile.default_type, "bytes");
  EXPECT_EQ(profile.time_ns, 1'795'285'510'000'000'000);
  EXPECT_EQ(profile.texts.at(0), "");
  ASSERT_EQ(profile.samples.size(), 2U);
  const Sample &held = profile.samples[0];
  EXPECT_EQ(held.stack, (Texts{"map[int]int", "*Cache.shards[].entries", "main.store"}));
  EXPECT_EQ(held.values, (Numbers{3, 17, 4096, 1024, 0, 0}));
  EXPECT_EQ(held.labels,
            (std::map<std::string, std::string>{{"type", "map[int]int"},
                                                {"site", "main.fill /src/app/main.go:41"},
                                                {"owner_class", "variable"},
                                                {"reachable", "yes"}}));
  EXPECT_EQ(profile.samples[1].stack, (Texts{"map of unknown type", "unreachable (garbage)"}));
  EXPECT_EQ(profile.samples[1].labels.at("reachable"), "no");
  EXPECT_FALSE(profile.samples[1].labels.contains("site"));
}

TEST(MapsPprofTest, WhatMapCodeAllocatedHasValuesOfItsOwn) {
  MapsProfile maps;
  maps.uses = maps_report_with_owners().site_uses;
  const Profile profile = parsed(maps);
  ASSERT_EQ(profile.samples.size(), 1U);
  EXPECT_EQ(profile.samples[0].stack,
            (Texts{"main.fill /src/app/main.go:41", "main.main /src/app/main.go:9"}));
  EXPECT_EQ(profile.samples[0].values, (Numbers{0, 0, 0, 0, 1000, 5000}));
}

TEST(MapsPprofTest, EveryTextIsWrittenOnce) {
  MapsProfile maps = two_maps();
  maps.rows.resize(1);
  maps.rows.resize(1000, maps.rows.front());
  const Profile profile = parsed(maps);
  EXPECT_EQ(profile.samples.size(), 1000U);
  EXPECT_EQ(profile.locations.size(), 3U);
  EXPECT_LT(profile.texts.size(), 40U);
}

TEST(MapsPprofTest, AStackHasAnEnd) {
  MapsProfile maps = two_maps();
  std::string path = "main.list";
  for (int i = 0; i < 1000; ++i)
    path += " → *node.next";
  maps.rows[0].owner.path = path;
  EXPECT_LE(parsed(maps).samples[0].stack.size(), 201U);
}

} // namespace
} // namespace mapscope
