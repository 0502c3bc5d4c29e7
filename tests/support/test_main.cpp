// The main function of all tests. Ends with 77 where every test was skipped, which CTest then says;
// gtest itself takes that for success.
#include <gtest/gtest.h>

int main(int argc, char **argv) {
  constexpr int kSkipped = 77; // SKIP_RETURN_CODE in CTest's files
  ::testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  const auto &tests = *::testing::UnitTest::GetInstance();
  const bool skipped_all =
      tests.test_to_run_count() > 0 && tests.skipped_test_count() == tests.test_to_run_count();
  return status == 0 && skipped_all ? kSkipped : status;
}
