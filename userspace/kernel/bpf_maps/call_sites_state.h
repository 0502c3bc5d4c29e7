// What registers and stack slots can hold at one point of a BPF program, as far as maps go.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

struct bpf_insn;

namespace mapscope {

// All that a register can hold on any path to here. Without anything it is a number.
struct HeldValue {
  static constexpr std::size_t kThingsMax = 4;
  static constexpr std::uint32_t kFunction = 1U << 31; // a function that starts at this instruction

  std::array<std::uint32_t, kThingsMax> things{}; // indexes of maps, or functions; ascending
  std::uint8_t thing_count = 0;
  bool other = false; // what is not followed: memory, arguments, also a map that was lost sight of
  bool inner = false; // what came out of a map: of a map of maps, one that it holds
  bool stack = false; // an address in the function's own frame

  static HeldValue number() { return {}; }
  static HeldValue unknown() { return {.other = true}; }
  static HeldValue thing(std::uint32_t which) { return {.things = {which}, .thing_count = 1}; }

  std::span<const std::uint32_t> all() const { return {things.data(), thing_count}; }
  bool has_map() const { return thing_count != 0 && (things[0] & kFunction) == 0; }
  void add(const HeldValue &more); // it can hold that as well

  auto operator<=>(const HeldValue &) const = default;

private:
  void add_thing(std::uint32_t which);
};

// Registers by number; stack slots of 8 bytes by their negative offset from the frame pointer.
// Who is not in it holds the unknown.
class HeldValues {
public:
  using Arguments = std::array<HeldValue, 5>;

  // At the start of a function.
  static HeldValues of_arguments(const Arguments &arguments);

  HeldValue get(std::int16_t place) const;
  void set(std::int16_t place, const HeldValue &value);
  Arguments arguments() const;       // of a call here; stack addresses are the caller's then
  bool add(const HeldValues &other); // what another path brings; whether that is news
  void step(const bpf_insn &next);   // what one instruction that is no jump leaves
  void after_call(const HeldValue &r0, bool callee_may_write_here);

private:
  void store(const bpf_insn &instruction, const HeldValue &value);
  void add_to_slots(const HeldValue &value); // a store to who knows which of them
  HeldValue loaded(const bpf_insn &instruction) const;
  void calculate(const bpf_insn &instruction);

  std::vector<std::pair<std::int16_t, HeldValue>> held_; // by place
};

} // namespace mapscope
