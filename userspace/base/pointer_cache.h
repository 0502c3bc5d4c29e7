// What was worked out for a shared value, found again by the value's address.
#pragma once

#include <cassert>
#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

namespace mapscope {

// Keeps each key alive, so that an address cannot come to mean another value, and holds at most
// `size_max` of them. When it is full it starts over, which is rare and cheap where few keys make
// up most of the traffic; keeping an order of use would cost every look-up.
template <typename Key, typename Value> class PointerCache {
public:
  explicit PointerCache(std::size_t size_max) : size_max_(size_max) { assert(size_max > 0); }

  // The value for `key` (which may be null), made by `make()` at first. The reference holds until
  // the next call.
  template <typename Make> const Value &get(const std::shared_ptr<const Key> &key, Make &&make) {
    auto found = entries_.find(key.get());
    if (found != entries_.end())
      return found->second.value;
    Value value = std::invoke(std::forward<Make>(make));
    if (entries_.size() == size_max_)
      entries_.clear();
    return entries_.emplace(key.get(), Entry{key, std::move(value)}).first->second.value;
  }

  std::size_t size() const { return entries_.size(); }

private:
  struct Entry {
    std::shared_ptr<const Key> key;
    Value value;
  };

  std::size_t size_max_;
  std::unordered_map<const Key *, Entry> entries_;
};

} // namespace mapscope
