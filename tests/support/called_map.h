// What the tests of call_window.h share: maps, a child that calls them and knows what has to come
// out of each call, and a window that is open meanwhile.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <vector>

#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/handle.h"
#include "kernel/bpf_maps/call_window.h"
#include "support/kernel_release.h"

namespace mapscope::testing {

struct CalledMap {
  Fd fd;
  std::uint32_t id = 0;
};

inline CalledMap make_map(bpf_map_type type, std::uint32_t key_bytes, std::uint32_t max_entries) {
  CalledMap map;
  map.fd = Fd{bpf_map_create(type, "called", key_bytes, 8, max_entries, nullptr)};
  EXPECT_TRUE(map.fd) << std::strerror(errno);
  bpf_map_info info{};
  __u32 bytes = sizeof(info);
  EXPECT_EQ(bpf_obj_get_info_by_fd(map.fd.get(), &info, &bytes), 0);
  map.id = info.id;
  return map;
}

inline CalledMap make_hash(std::uint32_t max_entries) {
  return make_map(BPF_MAP_TYPE_HASH, 4, max_entries);
}

// What a child expects of a call; it ends with the line where that did not hold.
inline void expect_outcome(int status, int error, int line) {
  if (error == 0 ? status != 0 : (status == 0 || errno != error))
    ::_exit(line % 255 + 1);
}
#define EXPECT_OK(call) expect_outcome((call), 0, __LINE__)
#define EXPECT_ERROR(error, call) expect_outcome((call), (error), __LINE__)

inline int update(const CalledMap &map, std::uint32_t key, std::uint64_t flags = BPF_ANY) {
  const std::uint64_t value = key;
  return bpf_map_update_elem(map.fd.get(), &key, &value, flags);
}

inline int look_up(const CalledMap &map, std::uint32_t key) {
  std::uint64_t value = 0;
  return bpf_map_lookup_elem(map.fd.get(), &key, &value);
}

inline int remove(const CalledMap &map, std::uint32_t key) {
  return bpf_map_delete_elem(map.fd.get(), &key);
}

inline void run_child(const std::function<void()> &body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0) << "a call of the child in line " << WEXITSTATUS(status) - 1
                       << " (mod 255) had another outcome";
}

class CallWindowTest : public ::testing::Test {
protected:
  void SetUp() override {
    if (::geteuid() != 0)
      GTEST_SKIP() << "loading BPF programs needs root";
    auto window = CallWindow::load();
    if (!window && kernel_is_before(5, 17))
      GTEST_SKIP() << window.error().message();
    ASSERT_TRUE(window) << window.error().message();
    window_.emplace(std::move(*window));
  }

  // What a child does while the window is open.
  CallWindowAnswer watch(const std::function<void()> &body,
                         const std::vector<std::uint32_t> &sample_keys_of = {}) {
    auto opened = window_->open(sample_keys_of);
    EXPECT_TRUE(opened) << opened.error().message();
    run_child(body);
    auto answer = window_->close();
    EXPECT_TRUE(answer) << answer.error().message();
    return answer ? *answer : CallWindowAnswer{};
  }

  std::optional<CallWindow> window_;
};

} // namespace mapscope::testing
