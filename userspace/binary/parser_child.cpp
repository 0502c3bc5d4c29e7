// A parser's life, from confinement to its last answer.
#include "binary/parser_child.h"

#include <cstdlib>
#include <new>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "binary/go_binary.h"
#include "binary/map_calls.h"
#include "binary/map_types.h"
#include "binary/parser_socket.h"
#include "binary/program_roots.h"
#include "binary/read_facts.h"
#include "wire/facts_json.h"
#include "wire/map_type_json.h"
#include "wire/roots_archive.h"
#include "wire/source_json.h"

namespace mapscope {
namespace {

using Json = nlohmann::json;

Result<std::span<const std::byte>> map_file(const Fd &file, std::uint64_t size_bytes) {
  void *bytes = ::mmap(nullptr, size_bytes, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (bytes == MAP_FAILED)
    return std::unexpected(Error::from_errno("mapping the file"));
  return std::span{static_cast<const std::byte *>(bytes), size_bytes};
}

// Of the instruction in front of each return address; see BinaryNames.
std::vector<std::optional<MapType>> map_types_at_calls(const GoBinary &binary,
                                                       std::span<const ElfAddress> addresses) {
  const MapTypeReader reader{binary};
  std::vector<std::optional<MapType>> types;
  for (ElfAddress address : addresses)
    types.push_back(map_type_at_call(binary, reader, address));
  return types;
}

std::vector<std::optional<MapType>> map_types(const GoBinary &binary,
                                              std::span<const ElfAddress> addresses) {
  const MapTypeReader reader{binary};
  std::vector<std::optional<MapType>> types;
  for (ElfAddress address : addresses)
    types.push_back(reader.read(address));
  return types;
}

Result<Json> answer_roots(const GoBinary &binary) {
  const Bytes bytes = roots_to_bytes(TRY(read_roots(binary)));
  const auto *first = reinterpret_cast<const std::uint8_t *>(bytes.data());
  return Json{{"roots", Json::binary({first, first + bytes.size()})}};
}

Result<Json> answer(const GoBinary &binary, const Json &question) {
  const Json &what = question.at("ask");
  if (what == "facts")
    return Json{{"facts", facts_to_json(TRY(read_facts(binary)))}};
  if (what == "roots")
    return answer_roots(binary);
  std::vector<ElfAddress> addresses;
  for (const Json &address : question.at("addresses"))
    addresses.push_back({address.get<std::uint64_t>()});
  if (what == "map_types")
    return Json{{"map_types", map_types_to_json(map_types(binary, addresses))}};
  if (what == "map_types_at_calls")
    return Json{{"map_types_at_calls", map_types_to_json(map_types_at_calls(binary, addresses))}};
  return Json{{"frames", frames_to_json(binary.symbolize(addresses))}};
}

// Answers questions until the parent closes its end.
Result<> serve(const Fd &socket, const Result<GoBinary> &binary) {
  while (true) {
    const Json question = TRY(receive_message(socket, AnswerTime::unlimited()));
    const auto reply = binary ? answer(*binary, question) : std::unexpected(binary.error());
    TRY(send_message(socket, reply ? *reply : Json{{"error", error_to_json(reply.error())}},
                     AnswerTime::unlimited()));
  }
}

Result<GoBinary> confine_and_open(Fd file, const Fd &socket, std::uint64_t size_bytes,
                                  std::string path, const Confinement &confinement) {
  auto bytes = TRY(map_file(file, size_bytes));
  file.reset(); // closing is among the calls that will be forbidden
  TRY_WHILE(confine_this_process(socket, confinement), "confining the parser");
  return GoBinary::open(bytes, std::move(path));
}

} // namespace

void run_parser_child(Fd file, Fd socket, std::uint64_t size_bytes, std::string path,
                      const Confinement &confinement) {
  try {
    (void)serve(socket, confine_and_open(std::move(file), socket, size_bytes, std::move(path),
                                         confinement));
  } catch (const std::bad_alloc &) {
    ::_exit(EXIT_FAILURE); // ParserProcess knows
  }
  ::_exit(EXIT_SUCCESS);
}

} // namespace mapscope
