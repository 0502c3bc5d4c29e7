// One function for each class of lengths, as the runtime has them.
#include "heap/aes_hash.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mapscope {

#if defined(__x86_64__)

#define MAPSCOPE_AES __attribute__((target("aes,ssse3,sse4.1")))

namespace {

MAPSCOPE_AES inline __m128i load_block(const std::byte *bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes));
}

MAPSCOPE_AES inline __m128i key_block(const HashKeys &keys, std::size_t index) {
  return load_block(keys.data() + 16 * index);
}

// aesenc of a register with itself.
MAPSCOPE_AES inline __m128i scramble(__m128i block) { return _mm_aesenc_si128(block, block); }

MAPSCOPE_AES inline __m128i scramble_3_times(__m128i block) {
  return scramble(scramble(scramble(block)));
}

// The seed of the map, and the length four times.
MAPSCOPE_AES inline __m128i start(std::uint64_t seed, std::size_t length) {
  const __m128i block =
      _mm_set_epi64x(static_cast<long long>(length & 0xffff), static_cast<long long>(seed));
  return _mm_shufflehi_epi16(block, 0);
}

MAPSCOPE_AES inline std::uint64_t low_word(__m128i block) {
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(block));
}

template <typename T> inline T load_at(const std::byte *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Fewer than 16 bytes, zeroes behind. Reads none beyond them, unlike the runtime, which may.
MAPSCOPE_AES inline __m128i short_block(const std::byte *bytes, std::size_t length) {
  std::uint64_t low = 0, high = 0;
  if (length >= 8) {
    low = load_at<std::uint64_t>(bytes);
    if (length > 8)
      high = load_at<std::uint64_t>(bytes + length - 8) >> (8 * (16 - length));
  } else if (length >= 4) {
    low = load_at<std::uint32_t>(bytes) | std::uint64_t{load_at<std::uint32_t>(bytes + length - 4)}
                                              << (8 * (length - 4));
  } else {
    for (std::size_t i = 0; i < length; ++i)
      low |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  }
  return _mm_set_epi64x(static_cast<long long>(high), static_cast<long long>(low));
}

// 17 to 128 bytes: Lanes / 2 blocks from the front and as many from the end, which may overlap.
template <std::size_t Lanes>
MAPSCOPE_AES inline std::uint64_t hash_lanes(const std::byte *bytes, std::size_t length,
                                             __m128i unscrambled, __m128i seed,
                                             const HashKeys &keys) {
  __m128i lanes[Lanes];
  for (std::size_t i = 0; i < Lanes; ++i) {
    const __m128i lane_seed =
        i == 0 ? seed : scramble(_mm_xor_si128(unscrambled, key_block(keys, i)));
    const std::byte *from = i < Lanes / 2 ? bytes + 16 * i : bytes + length - 16 * (Lanes - i);
    lanes[i] = scramble_3_times(_mm_xor_si128(load_block(from), lane_seed));
  }
  for (std::size_t half = Lanes / 2; half != 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i)
      lanes[i] = _mm_xor_si128(lanes[i], lanes[i + half]);
  return low_word(lanes[0]);
}

// More than 128 bytes: the last 128 start the state, then come all blocks of 128 from the front.
MAPSCOPE_AES std::uint64_t hash_long(const std::byte *bytes, std::size_t length,
                                     __m128i unscrambled, __m128i seed, const HashKeys &keys) {
  __m128i lanes[8];
  for (std::size_t i = 0; i < 8; ++i) {
    const __m128i lane_seed =
        i == 0 ? seed : scramble(_mm_xor_si128(unscrambled, key_block(keys, i)));
    lanes[i] = _mm_xor_si128(load_block(bytes + length - 16 * (8 - i)), lane_seed);
  }
  for (std::size_t block = 0; block < (length - 1) / 128; ++block)
    for (std::size_t i = 0; i < 8; ++i)
      lanes[i] = _mm_aesenc_si128(scramble(lanes[i]), load_block(bytes + 128 * block + 16 * i));
  for (__m128i &lane : lanes)
    lane = scramble_3_times(lane);
  for (std::size_t half = 4; half != 0; half /= 2)
    for (std::size_t i = 0; i < half; ++i)
      lanes[i] = _mm_xor_si128(lanes[i], lanes[i + half]);
  return low_word(lanes[0]);
}

} // namespace

bool can_hash_with_aes() {
  static const bool can = __builtin_cpu_supports("aes") && __builtin_cpu_supports("ssse3") &&
                          __builtin_cpu_supports("sse4.1");
  return can;
}

MAPSCOPE_AES std::uint64_t hash_memory(std::span<const std::byte> bytes, std::uint64_t seed,
                                       const HashKeys &keys) {
  const std::byte *data = bytes.data();
  const std::size_t length = bytes.size();
  const __m128i unscrambled = start(seed, length);
  const __m128i first = scramble(_mm_xor_si128(unscrambled, key_block(keys, 0)));
  if (length == 0)
    return low_word(scramble(first));
  if (length < 16)
    return low_word(scramble_3_times(_mm_xor_si128(short_block(data, length), first)));
  if (length == 16)
    return low_word(scramble_3_times(_mm_xor_si128(load_block(data), first)));
  if (length <= 32)
    return hash_lanes<2>(data, length, unscrambled, first, keys);
  if (length <= 64)
    return hash_lanes<4>(data, length, unscrambled, first, keys);
  if (length <= 128)
    return hash_lanes<8>(data, length, unscrambled, first, keys);
  return hash_long(data, length, unscrambled, first, keys);
}

MAPSCOPE_AES std::uint64_t hash_word(std::uint64_t value, std::uint64_t seed,
                                     const HashKeys &keys) {
  __m128i block = _mm_set_epi64x(static_cast<long long>(value), static_cast<long long>(seed));
  for (std::size_t i = 0; i < 3; ++i)
    block = _mm_aesenc_si128(block, key_block(keys, i));
  return low_word(block);
}

#undef MAPSCOPE_AES

#else

// Go hashes with AES on arm64 too, in another order of rounds that nobody has written down here.
bool can_hash_with_aes() { return false; }
std::uint64_t hash_memory(std::span<const std::byte>, std::uint64_t, const HashKeys &) { return 0; }
std::uint64_t hash_word(std::uint64_t, std::uint64_t, const HashKeys &) { return 0; }

#endif

} // namespace mapscope
