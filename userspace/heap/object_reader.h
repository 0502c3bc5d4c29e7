// Reads heap objects in bulk, span by span: objects of one span lie together, and a whole page
// costs no more than one object of it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.h"
#include "flow/address_space.h"
#include "heap/resident_pages.h"
#include "heap/span_table.h"

namespace mapscope {

// A part of an object that a map needs to be read.
struct ObjectRequest {
  std::uint64_t address = 0;
  std::uint32_t size_bytes = 0;
  std::uint32_t span = 0; // that the address lies in
  std::uint32_t map = 0;  // the asker, in its batch
  std::uint32_t tag = 0;  // what the asker has to know when the answer comes
};

class ObjectReader {
public:
  ObjectReader(AddressSpace &space, SpanTable &spans) : space_(space), spans_(spans) {}

  // How one object after the other is looked up, and whether what is read adds to a digest.
  enum class Mode {
    bulk,    // in the table of spans
    one_map, // the same, with a digest, and in the runtime where the table has nothing
    afresh,  // in the runtime, since spans come and go; with a digest
  };
  void set_mode(Mode mode) {
    mode_ = mode;
    digest_ = 0xcbf29ce484222325; // FNV's offset basis
  }
  // Of all answers since set_mode(): equal for equal bytes.
  std::uint64_t digest() const { return digest_; }
  void add_to_digest(std::span<const std::byte> bytes);

  // The object whose data begins there.
  Result<std::optional<HeapObject>> object_at(std::uint64_t address);

  // Calls visit(const ObjectRequest &, std::span<const std::byte>) for each request, in no
  // particular order; without bytes where they could not be read, or it is too late. Visitors may
  // ask for more in another vector.
  template <typename Visit> Result<> read(std::span<const ObjectRequest> requests, Visit &&visit) {
    order_by_span(requests);
    for (std::size_t next = 0; next < order_.size();) {
      next = TRY(read_batch(requests, next));
      for (const Answer &answer : answers_)
        visit(requests[answer.request], bytes_of(answer));
    }
    return {};
  }

  // Which pages are in memory, and from when on nothing more is read: a process that moves its
  // memory about, or lies about it, must not keep anybody busy for ever.
  void set_resident_pages(const ResidentPages *pages) { pages_ = pages; }
  void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }
  bool is_late() const { return std::chrono::steady_clock::now() >= deadline_; }

  bool knows_residency() const { return pages_ != nullptr; }
  BytesInMemory in_memory(const HeapObject &object) const {
    return pages_ == nullptr ? BytesInMemory{} : pages_->of(object);
  }
  // Of the object that the address lies in.
  BytesInMemory in_memory(std::uint64_t address) const {
    auto object = pages_ == nullptr ? std::nullopt : spans_.find_object(address);
    return object ? pages_->of(*object) : BytesInMemory{};
  }

  AddressSpace &space() { return space_; }
  SpanTable &spans() { return spans_; }

private:
  struct Answer {
    std::uint32_t request = 0;
    std::uint32_t read = 0; // index in reads_
    std::uint32_t size_bytes = 0;
    std::uint64_t offset = 0; // in that read
  };

  void order_by_span(std::span<const ObjectRequest> requests);
  // Reads the next requests in order_ from `first` on. Returns the first that is left.
  Result<std::size_t> read_batch(std::span<const ObjectRequest> requests, std::size_t first);
  // Adds the requests [first, last) of one span to the batch.
  void add_span(std::span<const ObjectRequest> requests, std::size_t first, std::size_t last);
  void add_range(std::uint64_t address, std::uint64_t size_bytes);
  std::span<const std::byte> bytes_of(const Answer &answer); // empty: not readable

  AddressSpace &space_;
  SpanTable &spans_;
  const ResidentPages *pages_ = nullptr; // null: not known
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  Mode mode_ = Mode::bulk;
  std::uint64_t digest_ = 0;

  std::vector<std::uint32_t> order_;  // indexes of requests, by span
  std::vector<std::uint32_t> sorted_; // the same, while sorting
  std::vector<MemoryRead> reads_;
  std::vector<std::uint64_t> offsets_; // of each read in buffer_
  std::vector<Answer> answers_;
  std::vector<std::byte> buffer_;
  std::uint64_t used_ = 0;
};

} // namespace mapscope
