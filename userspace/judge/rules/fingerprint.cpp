// A stable hash, and its text.
#include "judge/rules/fingerprint.h"

#include <charconv>

#include <fmt/format.h>

namespace mapscope {

namespace {

constexpr std::uint64_t kPrime = 0x100000001b3;
constexpr std::uint64_t kStart = 0xcbf29ce484222325, kOtherStart = 0x6c62272e07bb0142;

class Fnv1a {
public:
  explicit Fnv1a(std::uint64_t start) : hash_(start) {}

  void add(std::string_view text) {
    add(text.size());
    for (char c : text)
      hash_ = (hash_ ^ static_cast<unsigned char>(c)) * kPrime;
  }
  void add(std::uint64_t number) {
    for (unsigned shift = 0; shift < 64; shift += 8)
      hash_ = (hash_ ^ (number >> shift & 0xff)) * kPrime;
  }

  std::uint64_t mixed() const {
    std::uint64_t hash = hash_;
    hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccd;
    hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53;
    return hash ^ hash >> 33;
  }

private:
  std::uint64_t hash_;
};

std::optional<std::uint64_t> from_hex(std::string_view text) {
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

} // namespace

std::string AlertFingerprint::text() const { return fmt::format("{:016x}{:016x}", high, low); }

std::optional<AlertFingerprint> AlertFingerprint::from_text(std::string_view text) {
  if (text.size() != 32)
    return std::nullopt;
  auto high = from_hex(text.substr(0, 16)), low = from_hex(text.substr(16));
  if (!high || !low)
    return std::nullopt;
  return AlertFingerprint{*high, *low};
}

AlertFingerprint fingerprint_of(std::string_view boot_id, ProcessKey process, std::string_view rule,
                                std::string_view subject) {
  const auto hash = [&](std::uint64_t start) {
    Fnv1a fnv{start};
    fnv.add(boot_id);
    fnv.add(std::uint64_t{process.pid});
    fnv.add(process.start_time_ns);
    fnv.add(rule);
    fnv.add(subject);
    return fnv.mixed();
  };
  return {hash(kStart), hash(kOtherStart)};
}

} // namespace mapscope
