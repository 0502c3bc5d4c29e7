// What the opcodes of io_uring ask for: enum io_uring_op of <linux/io_uring.h>, Linux 6.18.
#include "attribute/system_calls.h"

#include <iterator>

namespace mapscope {

namespace {

constexpr call_class kFile = CALL_CLASS_FILE;
constexpr call_class kNetwork = CALL_CLASS_NETWORK;
constexpr call_class kScheduling = CALL_CLASS_SCHEDULING;
constexpr call_class kOther = CALL_CLASS_OTHER;

// In the order of the enumeration. A read or write may be on a socket or pipe; the request
// does not say, so it counts as the file call that it can be.
constexpr IoUringOpcode kOpcodes[] = {
    {"nop", kOther},
    {"readv", kFile},
    {"writev", kFile},
    {"fsync", kFile},
    {"read_fixed", kFile},
    {"write_fixed", kFile},
    {"poll_add", kScheduling},
    {"poll_remove", kScheduling},
    {"sync_file_range", kFile},
    {"sendmsg", kNetwork},
    {"recvmsg", kNetwork},
    {"timeout", CALL_CLASS_TIME},
    {"timeout_remove", CALL_CLASS_TIME},
    {"accept", kNetwork},
    {"async_cancel", kOther},
    {"link_timeout", CALL_CLASS_TIME},
    {"connect", kNetwork},
    {"fallocate", kFile},
    {"openat", kFile},
    {"close", kFile},
    {"files_update", kOther},
    {"statx", kFile},
    {"read", kFile},
    {"write", kFile},
    {"fadvise", kFile},
    {"madvise", CALL_CLASS_MEMORY},
    {"send", kNetwork},
    {"recv", kNetwork},
    {"openat2", kFile},
    {"epoll_ctl", kScheduling},
    {"splice", kFile},
    {"provide_buffers", kOther},
    {"remove_buffers", kOther},
    {"tee", kOther},
    {"shutdown", kNetwork},
    {"renameat", kFile},
    {"unlinkat", kFile},
    {"mkdirat", kFile},
    {"symlinkat", kFile},
    {"linkat", kFile},
    {"msg_ring", kOther},
    {"fsetxattr", kFile},
    {"setxattr", kFile},
    {"fgetxattr", kFile},
    {"getxattr", kFile},
    {"socket", kNetwork},
    {"uring_cmd", kFile},
    {"send_zc", kNetwork},
    {"sendmsg_zc", kNetwork},
    {"read_multishot", kFile},
    {"waitid", CALL_CLASS_PROCESS},
    {"futex_wait", kScheduling},
    {"futex_wake", kScheduling},
    {"futex_waitv", kScheduling},
    {"fixed_fd_install", kOther},
    {"ftruncate", kFile},
    {"bind", kNetwork},
    {"listen", kNetwork},
    {"recv_zc", kNetwork},
    {"epoll_wait", kScheduling},
    {"readv_fixed", kFile},
    {"writev_fixed", kFile},
    {"pipe", kOther},
};
static_assert(std::size(kOpcodes) == 63, "IORING_OP_LAST of Linux 6.18");

} // namespace

IoUringOpcode io_uring_opcode(std::uint8_t opcode) {
  return opcode < std::size(kOpcodes) ? kOpcodes[opcode] : IoUringOpcode{"unknown", kFile};
}

} // namespace mapscope
