// The steps of confinement, in the order in which each is still allowed.
#include "binary/confinement.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <memory>

#include <cap-ng.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace mapscope {
namespace {

// Builds for tests need a little more room: AddressSanitizer reserves terabytes of addresses
// and looks for a signal stack before it ends, and UBSan tells a good pointer from a bad one by
// writing it to a pipe.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kUnderSanitizer = true;
#elif defined(__has_feature)
constexpr bool kUnderSanitizer = __has_feature(address_sanitizer);
#else
constexpr bool kUnderSanitizer = false;
#endif

using FilterContext = Handle<void, seccomp_release>;

// A lower limit that is there already stays: nobody without capabilities may raise it.
Result<> limit(__rlimit_resource resource, rlim_t value, const char *what) {
  rlimit both{};
  if (::getrlimit(resource, &both) == 0)
    value = std::min(value, both.rlim_max);
  both = {value, value};
  if (::setrlimit(resource, &both) != 0)
    return std::unexpected(Error::from_errno(fmt::format("limiting {}", what)));
  return {};
}

Result<> limit_resources(const Confinement &confinement) {
  if constexpr (!kUnderSanitizer) {
    std::uint64_t mapped_pages = 0;
    std::ifstream{"/proc/self/statm"} >> mapped_pages;
    if (mapped_pages == 0)
      return fail(Errc::system, "/proc/self/statm does not tell how much memory is mapped");
    const auto page_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    TRY(limit(RLIMIT_AS, mapped_pages * page_bytes + confinement.memory_bytes, "memory"));
  }
  TRY(limit(RLIMIT_CPU, confinement.cpu_seconds, "processor time"));
  TRY(limit(RLIMIT_CORE, 0, "core files"));
  TRY(limit(RLIMIT_FSIZE, 0, "file sizes"));
  if constexpr (!kUnderSanitizer) // 1, since poll(2) counts what it waits for
    TRY(limit(RLIMIT_NOFILE, 1, "descriptors"));
  return {};
}

// Closes every descriptor but the socket's.
Result<> close_others(const Fd &socket) {
  const auto kept = static_cast<unsigned>(socket.get());
  if ((kept != 0 && ::syscall(SYS_close_range, 0U, kept - 1, 0U) != 0) ||
      ::syscall(SYS_close_range, kept + 1, ~0U, 0U) != 0)
    return std::unexpected(Error::from_errno("closing descriptors"));
  return {};
}

Result<> drop_privileges() {
  capng_clear(CAPNG_SELECT_CAPS);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0)
    return fail(Errc::system, "dropping capabilities: refused");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return std::unexpected(Error::from_errno("forbidding new privileges"));
  if (::prctl(PR_SET_DUMPABLE, 0) != 0)
    return std::unexpected(Error::from_errno("forbidding to be traced"));
  return {};
}

// Adds a rule, unless one before it failed.
class Filter {
public:
  explicit Filter(scmp_filter_ctx context) : context_(context) {}

  void allow(int call) { note(seccomp_rule_add(context_, SCMP_ACT_ALLOW, call, 0)); }
  void allow_if(int call, scmp_arg_cmp argument) {
    note(seccomp_rule_add(context_, SCMP_ACT_ALLOW, call, 1, argument));
  }
  void refuse(int call) { note(seccomp_rule_add(context_, SCMP_ACT_ERRNO(EACCES), call, 0)); }
  Result<> load() {
    note(seccomp_load(context_));
    if (error_ != 0)
      return std::unexpected(Error::from_errno("filtering system calls (seccomp)", -error_));
    return {};
  }

private:
  void note(int answer) {
    if (error_ == 0)
      error_ = answer;
  }

  scmp_filter_ctx context_;
  int error_ = 0;
};

Result<> filter_system_calls(const Fd &socket) {
  const FilterContext context{seccomp_init(SCMP_ACT_KILL_PROCESS)};
  if (!context)
    return fail(Errc::unsupported,
                "filtering system calls (seccomp): the kernel, or what emulates it, can't");
  Filter filter{context.get()};

  const auto fd = static_cast<scmp_datum_t>(socket.get());
  for (int call : {SCMP_SYS(recvfrom), SCMP_SYS(sendto)})
    filter.allow_if(call, {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = fd, .datum_b = 0});
  for (int call : {SCMP_SYS(mmap), SCMP_SYS(mprotect)}) // memory, but never code
    filter.allow_if(call, {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0});
  filter.allow_if(SCMP_SYS(tgkill), // abort()
                  {.arg = 0,
                   .op = SCMP_CMP_EQ,
                   .datum_a = static_cast<scmp_datum_t>(::getpid()),
                   .datum_b = 0});
  for (int call :
       {SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(restart_syscall), SCMP_SYS(clock_gettime),
        SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
        SCMP_SYS(sched_yield), SCMP_SYS(sysinfo), SCMP_SYS(getpid), SCMP_SYS(gettid),
        SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(exit), SCMP_SYS(exit_group)})
    filter.allow(call);
  if constexpr (kUnderSanitizer)
    for (int call :
         {SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(sigaltstack)})
      filter.allow(call);
  // Libraries that look around, and cope with being refused: glibc asks /proc about overcommit
  // when it gives memory back, libdw for the path of the file that it reads.
  for (int call : {SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat)})
    filter.refuse(call);
  return filter.load();
}

} // namespace

Result<> confine_this_process(const Fd &socket, const Confinement &confinement) {
  // Ctrl-C reaches the whole process group, and the parent still wants answers for its report.
  sigset_t ignored;
  ::sigfillset(&ignored);
  ::sigdelset(&ignored, SIGXCPU);
  if (::sigprocmask(SIG_SETMASK, &ignored, nullptr) != 0)
    return std::unexpected(Error::from_errno("blocking signals"));
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return std::unexpected(Error::from_errno("tying the parser to its parent"));
  TRY(limit_resources(confinement));
  TRY(close_others(socket));
  TRY(drop_privileges());
  return filter_system_calls(socket);
}

} // namespace mapscope
