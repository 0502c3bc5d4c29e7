// What the options of `bpf-maps` ask for, and which exclude each other.
#include "commands/bpf_maps_options.h"

#include <gtest/gtest.h>

namespace mapscope {
namespace {

using std::chrono::milliseconds;

std::string usage_error_of(const BpfMapsOptions &options) {
  auto request = bpf_maps_request_of(options);
  EXPECT_FALSE(request.has_value());
  if (request)
    return {};
  EXPECT_EQ(request.error().code(), Errc::usage);
  return request.error().message();
}

milliseconds window_of(const BpfMapsOptions &options) {
  const auto request = bpf_maps_request_of(options);
  EXPECT_TRUE(request.has_value());
  return request ? request->look.rate_window : milliseconds{-1};
}

TEST(BpfMapsOptionsTest, RatesAreCountedWhereTheyAreWanted) {
  EXPECT_EQ(window_of({}), milliseconds{0}); // nobody is taxed unasked
  EXPECT_EQ(window_of({.wants_rates = true}), milliseconds{1'000});
  EXPECT_EQ(window_of({.rates = "5s", .wants_rates = true}), milliseconds{5'000});
  EXPECT_EQ(window_of({.sort = "lookups"}), milliseconds{1'000});
  EXPECT_EQ(window_of({.explain = 1}), milliseconds{1'000});
  EXPECT_EQ(window_of({.rates = "0", .explain = 1, .wants_rates = true}), milliseconds{0});
}

TEST(BpfMapsOptionsTest, HalfOfAWatchTaxesNobody) {
  EXPECT_EQ(window_of({.watch_seconds = 10}), milliseconds{1'000});
  EXPECT_EQ(window_of({.watch_seconds = 1}), milliseconds{500});
  EXPECT_EQ(window_of({.rates = "0", .wants_rates = true, .watch_seconds = 1}), milliseconds{0});
}

TEST(BpfMapsOptionsTest, OneMapIsShownOnceAndByItself) {
  EXPECT_NE(usage_error_of({.keys = 1, .explain = 1}), "");
  EXPECT_NE(usage_error_of({.keys = 1, .watch_seconds = 1}), "");
  EXPECT_NE(usage_error_of({.types = {"hash"}, .explain = 1}), "");
  EXPECT_NE(usage_error_of({.rates = "1s", .keys = 1, .wants_rates = true}), "");
}

TEST(BpfMapsOptionsTest, WordsThatMeanNothingAreRefused) {
  EXPECT_NE(usage_error_of({.sort = "beauty"}).find("--sort \"beauty\""), std::string::npos);
  EXPECT_NE(usage_error_of({.budget = "much"}).find("--budget"), std::string::npos);
  EXPECT_NE(usage_error_of({.rates = "often", .wants_rates = true}).find("--rates"),
            std::string::npos);
}

TEST(BpfMapsOptionsTest, ExplainingLooksAtThatMapAndItsKeys) {
  const auto request = bpf_maps_request_of({.explain = 42});
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->look.only, 42u);
  EXPECT_EQ(request->look.sample_keys_of, std::vector<std::uint32_t>{42});
}

} // namespace
} // namespace mapscope
