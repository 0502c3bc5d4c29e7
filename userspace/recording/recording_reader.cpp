// Items become calls again; see recording_reader.h.
#include "recording/recording_reader.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/byte_reader.h"
#include "base/format.h"
#include "recording/fields.h"
#include "recording/format.h"
#include "recording/names.h"
#include "recording/record_coder.h"
#include "wire/chunk_reader.h"
#include "wire/facts_json.h"
#include "wire/message.h"

namespace mapscope {
namespace {

// A file can have as many problems as it has bytes.
constexpr std::size_t kProblemsMax = 16;

class Replay {
public:
  explicit Replay(RunObserver &observer) : observer_(observer) {}

  // Replays a chunk up to the first item that makes no sense; the rest is a problem then.
  // Errors: the recording does not begin with the start of a run.
  Result<> take(const ChunkReader::Step &step);
  bool has_started() const { return has_started_; }
  // What the observer waits for, and the account of all. `gap`: see ChunkReader::Step.
  ReplayEnd finish(const std::string &gap);
  // A sentence, and in it that something is missing.
  void doubt(std::string sentence);

private:
  Result<> take_item(ByteReader &items);
  Result<> dispatch(ItemKind kind, ByteReader body);
  Result<> take_start(ByteReader body);
  Result<> take_binary(ByteReader body);
  Result<> take_target_start(ByteReader body);
  Result<> take_names(ByteReader body);
  Result<> take_goroutines(ByteReader body);
  Result<> take_target_end(ByteReader body);
  Result<> take_end(ByteReader body);
  void take_record(std::span<const std::byte> record);
  std::shared_ptr<KeptNames> names_of(std::uint64_t number);
  void leave_out(std::uint32_t index);
  void end_open_targets();
  void remark_on_names();

  RunObserver &observer_;
  RecordDecoder records_;
  bool has_started_ = false, has_ended_ = false;
  std::uint64_t last_time_ns_ = 0;
  std::map<std::uint64_t, std::shared_ptr<const BinaryFacts>> binaries_; // by number
  std::size_t binary_bytes_ = 0;
  std::map<std::uint64_t, std::shared_ptr<KeptNames>> names_; // by number
  std::size_t answer_count_ = 0;
  std::shared_ptr<std::uint64_t> unanswered_count_ = std::make_shared<std::uint64_t>(0);
  bool names_were_remarked_ = false;
  std::set<std::uint32_t> open_targets_, left_out_; // by index
  ReplayEnd end_;
};

template <typename T> Result<T> item_from(ByteReader body) {
  T item;
  FieldReader reader{body};
  reader(item);
  TRY(reader.finish());
  return item;
}

void Replay::doubt(std::string sentence) {
  if (end_.problems.size() > kProblemsMax)
    return;
  if (end_.problems.size() == kProblemsMax)
    sentence = "the recording has more such problems, which are not listed";
  end_.problems.push_back(sentence);
  if (has_started_ && !has_ended_)
    observer_.remark({.is_doubt = true, .sentence = std::move(sentence)});
}

Result<> Replay::take(const ChunkReader::Step &step) {
  if (!step.gap.empty()) {
    if (!has_started_)
      return fail(Errc::malformed, "{}, and a run can't be replayed without its beginning",
                  step.gap);
    doubt(step.gap + ": what it held is not known");
  }
  records_.reset(step.words);
  ByteReader items{*step.items};
  while (items.size() != 0) {
    const std::size_t at = step.items->size() - items.size();
    auto taken = take_item(items);
    if (taken)
      continue;
    Error error = std::move(taken).error().while_doing(
        fmt::format("chunk {} of the recording, byte {} of its contents", step.number, at));
    if (!has_started_)
      return std::unexpected(std::move(error));
    doubt(error.message() + "; the rest of the chunk is left out");
    return {};
  }
  if (records_.unused_bytes() != 0)
    doubt(fmt::format("chunk {} of the recording holds {} that belong to no record", step.number,
                      format_counted(records_.unused_bytes(), "byte")));
  return {};
}

Result<> Replay::take_item(ByteReader &items) {
  const auto kind = TRY(items.read<ItemKind>());
  const std::uint64_t length = TRY(items.read_uvarint());
  const ByteReader body = TRY(items.window(0, length));
  items = TRY(items.from(length));
  if (has_started_ == (kind == ItemKind::start))
    return fail(Errc::malformed, "{}", has_started_ ? "a second start" : "no start of a run");
  if (has_ended_)
    return fail(Errc::malformed, "something after the end of the run");
  if (kind == ItemKind::record || kind == ItemKind::coded_record) {
    take_record(kind == ItemKind::record ? body.bytes() : TRY(records_.decode(body)));
    return {};
  }
  remark_on_names();
  return dispatch(kind, body);
}

Result<> Replay::dispatch(ItemKind kind, ByteReader body) {
  switch (kind) {
  case ItemKind::start:
    return take_start(body);
  case ItemKind::binary:
    return take_binary(body);
  case ItemKind::target_start:
    return take_target_start(body);
  case ItemKind::names:
    return take_names(body);
  case ItemKind::goroutines:
    return take_goroutines(body);
  case ItemKind::target_end:
    return take_target_end(body);
  case ItemKind::end:
    return take_end(body);
  case ItemKind::remark:
    observer_.remark(TRY(item_from<Remark>(body)));
    return {};
  case ItemKind::drained:
    TRY(FieldReader{body}.finish());
    observer_.drained();
    return {};
  case ItemKind::record:
  case ItemKind::coded_record:
    break; // taken already
  }
  return fail(Errc::malformed, "an item of unknown kind {}", static_cast<unsigned>(kind));
}

void Replay::take_record(std::span<const std::byte> record) {
  // For an end that has to be made up: see finish().
  std::uint64_t time_ns = 0;
  if (record.size() >= sizeof(event_header))
    std::memcpy(&time_ns, record.data() + offsetof(event_header, time_ns), sizeof(time_ns));
  last_time_ns_ = std::max(last_time_ns_, time_ns);
  ++end_.record_count;
  observer_.record(record);
}

Result<> Replay::take_start(ByteReader body) {
  const auto start = TRY(item_from<RunStart>(body));
  has_started_ = true;
  last_time_ns_ = start.time_ns;
  observer_.start(start);
  return {};
}

Result<> Replay::take_binary(ByteReader body) {
  binary_bytes_ += body.size();
  if (binary_bytes_ > kBinaryBytesMax)
    return fail(Errc::malformed, "more than {} about executables", format_bytes(kBinaryBytesMax));
  const std::uint64_t number = TRY(body.read_uvarint());
  const auto json = TRY(decode_message(body.bytes()));
  binaries_[number] = std::make_shared<const BinaryFacts>(TRY(facts_from_json(json)));
  return {};
}

Result<> Replay::take_target_start(ByteReader body) {
  TargetStart target;
  std::uint64_t binary = 0, names = 0;
  FieldReader reader{body};
  reader(binary, names, target);
  TRY(reader.finish());
  if (binary != 0) {
    const auto facts = binaries_.find(binary);
    if (facts == binaries_.end()) {
      leave_out(target.index);
      return {};
    }
    target.facts = facts->second;
  }
  if (names != 0)
    target.names = names_of(names);
  if (open_targets_.contains(target.index)) {
    doubt(fmt::format("the end of target {} is missing, and so are its counters", target.index));
    open_targets_.erase(target.index);
    observer_.target_end({.index = target.index});
  }
  open_targets_.insert(target.index);
  last_time_ns_ = std::max(last_time_ns_, target.time_ns);
  observer_.target_start(target);
  return {};
}

std::shared_ptr<KeptNames> Replay::names_of(std::uint64_t number) {
  auto &names = names_[number];
  if (!names)
    names = std::make_shared<KeptNames>(unanswered_count_);
  return names;
}

Result<> Replay::take_names(ByteReader body) {
  std::uint64_t number = 0;
  FieldReader reader{body};
  reader(number);
  TRY(reader.status());
  answer_count_ += TRY(names_of(number)->add(reader));
  if (answer_count_ > kAnswersMax)
    return fail(Errc::malformed, "more than {} names", format_count(kAnswersMax));
  return {};
}

Result<> Replay::take_goroutines(ByteReader body) {
  const auto snapshot = TRY(item_from<GoroutineSnapshot>(body));
  if (open_targets_.contains(snapshot.index))
    observer_.goroutines(snapshot);
  else
    leave_out(snapshot.index);
  return {};
}

Result<> Replay::take_target_end(ByteReader body) {
  const auto end = TRY(item_from<TargetEnd>(body));
  if (open_targets_.erase(end.index) != 0)
    observer_.target_end(end);
  else
    leave_out(end.index);
  return {};
}

Result<> Replay::take_end(ByteReader body) {
  const auto end = TRY(item_from<RunEnd>(body));
  if (!open_targets_.empty()) {
    doubt("the ends of some targets are missing, and so are their counters");
    end_open_targets();
  }
  has_ended_ = true;
  observer_.end(end);
  return {};
}

// What its beginning says was in a gap. Said once for each, as long as there is room.
void Replay::leave_out(std::uint32_t index) {
  if (end_.problems.size() <= kProblemsMax && left_out_.insert(index).second)
    doubt(fmt::format("target {} is left out: the recording lacks what it needs to begin", index));
}

void Replay::end_open_targets() {
  for (std::uint32_t index : std::exchange(open_targets_, {}))
    observer_.target_end({.index = index});
}

// Once: it is nothing that can be helped, and no doubt, since names decide nothing.
void Replay::remark_on_names() {
  if (*unanswered_count_ == 0 || std::exchange(names_were_remarked_, true))
    return;
  observer_.remark({.is_doubt = false,
                    .sentence = "the recording lacks names of places or types that nobody asked "
                                "for when it was made"});
}

ReplayEnd Replay::finish(const std::string &gap) {
  if (!gap.empty() || !has_ended_)
    doubt(fmt::format("{}, after {}: what came then is not known",
                      gap.empty() ? "the recording ends before its run does" : gap,
                      format_counted(end_.record_count, "record")));
  if (!has_ended_) {
    remark_on_names();
    end_open_targets();
    observer_.end({.time_ns = last_time_ns_});
  }
  end_.is_complete = end_.problems.empty();
  end_.unanswered_count = *unanswered_count_;
  return std::move(end_);
}

Result<ReplayEnd> replay_chunks(ByteSource source, RunObserver &observer) {
  auto chunks = TRY(ChunkReader::open(std::move(source), kRecordingKind));
  auto step = TRY(chunks.next());
  Replay replay{observer};
  while (step.items) {
    TRY(replay.take(step));
    if (auto next = chunks.next(); next)
      step = std::move(*next);
    else
      step = {.gap = "the recording can't be read further: " + next.error().message()};
  }
  if (!replay.has_started())
    return fail(Errc::malformed, "the recording ends before its run has begun");
  return replay.finish(step.gap);
}

} // namespace

Result<ReplayEnd> replay(ByteSource source, const std::string &path, RunObserver &observer) {
  return TRY_WHILE(replay_chunks(std::move(source), observer), "{}", path);
}

} // namespace mapscope
