// Failures that a caller can act on, as values. A broken invariant is not one of
// them: that is an assert, and it stays on in release builds.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace mapscope {

enum class Errc {
  not_found,   // the thing does not exist: often fine, the caller decides
  denied,      // missing capability, ptrace scope, lockdown
  malformed,   // bytes from outside that break their own format
  unsupported, // this kernel, Go version or binary lacks what we need
  gone,        // the target ended while we looked
  usage,       // the user asked for something that makes no sense
  system,      // any other errno
};

class [[nodiscard]] Error {
public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  static Error from_errno(std::string_view operation, int error_number = errno) {
    Errc code = error_number == ENOENT                            ? Errc::not_found
                : error_number == ESRCH                           ? Errc::gone
                : error_number == EPERM || error_number == EACCES ? Errc::denied
                                                                  : Errc::system;
    return {code, fmt::format("{}: {}", operation, std::strerror(error_number))};
  }

  Errc code() const { return code_; }
  const std::string &message() const { return message_; }

  // Outer context goes in front, so a message reads from intent to cause.
  Error while_doing(std::string_view context) && {
    message_ = fmt::format("{}: {}", context, message_);
    return std::move(*this);
  }

private:
  Errc code_;
  std::string message_;
};

template <typename T = void> using Result = std::expected<T, Error>;

// fail(Errc::malformed, "{} entries, {} fit", n, max): an error for a function that returns Result.
template <typename... Args>
std::unexpected<Error> fail(Errc code, fmt::format_string<Args...> format, Args &&...args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

} // namespace mapscope

// TRY(expression) is the value of `expression`, or an early return of its error.
// The second form adds context, and formats it only on failure. GNU statement
// expressions: GCC and Clang, the only compilers this project builds with. The name of the
// result is unique, so that one TRY can stand inside another.
#define TRY(expression) MAPSCOPE_TRY(MAPSCOPE_JOIN(try_result_, __COUNTER__), expression)

#define TRY_WHILE(expression, ...)                                                                 \
  MAPSCOPE_TRY_WHILE(MAPSCOPE_JOIN(try_result_, __COUNTER__), expression, __VA_ARGS__)

#define MAPSCOPE_JOIN(left, right) MAPSCOPE_JOIN_EXPANDED(left, right)
#define MAPSCOPE_JOIN_EXPANDED(left, right) left##right

#define MAPSCOPE_TRY(result, expression)                                                           \
  __extension__({                                                                                  \
    auto result = (expression);                                                                    \
    if (!result) [[unlikely]]                                                                      \
      return std::unexpected(std::move(result).error());                                           \
    *std::move(result);                                                                            \
  })

#define MAPSCOPE_TRY_WHILE(result, expression, ...)                                                \
  __extension__({                                                                                  \
    auto result = (expression);                                                                    \
    if (!result) [[unlikely]]                                                                      \
      return std::unexpected(std::move(result).error().while_doing(fmt::format(__VA_ARGS__)));     \
    *std::move(result);                                                                            \
  })
