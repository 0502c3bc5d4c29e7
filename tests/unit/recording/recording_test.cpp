// A replay is the run again; and a run is not disturbed by being recorded.
#include <fcntl.h>

#include "unit/recording/recorded.h"

namespace mapscope {
namespace {

TEST(RecordingTest, AReplayMakesTheSameCallsWithTheSameValues) {
  const Recorded recorded = record_synthetic_run();
  const Replayed replayed = replay_bytes(recorded.file);
  ASSERT_TRUE(replayed.end) << replayed.end.error().message();
  EXPECT_EQ(replayed.lines, recorded.lines);
  EXPECT_TRUE(replayed.end->is_complete);
  EXPECT_EQ(replayed.end->record_count, 10u);
  EXPECT_EQ(replayed.end->unanswered_count, 0u);
}

TEST(RecordingTest, ManyChunksAreOneRun) {
  const Recorded recorded = record_synthetic_run(152, 20'000); // 9 MB of records
  const Replayed replayed = replay_bytes(recorded.file);
  EXPECT_EQ(replayed.lines, recorded.lines);
  EXPECT_EQ(replayed.end->record_count, 60'001u);
}

TEST(RecordingTest, WhatHappenedIsInTheFileAfterASecond) {
  MemoryFile file;
  std::uint64_t time_ns = 5'000;
  auto writer = RecordingWriter::create(file.duplicate(), "x.rec", [&] { return time_ns; }).value();
  const auto records_in_file = [&] { return replay_bytes(file.content()).end->record_count; };
  writer->start({});
  writer->record(synthetic_record(40, 1));
  time_ns += 999'999'999;
  writer->drained();
  EXPECT_EQ(records_in_file(), 0u);
  time_ns += 1;
  writer->drained();
  EXPECT_EQ(records_in_file(), 1u);
  writer->record(synthetic_record(40, 2));
  time_ns += 999'999'999;
  writer->drained();
  EXPECT_EQ(records_in_file(), 1u);
}

TEST(RecordingTest, RecordsOfAnySizeAndContentSurvive) {
  MemoryFile file;
  auto writer = writer_to(file);
  RunLog log;
  BothObservers both{log, *writer};
  both.start({});
  for (std::size_t size_bytes = 0; size_bytes < 5'000; size_bytes += 1 + size_bytes / 40) {
    const Bytes nonsense(size_bytes, std::byte{0xff}); // of no known kind
    both.record(nonsense);
    both.record(synthetic_record(size_bytes, size_bytes));
  }
  both.end({});
  ASSERT_TRUE(writer->close());
  const Replayed replayed = replay_bytes(file.content());
  EXPECT_EQ(replayed.lines, log.lines);
  EXPECT_TRUE(replayed.end->is_complete);
}

TEST(RecordingTest, AFileIsReadLikeMemory) {
  const Recorded recorded = record_synthetic_run();
  MemoryFile file;
  ASSERT_EQ(::write(file.duplicate().get(), recorded.file.data(), recorded.file.size()),
            static_cast<ssize_t>(recorded.file.size()));
  RunLog log;
  auto end = replay(ByteSource::open(file.duplicate()).value(), "x.rec", log);
  ASSERT_TRUE(end) << end.error().message();
  EXPECT_EQ(log.lines, recorded.lines);
  EXPECT_FALSE(ByteSource::open(Fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}));
}

TEST(RecordingTest, ProcessesOfOneExecutableShareItsFacts) {
  MemoryFile one, many;
  for (const auto &[file, target_count] : {std::pair{&one, 1U}, std::pair{&many, 20U}}) {
    auto writer = writer_to(*file);
    writer->start({});
    for (std::uint32_t index = 0; index < target_count; ++index) {
      TargetStart target = synthetic_target(index, nullptr);
      auto facts = std::make_shared<BinaryFacts>(*target.facts);
      for (unsigned offset = 0; offset < 1'000; ++offset)
        facts->layout.offsets[fmt::format("runtime.g.{}", offset * 7919 % 1000)] = offset;
      target.facts = facts;
      writer->target_start(target);
    }
    ASSERT_TRUE(writer->close());
  }
  EXPECT_LT(many.content().size(), one.content().size() + 2'000);
}

TEST(RecordingTest, AFileThatCannotGrowDoesNotDisturbTheRun) {
  MemoryFile file;
  auto writer = writer_to(file);
  writer->start({});
  ASSERT_EQ(::fcntl(file.duplicate().get(), F_ADD_SEALS, F_SEAL_GROW), 0);
  for (int i = 0; i < 10'000; ++i)
    writer->record(synthetic_record(152, 1));
  const auto closed = writer->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), Errc::denied);
  EXPECT_TRUE(closed.error().message().starts_with(
      "recording to x.rec: write: Operation not permitted; what came after is not in it, 10,000 "
      "records among that"))
      << closed.error().message();
  EXPECT_EQ(replay_bytes(file.content()).end->record_count, 0u);
}

TEST(RecordingTest, NoFileNoRecording) {
  auto writer = RecordingWriter::create(Fd{::open("/dev/full", O_WRONLY | O_CLOEXEC)}, "x.rec");
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().message(), "recording to x.rec: write: No space left on device");
}

TEST(RecordingTest, ARunThatIsNotEndedIsInTheFileAndSaidToBreakOff) {
  MemoryFile file;
  {
    auto writer = writer_to(file);
    writer->start({.time_ns = 4'000});
    writer->target_start(synthetic_target(0, nullptr));
    writer->record(synthetic_record(40, 5'000));
  }
  const Replayed replayed = replay_bytes(file.content());
  EXPECT_FALSE(replayed.end->is_complete);
  EXPECT_EQ(replayed.end->record_count, 1u);
  EXPECT_EQ(replayed.first_problem(),
            "the recording ends before its run does, after 1 record: what "
            "came then is not known");
  const auto end = std::ranges::find(replayed.lines, "end 5000"); // that of the record
  ASSERT_NE(end, replayed.lines.end());
  EXPECT_EQ(end[-1], "target 0 ends 0"); // all counters zero
  EXPECT_TRUE(end[-2].starts_with("remark true the recording ends"));
}

// ---- Names.

TEST(RecordedNamesTest, AnswersAreKeptOnce) {
  MemoryFile file;
  auto writer = writer_to(file);
  const auto names = std::make_shared<SyntheticNames>();
  const auto listened = writer->listen(names);
  EXPECT_EQ(writer->listen(names), listened);
  const std::vector<ElfAddress> places = {{0x401001}, {0x401002}};
  writer->start({});
  writer->target_start(synthetic_target(0, listened));
  const auto ask = [&](int times) {
    for (int i = 0; i < times; ++i)
      EXPECT_EQ(listened->symbolize(places).value(), names->symbolize(places).value());
    writer->drained();
  };
  ask(1);
  const auto held = [&] {
    RecordingWriter &same = *writer;
    EXPECT_TRUE(same.close());
    return replay_bytes(file.content(), false).lines.size();
  };
  ask(100);
  EXPECT_GT(held(), 0u);
  EXPECT_LT(file.content().size(), 1'000u);
  EXPECT_EQ(names->question_count, 202u); // every one was passed on
}

TEST(RecordedNamesTest, WhatNobodyAskedForIsEmptyAndSaidOnce) {
  MemoryFile file;
  auto writer = writer_to(file);
  RunLog silent;
  silent.asks = false;
  BothObservers both{silent, *writer};
  tell_synthetic_run(both, writer->listen(std::make_shared<SyntheticNames>()));
  ASSERT_TRUE(writer->close());
  const Replayed replayed = replay_bytes(file.content());
  ASSERT_TRUE(replayed.end);
  EXPECT_TRUE(replayed.end->is_complete);
  EXPECT_GT(replayed.end->unanswered_count, 10u);
  EXPECT_EQ(std::ranges::count(replayed.lines, "frames [][]"),
            std::ranges::count(replayed.lines, "types [none][none]"));
  EXPECT_EQ(std::ranges::count(replayed.lines,
                               "remark false the recording lacks names of places or types that "
                               "nobody asked for when it was made"),
            1);
}

class ParserThatDies final : public BinaryNames {
public:
  int answers_left = 0;
  Result<std::vector<SourceFrames>> symbolize(std::span<const ElfAddress> addresses) override {
    if (answers_left-- <= 0)
      return fail(Errc::gone, "dead");
    return std::vector<SourceFrames>(addresses.size(), {{"main.main", "/m.go", 1}});
  }
  Result<std::vector<std::optional<MapType>>> map_types(std::span<const ElfAddress>) override {
    return fail(Errc::gone, "dead");
  }
  Result<std::vector<std::optional<MapType>>>
  map_types_at_calls(std::span<const ElfAddress>) override {
    return fail(Errc::gone, "dead");
  }
};

// Asks the same each time and notes how it went.
class OneQuestion final : public RunObserver {
public:
  std::string answers;
  void target_start(const TargetStart &target) override { names_ = target.names; }
  void drained() override {
    const ElfAddress place{0x401000};
    const auto frames = names_->symbolize({&place, 1});
    answers += frames ? "answered " : frames.error().message() + " ";
  }

private:
  std::shared_ptr<BinaryNames> names_;
};

TEST(RecordedNamesTest, AnswersAndFailuresComeInTheirOrder) {
  MemoryFile file;
  auto writer = writer_to(file);
  const auto names = std::make_shared<ParserThatDies>();
  OneQuestion question;
  BothObservers both{question, *writer};
  both.start({});
  both.target_start(synthetic_target(0, writer->listen(names)));
  for (int answers : {0, 1, 0, 0, 1}) {
    names->answers_left = answers;
    both.drained();
  }
  both.target_end({.index = 0});
  both.end({});
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(question.answers, "dead answered dead dead answered ");
  OneQuestion again;
  ASSERT_TRUE(replay(ByteSource{file.content()}, "x.rec", again));
  EXPECT_EQ(again.answers, question.answers);
}

} // namespace
} // namespace mapscope
