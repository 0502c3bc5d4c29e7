// What decode accepts is what the contract says, to the byte; everything else is an error.
#include "decode/decode.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "bpf/contract/targets.h"

namespace mapscope {
namespace {

template <typename Body> Body valid(event_kind kind) {
  Body body;
  std::memset(&body, 0, sizeof(body));
  event_header header{.time_ns = 7,
                      .tgid = 100,
                      .tid = 101,
                      .kind = static_cast<__u16>(kind),
                      .size_bytes = sizeof(Body),
                      .target = 0,
                      .cpu = 1};
  std::memcpy(&body, &header, sizeof(header)); // the header comes first in every record
  return body;
}

map_operation_event valid_operation() {
  auto event = valid<map_operation_event>(EVENT_KIND_MAP_OPERATION);
  event.operation = MAP_OPERATION_REHASH;
  return event;
}

heap_request_event valid_heap_request() {
  auto event = valid<heap_request_event>(EVENT_KIND_HEAP_REQUEST);
  event.request = HEAP_REQUEST_LARGE;
  return event;
}

stack_event valid_stack() {
  auto event = valid<stack_event>(EVENT_KIND_STACK);
  event.id = 0x1234;
  return event;
}

map_misuse_event valid_misuse() {
  auto event = valid<map_misuse_event>(EVENT_KIND_MAP_MISUSE);
  event.misuse = MAP_MISUSE_CONCURRENT;
  return event;
}

template <typename Body> std::vector<std::byte> bytes_of(const Body &body) {
  auto bytes = std::as_bytes(std::span{&body, 1});
  return {bytes.begin(), bytes.end()};
}

template <typename Body> Errc error_of(const Body &body) {
  auto event = decode(bytes_of(body));
  EXPECT_FALSE(event);
  return event ? Errc::system : event.error().code();
}

template <typename Body> void expect_exact_size(const Body &body) {
  auto bytes = bytes_of(body);
  auto event = decode(bytes);
  ASSERT_TRUE(event) << event.error().message();
  ASSERT_TRUE(std::holds_alternative<Body>(event->body));
  EXPECT_EQ(bytes_of(std::get<Body>(event->body)), bytes);
  EXPECT_EQ(event->header.tid, 101U);

  // Longer or shorter, with a header that lies about it and with one that does not.
  for (int change : {-1, 1}) {
    auto other = bytes;
    other.resize(bytes.size() + static_cast<std::size_t>(change));
    EXPECT_FALSE(decode(other));
    auto size = static_cast<__u16>(other.size());
    std::memcpy(other.data() + offsetof(event_header, size_bytes), &size, sizeof(size));
    EXPECT_FALSE(decode(other));
    std::memcpy(bytes.data() + offsetof(event_header, size_bytes), &size, sizeof(size));
    EXPECT_FALSE(decode(bytes)); // the size is right, and the header denies it
  }
}

TEST(DecodeTest, AcceptsEveryKindAtItsExactSizeAlone) {
  expect_exact_size(valid<process_exec_event>(EVENT_KIND_PROCESS_EXEC));
  expect_exact_size(valid<process_exit_event>(EVENT_KIND_PROCESS_EXIT));
  expect_exact_size(valid<process_fork_event>(EVENT_KIND_PROCESS_FORK));
  expect_exact_size(valid<image_entry_event>(EVENT_KIND_IMAGE_ENTRY));
  expect_exact_size(valid_operation());
  expect_exact_size(valid_heap_request());
  expect_exact_size(valid<system_call_event>(EVENT_KIND_SYSTEM_CALL));
  expect_exact_size(valid<system_call_detail_event>(EVENT_KIND_SYSTEM_CALL_DETAIL));
  expect_exact_size(valid<system_call_result_event>(EVENT_KIND_SYSTEM_CALL_RESULT));
  expect_exact_size(valid<io_uring_submit_event>(EVENT_KIND_IO_URING_SUBMIT));
  expect_exact_size(valid_stack());
  expect_exact_size(valid_misuse());
}

TEST(DecodeTest, RefusesKindsThatTheContractDoesNotKnow) {
  for (int kind : {int{EVENT_KIND_NONE}, int{EVENT_KIND_COUNT}, 0xffff}) {
    auto event = valid<process_exit_event>(EVENT_KIND_PROCESS_EXIT);
    event.header.kind = static_cast<__u16>(kind);
    EXPECT_EQ(error_of(event), Errc::malformed) << kind;
  }
}

TEST(DecodeTest, RefusesLessThanAHeader) {
  EXPECT_FALSE(decode(std::vector<std::byte>{}));
  EXPECT_FALSE(decode(std::vector<std::byte>(sizeof(event_header) - 1)));
}

TEST(DecodeTest, SaysWhatIsWrong) {
  auto event = valid<system_call_event>(EVENT_KIND_SYSTEM_CALL);
  event.place = CALL_PLACE_COUNT;
  auto decoded = decode(bytes_of(event));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message(), "an event of kind 7: place is 5, known are 0 to 4");
}

TEST(DecodeTest, RefusesWildEnumerationsOfCalls) {
  const auto call = valid<system_call_event>(EVENT_KIND_SYSTEM_CALL);
  auto broken = call;
  broken.call_class = CALL_CLASS_COUNT;
  EXPECT_EQ(error_of(broken), Errc::malformed);
  broken = call;
  broken.descriptor_kind = DESCRIPTOR_KIND_COUNT;
  EXPECT_EQ(error_of(broken), Errc::malformed);
  broken = call;
  broken.operation = MAP_OPERATION_COUNT;
  EXPECT_EQ(error_of(broken), Errc::malformed);
  broken = call;
  broken.wants_result = 2;
  EXPECT_EQ(error_of(broken), Errc::malformed);
  broken = call;
  broken.witnesses = WITNESS_BEFORE_GO << 1;
  EXPECT_EQ(error_of(broken), Errc::malformed);
}

TEST(DecodeTest, ChecksTheCallInsideADetailedOne) {
  auto detail = valid<system_call_detail_event>(EVENT_KIND_SYSTEM_CALL_DETAIL);
  detail.call.place = CALL_PLACE_COUNT;
  EXPECT_EQ(error_of(detail), Errc::malformed);
  detail = valid<system_call_detail_event>(EVENT_KIND_SYSTEM_CALL_DETAIL);
  detail.path_missing = 2;
  EXPECT_EQ(error_of(detail), Errc::malformed);
}

TEST(DecodeTest, RefusesStringsWithoutAnEnd) {
  auto exec = valid<process_exec_event>(EVENT_KIND_PROCESS_EXEC);
  std::memset(exec.path, 'x', sizeof(exec.path));
  EXPECT_EQ(error_of(exec), Errc::malformed);
  exec.path[sizeof(exec.path) - 1] = 0;
  EXPECT_TRUE(decode(bytes_of(exec)));

  auto detail = valid<system_call_detail_event>(EVENT_KIND_SYSTEM_CALL_DETAIL);
  std::memset(detail.path, 'x', sizeof(detail.path));
  EXPECT_EQ(error_of(detail), Errc::malformed);

  auto result = valid<system_call_result_event>(EVENT_KIND_SYSTEM_CALL_RESULT);
  std::memset(result.path, 'x', sizeof(result.path));
  EXPECT_EQ(error_of(result), Errc::malformed);

  auto misuse = valid_misuse();
  std::memset(misuse.message, 'x', sizeof(misuse.message));
  EXPECT_EQ(error_of(misuse), Errc::malformed);
}

TEST(DecodeTest, RefusesOperationsAndRequestsOfNoKind) {
  auto operation = valid_operation();
  operation.operation = MAP_OPERATION_NONE;
  EXPECT_EQ(error_of(operation), Errc::malformed);
  operation.operation = MAP_OPERATION_COUNT;
  EXPECT_EQ(error_of(operation), Errc::malformed);

  auto request = valid_heap_request();
  request.request = HEAP_REQUEST_NONE;
  EXPECT_EQ(error_of(request), Errc::malformed);
  request.request = HEAP_REQUEST_LARGE + 1;
  EXPECT_EQ(error_of(request), Errc::malformed);

  auto submit = valid<io_uring_submit_event>(EVENT_KIND_IO_URING_SUBMIT);
  submit.is_polled = 2;
  EXPECT_EQ(error_of(submit), Errc::malformed);
}

TEST(DecodeTest, RefusesAStackWithoutItsId) {
  auto stack = valid_stack();
  stack.id = 0;
  EXPECT_EQ(error_of(stack), Errc::malformed);
}

TEST(DecodeTest, RefusesFlagsOfOperationsThatAreNeitherYesNorNo) {
  for (auto flag : {&map_operation_event::header_on_stack, &map_operation_event::is_return,
                    &map_operation_event::header_read, &map_operation_event::table_read}) {
    auto operation = valid_operation();
    operation.*flag = 2;
    EXPECT_EQ(error_of(operation), Errc::malformed);
  }
}

TEST(DecodeTest, RefusesAMisuseOfNoKindOrWithMoreThanItHolds) {
  auto misuse = valid_misuse();
  misuse.misuse = MAP_MISUSE_NONE;
  EXPECT_EQ(error_of(misuse), Errc::malformed);
  misuse.misuse = MAP_MISUSE_NIL_MAP + 1;
  EXPECT_EQ(error_of(misuse), Errc::malformed);
  misuse = valid_misuse();
  misuse.map_count = EVENT_MISUSE_MAPS + 1;
  EXPECT_EQ(error_of(misuse), Errc::malformed);
  misuse = valid_misuse();
  misuse.word_count = EVENT_MISUSE_WORDS + 1;
  EXPECT_EQ(error_of(misuse), Errc::malformed);
}

} // namespace
} // namespace mapscope
