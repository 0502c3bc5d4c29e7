// A sink's queue: order for each fingerprint, and what goes when it is full.
#include "alert/alert_queue.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using Sequences = std::vector<std::uint64_t>;

QueuedNotice row(std::uint64_t sequence, std::string fingerprint, bool is_firing = true) {
  return {.sequence = sequence, .fingerprint = std::move(fingerprint), .is_firing = is_firing};
}

Sequences claimed(AlertQueue &queue, std::size_t count_max, std::uint64_t now_ns = 0) {
  Sequences sequences;
  for (const QueuedNotice &row : queue.claim(count_max, now_ns))
    sequences.push_back(row.sequence);
  return sequences;
}

struct AlertQueueTest : ::testing::Test {
  AlertQueue queue;
  Sequences dropped;
  void limit(std::size_t entries_max) {
    queue.limit(entries_max, [this](const QueuedNotice &row) { dropped.push_back(row.sequence); });
  }
};

TEST_F(AlertQueueTest, ABatchHasOneOfEachFingerprint) {
  queue.push(row(1, "a"));
  queue.push(row(2, "b"));
  queue.push(row(3, "a", false));
  EXPECT_EQ(claimed(queue, 9), (Sequences{1, 2}));
  queue.remove(1);
  queue.remove(2);
  EXPECT_EQ(claimed(queue, 9), Sequences{3});
}

TEST_F(AlertQueueTest, ARefusedOneWaitsByItselfAndHoldsUpItsOwn) {
  queue.push(row(1, "a"));
  queue.push(row(2, "a", false));
  queue.push(row(3, "b"));
  EXPECT_EQ(claimed(queue, 1), Sequences{1});
  queue.put_back(1, 100);
  EXPECT_EQ(claimed(queue, 9, 50), Sequences{3});
  queue.put_back(3);
  EXPECT_EQ(claimed(queue, 9, 100), Sequences{1}); // alone, though 3 waits
  EXPECT_EQ(queue.find(1)->refusals, 1U);
}

TEST_F(AlertQueueTest, DropsTheOldestResolvedFirstAndNothingUnderWay) {
  queue.push(row(1, "a"));
  queue.push(row(2, "b"));
  queue.push(row(3, "b", false));
  queue.push(row(4, "c"));
  EXPECT_EQ(claimed(queue, 1), Sequences{1});
  limit(3);
  EXPECT_EQ(dropped, Sequences{3});
  limit(1);
  EXPECT_EQ(dropped, (Sequences{3, 2, 4}));
  limit(0);
  EXPECT_EQ(queue.size(), 1U);
}

TEST_F(AlertQueueTest, LimitsWhatItHoldsInMemory) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    queue.push(row(i, std::to_string(i)));
    if (i > 1)
      queue.find(i)->text = std::make_shared<const std::string>("text");
  }
  queue.limit_texts(1, [this](const QueuedNotice &row) { dropped.push_back(row.sequence); });
  EXPECT_EQ(dropped, Sequences{2});
}

TEST_F(AlertQueueTest, OnlyTheLatestThatFiresTakesANewText) {
  queue.push(row(1, "a"));
  EXPECT_EQ(queue.waiting_firing("a")->sequence, 1U);
  EXPECT_EQ(queue.waiting_firing("b"), nullptr);
  (void)queue.claim(1, 0);
  EXPECT_EQ(queue.waiting_firing("a"), nullptr);
  queue.put_back(1);
  queue.push(row(2, "a", false));
  EXPECT_EQ(queue.waiting_firing("a"), nullptr);
}

TEST_F(AlertQueueTest, KnowsWhenTheNextMayBeSent) {
  EXPECT_EQ(queue.next_time_ns(), std::nullopt);
  queue.push(row(1, "a"));
  queue.push(row(2, "a", false));
  (void)queue.claim(1, 0);
  queue.put_back(1, 70);
  EXPECT_EQ(queue.next_time_ns(), 70U); // and not at once for the second: it waits for the first
  queue.push(row(3, "b"));
  EXPECT_EQ(queue.next_time_ns(), 0U);
}

} // namespace
} // namespace mapscope
