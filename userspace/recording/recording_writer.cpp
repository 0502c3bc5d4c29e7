// Items in the order of the calls; see recording_writer.h.
#include "recording/recording_writer.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "recording/fields.h"
#include "wire/facts_json.h"

namespace mapscope {
namespace {

constexpr std::uint64_t kFlushInterval_ns = 1'000'000'000;

} // namespace

Result<std::unique_ptr<RecordingWriter>> RecordingWriter::create(Fd file, std::string path,
                                                                 Clock clock) {
  auto chunks = TRY_WHILE(ChunkWriter::create(std::move(file)), "recording to {}", path);
  return std::unique_ptr<RecordingWriter>{
      new RecordingWriter{std::move(chunks), std::move(path), std::move(clock)}};
}

RecordingWriter::RecordingWriter(ChunkWriter chunks, std::string path, Clock clock)
    : chunks_(std::move(chunks)), path_(std::move(path)), clock_(std::move(clock)) {}

RecordingWriter::Clock RecordingWriter::monotonic_clock() {
  return [] { return now_ns(); };
}

RecordingWriter::~RecordingWriter() { (void)close(); }

std::shared_ptr<BinaryNames> RecordingWriter::listen(std::shared_ptr<BinaryNames> names) {
  if (!names)
    return nullptr;
  std::weak_ptr<ListenedNames> &known = listened_[names.get()];
  if (auto listening = known.lock())
    return listening;
  auto listening = std::make_shared<ListenedNames>(++names_count_, std::move(names), pending_);
  known = listening;
  std::erase_if(listened_, [](const auto &entry) { return entry.second.expired(); });
  return listening;
}

Result<> RecordingWriter::close() {
  if (!is_closed_) {
    is_closed_ = true;
    add_answers();
    chunks_.flush();
    if (pending_->is_full)
      note({Errc::unsupported,
            fmt::format("more than {} names were asked for, and the later ones were not kept",
                        format_count(kAnswersMax))});
  }
  if (!chunks_.status())
    return fail(chunks_.status().error().code(),
                "recording to {}: {}; what came after is not in it, {} among that", path_,
                chunks_.status().error().message(),
                format_counted(chunks_.unkept_record_count(), "record"));
  if (!problem_)
    return std::unexpected(Error{problem_.error()}.while_doing("recording to " + path_));
  return {};
}

void RecordingWriter::start(const RunStart &start) {
  has_begun_ = true;
  add(ItemKind::start, start);
  flush(); // on its own: nothing can be replayed without it
}

// The numbers of its facts and names go in front of it; 0: it has none.
void RecordingWriter::target_start(const TargetStart &target) {
  add_answers();
  const std::uint64_t binary = number_of(target.facts);
  Bytes body;
  FieldWriter{body}(binary, number_of(target.names), target);
  add_bytes(ItemKind::target_start, body);
}

void RecordingWriter::record(std::span<const std::byte> record) {
  if (!is_closed_) [[likely]]
    chunks_.add_record(record);
}

void RecordingWriter::drained() {
  add_answers();
  add_bytes(ItemKind::drained, {});
  if (clock_() - flushed_ns_ >= kFlushInterval_ns)
    flush();
}

void RecordingWriter::goroutines(const GoroutineSnapshot &snapshot) {
  add_answers();
  Bytes body;
  FieldWriter{body}(snapshot);
  for (GoroutineSnapshot part = snapshot; body.size() > kItemBytesMax;) {
    part.is_complete = false;
    part.goroutines.resize(part.goroutines.size() / 2);
    body.clear();
    FieldWriter{body}(part);
    note({Errc::unsupported, "there were too many goroutines to keep them all"});
  }
  add_bytes(ItemKind::goroutines, body);
}

void RecordingWriter::remark(const Remark &remark) {
  add_answers();
  add(ItemKind::remark, remark);
}

void RecordingWriter::target_end(const TargetEnd &end) {
  add_answers();
  add(ItemKind::target_end, end);
}

void RecordingWriter::end(const RunEnd &end) {
  add_answers();
  add(ItemKind::end, end);
}

template <typename T> void RecordingWriter::add(ItemKind kind, const T &item) {
  Bytes body;
  FieldWriter{body}(item);
  add_bytes(kind, body);
}

void RecordingWriter::add_bytes(ItemKind kind, std::span<const std::byte> body) {
  if (body.size() > kItemBytesMax)
    return note(
        {Errc::unsupported, fmt::format("an item of {} does not fit", format_bytes(body.size()))});
  chunks_.add(kind, body);
}

void RecordingWriter::add_answers() {
  for (const Bytes &answers : std::exchange(pending_->items, {}))
    add_bytes(ItemKind::names, answers);
}

// Kept once, however many processes run the executable.
std::uint64_t RecordingWriter::number_of(const std::shared_ptr<const BinaryFacts> &facts) {
  if (!facts)
    return 0;
  const auto message = nlohmann::json::to_msgpack(facts_to_json(*facts));
  const auto bytes = std::as_bytes(std::span{message});
  const auto [known, is_new] =
      binaries_.try_emplace(Bytes{bytes.begin(), bytes.end()}, binaries_.size() + 1);
  if (!is_new)
    return known->second;
  binary_bytes_ += bytes.size();
  if (binary_bytes_ > kBinaryBytesMax) {
    note({Errc::unsupported, "too many different executables: the later ones were not kept"});
    return known->second = 0;
  }
  Bytes body;
  FieldWriter{body}(known->second);
  body.insert(body.end(), bytes.begin(), bytes.end());
  add_bytes(ItemKind::binary, body);
  return known->second;
}

std::uint64_t RecordingWriter::number_of(const std::shared_ptr<BinaryNames> &names) {
  if (!names)
    return 0;
  for (const auto &[listened_to, listening] : listened_)
    if (auto same = listening.lock(); same == names)
      return same->number();
  return ++names_count_; // nobody listens to them: a replay has no answers
}

void RecordingWriter::flush() {
  flushed_ns_ = clock_();
  chunks_.flush();
}

void RecordingWriter::note(Error problem) {
  if (problem_)
    problem_ = std::unexpected(std::move(problem));
}

} // namespace mapscope
