// A table with a limit: when it is full, what was not used for longest makes room.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace mapscope {

// Mixes all bits of a word into all others (the finalizer of splitmix64).
constexpr std::uint64_t mix_bits(std::uint64_t word) {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

// `Hash` turns a Key into a std::uint64_t that is mixed already. Entries live in one array that
// grows with their number, so a table that is hardly used is small whatever its limit.
template <typename Key, typename Value, typename Hash> class LruTable {
public:
  explicit LruTable(std::size_t entries_max) : entries_max_(entries_max), buckets_(kBucketsMin) {}

  // Null: not there. What is found becomes the most recently used. Valid until the next insert.
  Value *find(const Key &key) {
    std::uint32_t at = search(key);
    if (at == kNone)
      return nullptr;
    make_newest(at);
    return &nodes_[at].value;
  }

  // For a key that find() did not find.
  Value &insert(const Key &key, Value value) {
    std::uint32_t at = nodes_.size() < entries_max_ ? add_node() : reuse_oldest();
    Node &node = nodes_[at];
    node.key = key;
    node.value = std::move(value);
    std::uint32_t &bucket = bucket_of(key);
    node.next_in_bucket = bucket;
    bucket = at + 1;
    link_newest(at);
    return node.value;
  }

  std::size_t size() const { return nodes_.size(); }
  std::uint64_t forgotten() const { return forgotten_; }

private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  static constexpr std::size_t kBucketsMin = 16; // a power of two

  struct Node {
    Key key{};
    Value value{};
    std::uint32_t next_in_bucket = 0; // index + 1; 0: the last
    std::uint32_t newer = kNone, older = kNone;
  };

  std::uint32_t &bucket_of(const Key &key) { return buckets_[Hash{}(key) & (buckets_.size() - 1)]; }

  std::uint32_t search(const Key &key) {
    for (std::uint32_t next = bucket_of(key); next != 0; next = nodes_[next - 1].next_in_bucket)
      if (nodes_[next - 1].key == key)
        return next - 1;
    return kNone;
  }

  std::uint32_t add_node() {
    if (nodes_.size() >= buckets_.size())
      double_buckets();
    nodes_.emplace_back();
    return static_cast<std::uint32_t>(nodes_.size() - 1);
  }

  std::uint32_t reuse_oldest() {
    std::uint32_t at = oldest_;
    unlink(at);
    std::uint32_t *link = &bucket_of(nodes_[at].key);
    while (*link != at + 1)
      link = &nodes_[*link - 1].next_in_bucket;
    *link = nodes_[at].next_in_bucket;
    ++forgotten_;
    return at;
  }

  void double_buckets() {
    buckets_.assign(buckets_.size() * 2, 0);
    for (std::uint32_t at = 0; at < nodes_.size(); ++at) {
      std::uint32_t &bucket = bucket_of(nodes_[at].key);
      nodes_[at].next_in_bucket = bucket;
      bucket = at + 1;
    }
  }

  void make_newest(std::uint32_t at) {
    if (at == newest_)
      return;
    unlink(at);
    link_newest(at);
  }

  void unlink(std::uint32_t at) {
    Node &node = nodes_[at];
    (node.newer == kNone ? newest_ : nodes_[node.newer].older) = node.older;
    (node.older == kNone ? oldest_ : nodes_[node.older].newer) = node.newer;
  }

  void link_newest(std::uint32_t at) {
    nodes_[at].newer = kNone;
    nodes_[at].older = newest_;
    (newest_ == kNone ? oldest_ : nodes_[newest_].newer) = at;
    newest_ = at;
  }

  std::size_t entries_max_; // at least 1
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> buckets_; // index + 1 of the first node; 0: none
  std::uint32_t newest_ = kNone, oldest_ = kNone;
  std::uint64_t forgotten_ = 0;
};

} // namespace mapscope
