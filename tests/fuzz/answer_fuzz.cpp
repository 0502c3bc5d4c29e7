// What listens at the daemon's socket may be anybody: any bytes as an answer are a body, or refused
// with a sentence that can be printed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/printable.h"
#include "fuzz/fuzz_target.h"
#include "serve/api_server.h"

using namespace mapscope;

MAPSCOPE_FUZZ_TARGET(answer_fuzz, data, size_bytes) {
  const std::string answer{reinterpret_cast<const char *>(data), size_bytes};
  const auto body = body_of_answer(answer, "/run/socket", "/api/v1/status");
  if (body ? !answer.ends_with(*body) : body.error().message() != printable(body.error().message()))
    std::abort();
  return 0;
}
