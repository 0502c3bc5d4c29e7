// How instructions move maps between registers and stack slots; see call_sites_state.h.
//
// The verifier has proved more than this must know: that a map's pointer is never calculated with,
// and that what a lookup gets as its map is one. So a mistake on the side of "unknown" only widens
// bounds.
#include "kernel/bpf_maps/call_sites_state.h"

#include <algorithm>

#include <linux/bpf.h>

namespace mapscope {

namespace {

constexpr std::int16_t kFramePointer = BPF_REG_10;
constexpr std::uint8_t kModeBits = 0xe0, kSizeBits = 0x18, kOperationBits = 0xf0;
constexpr std::uint8_t kModeMemory = 0x60, kModeAtomic = 0xc0;
constexpr std::int32_t kLoadAcquire = 0x100, kStoreRelease = 0x110; // since 6.15

// Registers, and more slots than compilers spill maps to.
constexpr std::size_t kPlacesMax = 28;

bool is_slot(std::int16_t place) { return place < 0; }

} // namespace

void HeldValue::add_thing(std::uint32_t which) {
  auto *end = things.begin() + thing_count;
  auto *where = std::lower_bound(things.begin(), end, which);
  if (where != end && *where == which)
    return;
  if (thing_count == kThingsMax) {
    other = true; // too many to name
    return;
  }
  std::move_backward(where, end, end + 1);
  *where = which;
  ++thing_count;
}

void HeldValue::add(const HeldValue &more) {
  for (auto which : more.all())
    add_thing(which);
  other |= more.other;
  inner |= more.inner;
  stack |= more.stack;
}

HeldValues HeldValues::of_arguments(const Arguments &arguments) {
  HeldValues values;
  for (std::size_t i = 0; i < arguments.size(); ++i)
    values.set(static_cast<std::int16_t>(BPF_REG_1 + i), arguments[i]);
  values.set(kFramePointer, {.stack = true});
  return values;
}

HeldValue HeldValues::get(std::int16_t place) const {
  auto found = std::ranges::lower_bound(held_, place, {}, &decltype(held_)::value_type::first);
  return found != held_.end() && found->first == place ? found->second : HeldValue::unknown();
}

void HeldValues::set(std::int16_t place, const HeldValue &value) {
  auto found = std::ranges::lower_bound(held_, place, {}, &decltype(held_)::value_type::first);
  const bool is_there = found != held_.end() && found->first == place;
  if (value == HeldValue::unknown()) {
    if (is_there)
      held_.erase(found);
  } else if (is_there) {
    found->second = value;
  } else if (!is_slot(place) || held_.size() < kPlacesMax) {
    held_.insert(found, {place, value});
  }
}

HeldValues::Arguments HeldValues::arguments() const {
  Arguments arguments;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    arguments[i] = get(static_cast<std::int16_t>(BPF_REG_1 + i));
    arguments[i].other |= arguments[i].stack;
    arguments[i].stack = false;
  }
  return arguments;
}

bool HeldValues::add(const HeldValues &other) {
  bool is_news = false;
  for (std::size_t i = 0; i < held_.size();) {
    const auto place = held_[i].first;
    HeldValue both = held_[i].second;
    both.add(other.get(place));
    if (both == held_[i].second) {
      ++i;
      continue;
    }
    is_news = true;
    if (both == HeldValue::unknown())
      held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    else
      held_[i++].second = both;
  }
  for (const auto &[place, value] : other.held_) { // unknown here, something there
    HeldValue both = get(place);
    const HeldValue before = both;
    both.add(value);
    if (both != before) {
      set(place, both);
      is_news |= get(place) != before; // there may be no room for it
    }
  }
  return is_news;
}

void HeldValues::add_to_slots(const HeldValue &value) {
  for (std::size_t i = held_.size(); i-- > 0;) {
    if (!is_slot(held_[i].first))
      continue;
    HeldValue both = held_[i].second;
    both.add(value);
    set(held_[i].first, both);
  }
}

void HeldValues::after_call(const HeldValue &r0, bool callee_may_write_here) {
  for (std::int16_t place = BPF_REG_1; place <= BPF_REG_5; ++place)
    set(place, HeldValue::unknown());
  set(BPF_REG_0, r0);
  if (callee_may_write_here)
    add_to_slots(HeldValue::unknown());
}

// Only whole slots through the frame pointer are followed, which is how compilers spill.
void HeldValues::store(const bpf_insn &instruction, const HeldValue &value) {
  const bool is_whole = (instruction.code & kSizeBits) == BPF_DW;
  if (instruction.dst_reg == kFramePointer) {
    if (instruction.off >= 0)
      return;
    const auto slot = static_cast<std::int16_t>(-((-instruction.off + 7) / 8 * 8));
    const bool is_followed = is_whole && slot == instruction.off && value != HeldValue::number();
    set(slot, is_followed ? value : HeldValue::unknown());
    if (slot != instruction.off && slot + 8 < 0) // it may reach into the next
      set(static_cast<std::int16_t>(slot + 8), HeldValue::unknown());
    return;
  }
  if (is_whole && get(static_cast<std::int16_t>(instruction.dst_reg)).stack)
    add_to_slots(value);
}

HeldValue HeldValues::loaded(const bpf_insn &instruction) const {
  if ((instruction.code & kSizeBits) != BPF_DW || (instruction.code & kModeBits) != kModeMemory)
    return HeldValue::unknown();
  if (instruction.src_reg == kFramePointer)
    return instruction.off < 0 && instruction.off % 8 == 0 ? get(instruction.off)
                                                           : HeldValue::unknown();
  // An element of a map of maps is a pointer to a map.
  const HeldValue base = get(static_cast<std::int16_t>(instruction.src_reg));
  return base == HeldValue{.inner = true} ? base : HeldValue::unknown();
}

void HeldValues::calculate(const bpf_insn &instruction) {
  const auto place = static_cast<std::int16_t>(instruction.dst_reg);
  const auto operation = instruction.code & kOperationBits;
  const bool has_source = (instruction.code & BPF_X) != 0;
  const bool is_wide = (instruction.code & 0x07) == BPF_ALU64;
  const HeldValue source =
      has_source ? get(static_cast<std::int16_t>(instruction.src_reg)) : HeldValue::number();
  if (operation == BPF_MOV) {
    // With an offset it extends the sign or makes an address of another kind.
    if (!has_source || (is_wide && instruction.off == 0))
      set(place, source);
    else
      set(place, source.inner && is_wide ? HeldValue{.inner = true} : HeldValue::unknown());
    return;
  }
  const HeldValue before = get(place);
  // The code of a lookup in an array calculates with the map: what comes of it is an element.
  const bool is_element =
      is_wide && (before.inner || source.inner || (!has_source && before.has_map()));
  const bool is_stack = before.stack || source.stack;
  set(place, {.other = !is_element || is_stack, .inner = is_element, .stack = is_stack});
}

void HeldValues::step(const bpf_insn &next) {
  const auto destination = static_cast<std::int16_t>(next.dst_reg);
  switch (next.code & 0x07) {
  case BPF_ALU:
  case BPF_ALU64:
    calculate(next);
    return;
  case BPF_LDX:
    set(destination, loaded(next));
    return;
  case BPF_ST:
    if ((next.code & kModeBits) == kModeMemory)
      store(next, HeldValue::number());
    return;
  case BPF_STX:
    if ((next.code & kModeBits) != kModeAtomic || next.imm == kStoreRelease) {
      store(next, get(static_cast<std::int16_t>(next.src_reg)));
    } else if (next.imm == kLoadAcquire) {
      set(destination, HeldValue::unknown());
    } else { // an exchange may leave a slot's pointer in either
      store(next, HeldValue::unknown());
      set(static_cast<std::int16_t>(next.src_reg), HeldValue::unknown());
      set(BPF_REG_0, HeldValue::unknown());
    }
    return;
  default: // loads of constants and packets are the caller's; jumps leave nothing
    return;
  }
}

} // namespace mapscope
