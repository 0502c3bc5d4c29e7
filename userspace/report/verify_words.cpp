// One place for each enumeration's words, so that no two outputs differ.
#include "report/verify_words.h"

#include <array>
#include <cstddef>

namespace mapscope {

namespace {

template <std::size_t Size, typename Enum>
std::string_view word_at(const std::array<std::string_view, Size> &words, Enum value) {
  auto index = static_cast<std::size_t>(value);
  return index < Size ? words[index] : std::string_view{};
}

} // namespace

std::string_view word_for(Outcome outcome) {
  constexpr std::array<std::string_view, 3> words = {"clean", "violated", "inconclusive"};
  return word_at(words, outcome);
}

std::string_view word_for(call_class klass) {
  constexpr std::array<std::string_view, CALL_CLASS_COUNT> words = {
      "other", "file", "memory", "scheduling", "network", "time", "signal", "process"};
  return word_at(words, klass);
}

std::string_view word_for(descriptor_kind descriptor) {
  constexpr std::array<std::string_view, DESCRIPTOR_KIND_COUNT> words = {
      "unknown", "file",     "directory", "pipe",   "socket",
      "event",   "terminal", "device",    "memory", "closed"};
  return word_at(words, descriptor);
}

std::string_view word_for(MapImplementation implementation) {
  constexpr std::array<std::string_view, 3> words = {"", "classic", "swiss"};
  return word_at(words, implementation);
}

std::string_view word_for(loss what) {
  constexpr std::array<std::string_view, 7> words = {
      "goroutine_unreadable", "window_unreadable", "window_table_full", "pending_table_full",
      "tls_mismatch",         "stack_unreadable",  "target_table_full"};
  return word_at(words, what);
}

} // namespace mapscope
