// Errors as values: what went wrong, where, and what a person can do about it.
//
// Guarantees: an Error never refers to memory that it does not own. Nothing here prints or aborts,
// except SAMEBITS_CHECK, which is for mistakes of the programmer and stays on in release builds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace samebits {

enum class ErrorCode : std::uint8_t {
  io,            // the operating system refused: missing file, permission, not a regular file
  truncated,     // the file ends before what it announces
  malformed,     // bytes that the format does not allow
  inconsistent,  // two places of the file contradict each other
  unsupported,   // legal, but not something that this program reads
  limit,         // larger than a stated bound (base/limits.h)
  memory,        // the system gives no more
  usage,         // the request itself makes no sense
};

/// The name of a code as it stands in JSON, e.g. "truncated".
const char* error_code_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::malformed;
  std::string what;                       // one sentence without a full stop
  std::string file;                       // path as the user gave it; "" when no file is involved
  std::optional<std::uint64_t> offset{};  // bytes from the start of `file`
  std::string expected{};                 // "" when there is nothing to contrast
  std::string found{};
  std::string hint{};  // what to do; "" when nothing helps
};

/// "whole.pth: byte 1234: the record data/3 is truncated (expected 64 bytes, found 12). Hint."
std::string to_string(const Error& error);

template <class T>
using Result = tl::expected<T, Error>;

/// `return fail({.code = ..., .what = ...});`
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// Ends the program with the failed condition and its place. For broken invariants only.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace samebits

#define SAMEBITS_CHECK(condition) \
  ((condition) ? (void)0 : ::samebits::check_failed(#condition, __FILE__, __LINE__))

#define SAMEBITS_CONCAT_INNER(a, b) a##b
#define SAMEBITS_CONCAT(a, b) SAMEBITS_CONCAT_INNER(a, b)

/// SAMEBITS_TRY(auto x, f()): takes the value of a Result, or returns its error to the caller.
#define SAMEBITS_TRY(declaration, expression)                         \
  auto SAMEBITS_CONCAT(samebits_try_, __LINE__) = (expression);       \
  if (!SAMEBITS_CONCAT(samebits_try_, __LINE__))                      \
    return ::tl::unexpected<::samebits::Error>(                       \
        std::move(SAMEBITS_CONCAT(samebits_try_, __LINE__)).error()); \
  declaration = std::move(*SAMEBITS_CONCAT(samebits_try_, __LINE__))

/// For Result<void>, or where the value is not needed.
#define SAMEBITS_TRY_VOID(expression)                            \
  if (auto samebits_try_void = (expression); !samebits_try_void) \
  return ::tl::unexpected<::samebits::Error>(std::move(samebits_try_void).error())
