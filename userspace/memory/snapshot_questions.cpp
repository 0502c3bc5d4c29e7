// Answers into items, and back with every one checked.
#include "memory/snapshot_questions.h"

#include <utility>

#include "memory/snapshot.h"

namespace mapscope {

template <typename Archive> void exchange(Archive &archive, Like<SourceFrame> auto &frame) {
  archive(frame.function, frame.file, frame.line, frame.inlined);
}

namespace {

// Of one snapshot, far above what one look at a process asks.
constexpr std::size_t kFramesMax = 1 << 20;
constexpr std::size_t kFramesPerAddressMax = 1024;

} // namespace

Result<std::vector<SourceFrames>>
SnapshotQuestions::symbolize(std::span<const ElfAddress> addresses) {
  if (!symbolizer_)
    return std::vector<SourceFrames>(addresses.size());
  auto answers = TRY(symbolizer_->symbolize(addresses));
  std::vector<ElfAddress> fresh;
  std::vector<SourceFrames> of_fresh;
  for (std::size_t i = 0; i < addresses.size() && i < answers.size(); ++i) {
    if (answers[i].empty() || !kept_.insert(addresses[i].value).second)
      continue;
    fresh.push_back(addresses[i]);
    of_fresh.push_back(answers[i]);
  }
  if (!fresh.empty())
    writer_.keep_frames(fresh, of_fresh);
  return answers;
}

Result<const ProgramRoots *> SnapshotQuestions::roots() {
  if (!roots_)
    return fail(Errc::unsupported, "nothing is known of the program's variables");
  const ProgramRoots *roots = TRY(roots_->roots());
  if (!std::exchange(has_kept_roots_, true))
    writer_.keep_roots(*roots);
  return roots;
}

Result<std::vector<SourceFrames>>
SnapshotAnswers::symbolize(std::span<const ElfAddress> addresses) {
  std::vector<SourceFrames> answers;
  answers.reserve(addresses.size());
  for (const ElfAddress address : addresses) {
    const auto known = frames_.find(address.value);
    answers.push_back(known == frames_.end() ? SourceFrames{} : known->second);
  }
  return answers;
}

Result<const ProgramRoots *> SnapshotAnswers::roots() {
  if (!roots_)
    return fail(Errc::unsupported,
                "{}: it does not say where the program's variables lie (nobody asked for owners "
                "when it was saved)",
                path_);
  return &*roots_;
}

Result<> SnapshotAnswers::take_roots(std::span<const std::byte> body, const RootPlaces &places) {
  if (roots_)
    return fail(Errc::malformed, "the program's roots are told twice");
  roots_ = TRY_WHILE(roots_from_bytes(body, places), "roots");
  return {};
}

Result<> SnapshotAnswers::take_frames(ByteReader body) {
  FieldReader fields{body};
  while (fields.status() && !fields.rest().empty()) {
    std::uint64_t address = 0, count = 0;
    fields(address, count);
    TRY(fields.status());
    frame_count_ += count;
    if (count == 0 || count > kFramesPerAddressMax || frame_count_ > kFramesMax)
      return fail(Errc::malformed, "{} frames at one address, {} in all", count, frame_count_);
    SourceFrames frames(static_cast<std::size_t>(count));
    for (SourceFrame &frame : frames)
      fields(frame);
    TRY(fields.status());
    frames_.insert_or_assign(address, std::move(frames));
  }
  return fields.finish();
}

Bytes frames_to_bytes(std::span<const ElfAddress> addresses,
                      std::span<const SourceFrames> answers) {
  Bytes body;
  FieldWriter fields{body};
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::span frames =
        std::span{answers[i]}.first(std::min(answers[i].size(), kFramesPerAddressMax));
    fields(addresses[i].value, std::uint64_t{frames.size()});
    for (const SourceFrame &frame : frames)
      fields(frame);
  }
  return body;
}

} // namespace mapscope
