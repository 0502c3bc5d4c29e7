// Keys that mean the same in every document.
#include "report/report_json.h"

namespace mapscope {

Json frame_json(const SourceFrame &frame) {
  return {{"function", frame.function},
          {"file", or_null(frame.file)},
          {"line", frame.line == 0 ? Json(nullptr) : Json(frame.line)}};
}

Json losses_json(const EventLosses &losses) {
  Json lost = Json::object();
  for (const NamedLoss &loss : losses.lost)
    lost[std::string{loss.name}] = loss.count;
  return {{"sent", losses.sent}, {"lost", lost}};
}

Json command_json(const std::optional<CommandEnd> &command) {
  if (!command)
    return nullptr;
  return {{"exit_status", or_null(command->exit_status)}, {"signal", or_null(command->signal)}};
}

} // namespace mapscope
