// Every field checked; texts made printable.
#include "wire/source_json.h"

#include <cstdint>
#include <utility>

#include "base/printable.h"

namespace mapscope {

using Json = nlohmann::json;

Json frames_to_json(std::span<const SourceFrames> answers) {
  Json lists = Json::array();
  for (const SourceFrames &frames : answers) {
    Json list = Json::array();
    for (const SourceFrame &frame : frames)
      list.push_back(Json::array({frame.function, frame.file, frame.line, frame.inlined}));
    lists.push_back(std::move(list));
  }
  return lists;
}

Result<std::vector<SourceFrames>> frames_from_json(const Json &json) {
  auto wrong = fail(Errc::malformed, "not a list of source frames");
  if (!json.is_array())
    return wrong;
  std::vector<SourceFrames> answers;
  for (const Json &list : json) {
    if (!list.is_array())
      return wrong;
    SourceFrames &frames = answers.emplace_back();
    for (const Json &frame : list) {
      if (!frame.is_array() || frame.size() != 4 || !frame[0].is_string() ||
          !frame[1].is_string() || !frame[2].is_number_unsigned() || !frame[3].is_boolean() ||
          frame[2].get<std::uint64_t>() > UINT32_MAX)
        return wrong;
      frames.push_back({.function = printable(frame[0].get_ref<const std::string &>()),
                        .file = printable(frame[1].get_ref<const std::string &>()),
                        .line = frame[2].get<std::uint32_t>(),
                        .inlined = frame[3].get<bool>()});
    }
  }
  return answers;
}

Json error_to_json(const Error &error) {
  return Json::array({static_cast<unsigned>(error.code()), error.message()});
}

Error error_from_json(const Json &json) {
  if (json.is_array() && json.size() == 2 && json[0].is_number_unsigned() && json[1].is_string() &&
      json[0].get<std::uint64_t>() <= static_cast<std::uint64_t>(Errc::system))
    return {static_cast<Errc>(json[0].get<std::uint64_t>()),
            printable(json[1].get_ref<const std::string &>())};
  return {Errc::malformed, "an error that makes no sense"};
}

} // namespace mapscope
