// The classes of system calls, kept by hand, over the generated numbers.
#include "attribute/system_calls.h"

#include <cassert>
#include <iterator>
#include <unordered_map>

namespace mapscope {

namespace {

struct Numbered {
  std::string_view name;
  int amd64, arm64; // -1: not there
};

constexpr Numbered kNumbers[] = {
#include "attribute/system_call_numbers.inc"
};

// Calls that share a class and the place of their descriptor or path, as words.
struct Group {
  call_class klass;
  unsigned flags;
  std::string_view names;
};

// Memory is the %memory set of strace 6.1 with what makes memory behind a descriptor; file
// is its %file and %desc sets without what only waits, signals, or talks to the network.
// Whatever waits for something, or decides who runs, is scheduling: futexes, sleeps, polls.
// Calls that the runtime makes by Syscall6 from the system stack are its network poller's
// (Go 1.20 on, runtime/netpoll_epoll.go).
constexpr Group kGroups[] = {
    {CALL_CLASS_FILE, CALL_FD_FIRST,
     "read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 close fstat lseek "
     "ioctl fcntl flock fsync fdatasync ftruncate getdents getdents64 fchdir fchmod fchown fstatfs "
     "readahead fadvise64 fallocate sync_file_range syncfs fgetxattr fsetxattr flistxattr "
     "fremovexattr dup dup2 dup3 copy_file_range cachestat finit_module quotactl_fd"},
    // One of two descriptors may be a file whatever the other is; ranges of descriptors;
    // calls that take neither a descriptor nor a path where the kernel side looks.
    {CALL_CLASS_FILE, 0,
     "sendfile splice close_range sync getcwd open_by_handle_at fanotify_mark io_setup io_destroy "
     "io_submit io_cancel kexec_file_load fsopen fsconfig fsmount nfsservctl"},
    {CALL_CLASS_FILE, CALL_PATH_FIRST,
     "open creat stat lstat access truncate chdir rename mkdir rmdir link unlink symlink symlinkat "
     "readlink chmod chown lchown utime utimes mknod uselib statfs pivot_root chroot acct umount2 "
     "swapon swapoff setxattr lsetxattr getxattr lgetxattr listxattr llistxattr removexattr "
     "lremovexattr"},
    {CALL_CLASS_FILE, CALL_PATH_SECOND,
     "openat openat2 newfstatat statx mkdirat mknodat fchownat futimesat utimensat unlinkat "
     "renameat "
     "renameat2 linkat readlinkat fchmodat fchmodat2 faccessat faccessat2 name_to_handle_at "
     "open_tree open_tree_attr move_mount fspick mount mount_setattr quotactl inotify_add_watch "
     "setxattrat getxattrat listxattrat removexattrat file_getattr file_setattr"},

    {CALL_CLASS_MEMORY, 0,
     "brk mmap munmap mremap mprotect pkey_mprotect madvise process_madvise msync mincore mlock "
     "mlock2 munlock mlockall munlockall mbind get_mempolicy set_mempolicy set_mempolicy_home_node "
     "migrate_pages move_pages remap_file_pages process_mrelease shmat shmdt mseal "
     "map_shadow_stack memfd_create memfd_secret userfaultfd pkey_alloc pkey_free "
     "prctl"}, // names mappings, from Go 1.25 on; other uses are told apart by their argument

    {CALL_CLASS_SCHEDULING, CALL_FROM_POLLER,
     "epoll_wait epoll_ctl epoll_pwait epoll_create1 eventfd2"},
    {CALL_CLASS_SCHEDULING, 0,
     "futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list "
     "nanosleep clock_nanosleep pause restart_syscall membarrier rseq getcpu "
     "epoll_create epoll_pwait2 epoll_ctl_old epoll_wait_old eventfd poll ppoll select pselect6 "
     "io_getevents io_pgetevents sched_yield sched_getaffinity sched_setaffinity sched_getattr "
     "sched_setattr sched_getparam sched_setparam sched_getscheduler sched_setscheduler "
     "sched_get_priority_max sched_get_priority_min sched_rr_get_interval"},

    {CALL_CLASS_NETWORK, 0,
     "socket socketpair bind listen accept accept4 connect getsockname getpeername setsockopt "
     "getsockopt shutdown sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg"},

    {CALL_CLASS_TIME, 0,
     "time gettimeofday settimeofday adjtimex clock_gettime clock_settime clock_getres "
     "clock_adjtime alarm getitimer setitimer timer_create timer_delete timer_getoverrun "
     "timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime"},

    {CALL_CLASS_SIGNAL, 0,
     "kill tkill tgkill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
     "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4 "
     "pidfd_send_signal"},

    {CALL_CLASS_PROCESS, CALL_PATH_FIRST, "execve"},
    {CALL_CLASS_PROCESS, CALL_PATH_SECOND, "execveat"},
    {CALL_CLASS_PROCESS, 0,
     "clone clone3 fork vfork exit exit_group wait4 waitid getpid getppid gettid set_tid_address "
     "getpgid setpgid getpgrp getsid setsid getuid geteuid getgid getegid setuid setgid setreuid "
     "setregid setresuid setresgid getresuid getresgid setfsuid setfsgid getgroups setgroups umask "
     "capget capset arch_prctl personality getpriority setpriority ioprio_get ioprio_set "
     "getrlimit setrlimit prlimit64 getrusage times ptrace process_vm_readv process_vm_writev kcmp "
     "setns unshare seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self "
     "pidfd_open pidfd_getfd set_thread_area get_thread_area modify_ldt iopl ioperm"},

    {CALL_CLASS_OTHER, 0,
     "pipe pipe2 tee vmsplice inotify_init inotify_init1 inotify_rm_watch fanotify_init "
     "io_uring_setup io_uring_enter io_uring_register getrandom uname sethostname setdomainname "
     "sysinfo syslog bpf perf_event_open add_key request_key keyctl init_module delete_module "
     "kexec_load reboot vhangup ustat sysfs lookup_dcookie msgget msgsnd msgrcv msgctl semget "
     "semop "
     "semtimedop semctl shmget shmctl mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify "
     "mq_getsetattr statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules "
     "uprobe "
     "uretprobe _sysctl afs_syscall create_module get_kernel_syms getpmsg putpmsg query_module "
     "security tuxcall vserver"},
};

using Table = std::array<std::optional<SystemCall>, SYSTEM_CALLS_MAX>;

std::unordered_map<std::string_view, SystemCall> calls_by_name() {
  std::unordered_map<std::string_view, SystemCall> calls;
  for (const Group &group : kGroups) {
    std::string_view rest = group.names;
    while (!rest.empty()) {
      auto end = std::min(rest.find(' '), rest.size());
      std::string_view name = rest.substr(0, end);
      [[maybe_unused]] bool is_new =
          calls.emplace(name, SystemCall{name, group.klass, static_cast<std::uint8_t>(group.flags)})
              .second;
      assert(is_new && "a system call is in two groups");
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return calls;
}

Table make_table(Machine machine) {
  auto calls = calls_by_name();
  Table table;
  for (const Numbered &numbered : kNumbers) {
    int number = machine == Machine::amd64 ? numbered.amd64 : numbered.arm64;
    if (number < 0)
      continue;
    auto call = calls.find(numbered.name);
    assert(call != calls.end() && "a system call is in no group");
    table.at(static_cast<std::size_t>(number)) = call->second;
  }
  return table;
}

const Table &table_of(Machine machine) {
  static const Table amd64 = make_table(Machine::amd64);
  static const Table arm64 = make_table(Machine::arm64);
  return machine == Machine::amd64 ? amd64 : arm64;
}

} // namespace

std::optional<SystemCall> system_call(Machine machine, std::uint32_t number) {
  const Table &table = table_of(machine);
  return number < table.size() ? table[number] : std::nullopt;
}

std::string system_call_name(Machine machine, std::uint32_t number) {
  auto call = system_call(machine, number);
  return call ? std::string{call->name} : fmt::format("system call {}", number);
}

std::array<std::uint8_t, SYSTEM_CALLS_MAX> call_table(Machine machine) {
  std::array<std::uint8_t, SYSTEM_CALLS_MAX> bytes{};
  for (std::uint32_t number = 0; number < bytes.size(); ++number)
    if (auto call = system_call(machine, number))
      bytes[number] = static_cast<std::uint8_t>(call->klass | call->flags);
  return bytes;
}

call_class refined(call_class klass, descriptor_kind descriptor) {
  if (klass != CALL_CLASS_FILE)
    return klass;
  switch (descriptor) {
  case DESCRIPTOR_SOCKET:
    return CALL_CLASS_NETWORK;
  case DESCRIPTOR_MEMORY:
    return CALL_CLASS_MEMORY;
  case DESCRIPTOR_PIPE:
  case DESCRIPTOR_EVENT:
  case DESCRIPTOR_TERMINAL:
  case DESCRIPTOR_CLOSED:
    return CALL_CLASS_OTHER;
  default: // files, directories, devices, and what could not be looked at
    return CALL_CLASS_FILE;
  }
}

std::vector<CallCount> named_counts(Machine machine, const target_counts &counts) {
  std::vector<CallCount> named;
  for (std::uint32_t number = 0; number < SYSTEM_CALLS_MAX; ++number) {
    std::uint64_t inside = counts.calls_inside[number];
    std::uint64_t outside = counts.calls_outside[number];
    if (inside == 0 && outside == 0)
      continue;
    auto call = system_call(machine, number);
    std::string name =
        number == SYSTEM_CALLS_MAX - 1 ? "other numbers" : system_call_name(machine, number);
    named.push_back({std::move(name), call ? call->klass : CALL_CLASS_OTHER, inside, outside});
  }
  return named;
}

} // namespace mapscope
