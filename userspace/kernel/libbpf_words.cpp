// libbpf's words; see libbpf_words.h.
#include "kernel/libbpf_words.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <vector>

#include <bpf/libbpf.h>

#include "kernel/features.h"

namespace mapscope {
namespace {

thread_local std::string words;

int keep_words(libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN)
    return 0;
  char line[1024];
  int length = std::vsnprintf(line, sizeof(line), format, arguments);
  if (length > 0 && words.size() < 16384)
    words.append(line, std::min<std::size_t>(static_cast<std::size_t>(length), sizeof(line) - 1));
  return length;
}

// The end of them: the cause stands last.
std::string last_words() {
  constexpr std::size_t kBytesMax = 1200;
  if (words.size() <= kBytesMax)
    return words;
  return "..." + words.substr(words.size() - kBytesMax);
}

} // namespace

void keep_libbpf_words() {
  words.clear();
  libbpf_set_print(keep_words);
}

Error refused_load(const Error &error, std::span<const Feature> missing) {
  if (missing.empty())
    return {error.code(),
            fmt::format("{}; `mapscope doctor` tells what this kernel lacks. The kernel said: {}",
                        error.message(), last_words())};
  std::string names;
  for (const Feature &feature : missing)
    names += (names.empty() ? "" : ", ") + feature.name;
  return {
      error.code(),
      fmt::format("{}. This kernel lacks {}, without which the programs can't run; Linux 5.17 is "
                  "the oldest that has all they need. `mapscope doctor` tells what works without",
                  error.message(), names)};
}

Error with_libbpf_words(const Error &error) {
  if (error.code() == Errc::denied)
    return error;
  // The needs of `trace` are those of all programs that watch. What was denied may well be there.
  std::vector<Feature> missing = missing_for("trace", find_features());
  std::erase_if(missing,
                [](const Feature &feature) { return feature.availability != Availability::no; });
  return refused_load(error, missing);
}

} // namespace mapscope
