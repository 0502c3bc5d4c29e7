// Writes the message of github.com/google/pprof, proto/profile.proto: every text, function and
// location once, samples that name them by number.
#include "report/maps_pprof.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include <fmt/format.h>
#include <protozero/pbf_writer.hpp>
#include <zlib.h>

#include "report/maps_owner_words.h"

namespace mapscope {

namespace {

// Field numbers of profile.proto.
namespace profile {
enum : protozero::pbf_tag_type {
  sample_type = 1,
  sample = 2,
  mapping = 3,
  location = 4,
  function = 5,
  string_table = 6,
  time_nanos = 9,
  comment = 13,
  default_sample_type = 14,
};
}
namespace value_type {
enum : protozero::pbf_tag_type { type = 1, unit = 2 };
}
namespace sample {
enum : protozero::pbf_tag_type { location_id = 1, value = 2, label = 3 };
}
namespace label {
enum : protozero::pbf_tag_type { key = 1, str = 2 };
}
namespace mapping {
enum : protozero::pbf_tag_type {
  id = 1,
  filename = 5,
  has_functions = 7,
  has_filenames = 8,
  has_line_numbers = 9,
  has_inline_frames = 10,
};
}
namespace location {
enum : protozero::pbf_tag_type { id = 1, mapping_id = 2, line = 4 };
}
namespace line {
enum : protozero::pbf_tag_type { function_id = 1, line = 2 };
}
namespace function {
enum : protozero::pbf_tag_type { id = 1, name = 2, filename = 4 };
}

constexpr std::size_t kStackMax = 200; // frames; pprof shows no deeper ones that can be read
constexpr std::uint64_t kMapping = 1;

// What a sample counts. Those of maps are what a look found; the last two are estimates from the
// program's own profile, of other stacks, so each sample has values of one kind alone. Their names
// are those of heap profiles of Go: pprof would take "inuse_bytes" for "bytes".
enum Value : std::size_t { maps, entries, bytes, reclaimable, in_use, allocated, kValues };
struct ValueName {
  std::string_view type, unit;
};
constexpr std::array<ValueName, kValues> kValueNames = {{{"maps", "count"},
                                                         {"entries", "count"},
                                                         {"bytes", "bytes"},
                                                         {"reclaimable", "bytes"},
                                                         {"inuse_space", "bytes"},
                                                         {"alloc_space", "bytes"}}};
using Values = std::array<std::uint64_t, kValues>;
using Label = std::pair<std::string_view, std::string>;

std::int64_t as_signed(std::uint64_t value) {
  return static_cast<std::int64_t>(
      std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max()));
}

class ProfileWriter {
public:
  ProfileWriter() { text(""); } // number 0, as the format wants it

  void sample(const std::vector<std::uint64_t> &leaf_first, const Values &values,
              const std::vector<Label> &labels) {
    std::string bytes;
    protozero::pbf_writer message{bytes};
    message.add_packed_uint64(sample::location_id, leaf_first.begin(), leaf_first.end());
    std::array<std::int64_t, kValues> numbers{};
    std::ranges::transform(values, numbers.begin(), as_signed);
    message.add_packed_int64(sample::value, numbers.begin(), numbers.end());
    for (const auto &[key, value] : labels) {
      if (value.empty())
        continue;
      protozero::pbf_writer entry{message, sample::label};
      entry.add_int64(label::key, text(key));
      entry.add_int64(label::str, text(value));
    }
    protozero::pbf_writer{body_}.add_message(profile::sample, bytes);
  }

  // The number of a frame.
  std::uint64_t frame(std::string_view name, std::string_view file = {}, std::uint32_t line = 0) {
    const std::int64_t name_id = text(name), file_id = text(file);
    auto [function, is_new_function] =
        functions_.try_emplace({name_id, file_id}, functions_.size() + 1);
    auto [location, is_new_location] =
        locations_.try_emplace({function->second, line}, locations_.size() + 1);
    protozero::pbf_writer body{body_};
    if (is_new_function) {
      // No system_name: pprof would take names with brackets for C++, and cut them.
      protozero::pbf_writer message{body, profile::function};
      message.add_uint64(function::id, function->second);
      message.add_int64(function::name, name_id);
      message.add_int64(function::filename, file_id);
    }
    if (is_new_location) {
      protozero::pbf_writer message{body, profile::location};
      message.add_uint64(location::id, location->second);
      message.add_uint64(location::mapping_id, kMapping);
      protozero::pbf_writer source{message, location::line};
      source.add_uint64(line::function_id, function->second);
      source.add_int64(line::line, line);
    }
    return location->second;
  }

  std::string finish(const MapsProfile &maps) {
    protozero::pbf_writer body{body_};
    for (const ValueName &name : kValueNames) {
      protozero::pbf_writer message{body, profile::sample_type};
      message.add_int64(value_type::type, text(name.type));
      message.add_int64(value_type::unit, text(name.unit));
    }
    {
      // One that says that nothing is left to be looked up in the executable.
      protozero::pbf_writer message{body, profile::mapping};
      message.add_uint64(mapping::id, kMapping);
      message.add_int64(mapping::filename, text(maps.exe));
      for (auto tag : {mapping::has_functions, mapping::has_filenames, mapping::has_line_numbers,
                       mapping::has_inline_frames})
        message.add_bool(tag, true);
    }
    body.add_int64(profile::default_sample_type, text(kValueNames[bytes].type));
    body.add_int64(profile::time_nanos, as_signed(maps.wall_time_ns));
    const std::array comments = {
        text("maps, entries, bytes, reclaimable: of all maps, by the path of who holds them, the "
             "type of the map at its end"),
        text("inuse_space, alloc_space: what map code allocated, by its stack, estimated from the "
             "program's own memory profile")};
    body.add_packed_int64(profile::comment, comments.begin(), comments.end());
    for (const std::string *entry : in_order_)
      body.add_string(profile::string_table, *entry);
    return std::move(body_);
  }

private:
  std::int64_t text(std::string_view text) {
    auto [place, is_new] =
        numbers_.try_emplace(std::string{text}, static_cast<std::int64_t>(numbers_.size()));
    if (is_new)
      in_order_.push_back(&place->first);
    return place->second;
  }

  std::string body_;
  std::unordered_map<std::string, std::int64_t> numbers_;
  std::vector<const std::string *> in_order_;
  std::map<std::pair<std::int64_t, std::int64_t>, std::uint64_t> functions_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> locations_;
};

// "main.store", "*Cache.shards[].entries", ...
std::vector<std::string> steps_of(const MapOwner &owner) {
  constexpr std::string_view kArrow = " → ";
  if (owner.path.empty())
    return {owner.reach == Reach::unreachable ? "unreachable (garbage)" : "owner not known"};
  std::vector<std::string> steps;
  std::string_view rest = owner.path;
  while (steps.size() + 1 < kStackMax) {
    const std::size_t end = rest.find(kArrow);
    if (end == rest.npos)
      break;
    steps.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end + kArrow.size());
  }
  steps.emplace_back(rest);
  if (owner.root_class == OwnerClass::goroutine)
    steps.front() += " (stack)";
  return steps;
}

std::string_view word_for(Reach reach) {
  return reach == Reach::reachable ? "yes" : reach == Reach::unreachable ? "no" : "unknown";
}

void append_row(const MapsProfileRow &row, ProfileWriter &writer) {
  const std::string type = row.type.empty() ? "map of unknown type" : row.type;
  std::vector<std::uint64_t> stack{writer.frame(type)};
  const std::vector<std::string> steps = steps_of(row.owner);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step)
    stack.push_back(writer.frame(*step));
  Values values{};
  values[maps] = row.maps;
  values[entries] = row.entries;
  values[bytes] = row.bytes;
  values[reclaimable] = row.reclaimable_bytes;
  writer.sample(stack, values,
                {{"type", type},
                 {"site", row.sites.empty() ? "" : full_site_text(row.sites.front().frame)},
                 {"owner_class", std::string{name_of(row.owner.root_class)}},
                 {"reachable", std::string{word_for(row.owner.reach)}}});
}

void append_use(const SiteUse &use, ProfileWriter &writer) {
  std::vector<std::uint64_t> stack;
  for (const SourceFrame &frame : use.stack)
    if (stack.size() < kStackMax)
      stack.push_back(writer.frame(frame.function, frame.file, frame.line));
  if (stack.empty())
    stack.push_back(writer.frame(use.frame.function, use.frame.file, use.frame.line));
  Values values{};
  values[in_use] = use.in_use_bytes;
  values[allocated] = use.allocated_bytes;
  writer.sample(stack, values, {{"site", full_site_text(use.frame)}});
}

Result<std::string> gzipped(std::string_view text) {
  constexpr int kGzipWindow = 15 + 16, kMemoryLevel = 8;
  z_stream stream{};
  const auto failure = [](std::string_view what) {
    return fail(Errc::system, "{}: out of memory", what);
  };
  if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK)
    return failure("compressing a profile");
  std::string out;
  std::array<char, 64 << 10> piece;
  int status = Z_OK;
  while (status != Z_STREAM_END) {
    if (stream.avail_in == 0 && !text.empty()) {
      const std::size_t size = std::min<std::size_t>(text.size(), 1 << 30);
      // zlib never writes through next_in; its type lacks a const.
      stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(text.data()));
      stream.avail_in = static_cast<uInt>(size);
      text.remove_prefix(size);
    }
    stream.next_out = reinterpret_cast<Bytef *>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    status = ::deflate(&stream, text.empty() ? Z_FINISH : Z_NO_FLUSH);
    if (status == Z_STREAM_ERROR)
      break;
    out.append(piece.data(), piece.size() - stream.avail_out);
  }
  ::deflateEnd(&stream);
  if (status != Z_STREAM_END)
    return failure("compressing a profile");
  return out;
}

} // namespace

Result<std::string> maps_pprof(const MapsProfile &profile) {
  ProfileWriter writer;
  for (const MapsProfileRow &row : profile.rows)
    append_row(row, writer);
  for (const SiteUse &use : profile.uses)
    append_use(use, writer);
  return gzipped(writer.finish(profile));
}

} // namespace mapscope
