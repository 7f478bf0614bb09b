/// Errors as values: what every fallible call of libmedia returns.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

#include "media/export.hpp"

namespace media {

/// The closed set of ways in which a call can fail. Code branches on it; messages are for people.
enum class Errc {
  invalid_argument,  ///< The caller's value is malformed or out of range.
  not_found,         ///< The object asked for does not exist.
  already_exists,    ///< The object to be made exists and differs.
  corrupt,           ///< Bytes are not what their digest, format or checksum says.
  too_large,         ///< A limit on bytes, pixels, frames or time was passed.
  unsupported,       ///< A type or feature that this build or policy does not handle.
  denied,            ///< The caller, or the operating system, forbids it.
  expired,           ///< It was valid once.
  conflict,          ///< Somebody else changed it meanwhile.
  unavailable,       ///< A dependency is down or overloaded; later may work.
  no_space,          ///< Disk or quota is full.
  io,                ///< The operating system reported an input/output error.
  cancelled,         ///< The caller asked to stop.
  internal,          ///< A fault of ours.
};

/// The code's name as written above ("no_space").
MEDIA_EXPORT std::string_view to_string(Errc code) noexcept;

/// True where the same call may succeed later without change (`conflict`, `unavailable`).
/// The only retry policy of the library.
MEDIA_EXPORT bool is_retryable(Errc code) noexcept;

/// A failure: a code for programs, a sentence for people that names the operation and its object
/// and never holds a secret.
struct Error {
  Errc code = Errc::internal;
  std::string message;

  friend bool operator==(const Error&, const Error&) = default;
};

/// A value of `T`, or the `Error` that stands in its way.
///
/// A class and not an alias of tl::expected, because GCC 12 overlooks a dropped result of an alias.
/// Reading the value of a failed result (or the error of a good one) is a broken precondition.
/// Thread-safety: that of `T`; there is no shared state.
template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  template <class U = T>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : outcome_(std::forward<U>(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Error error) : outcome_(tl::unexpect, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return outcome_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  T& value() & { return outcome_.value(); }
  const T& value() const& { return outcome_.value(); }
  /// By value, so that `for (auto& x : call().value())` does not walk what has gone already.
  T value() && { return std::move(outcome_).value(); }
  T& operator*() & { return *outcome_; }
  const T& operator*() const& { return *outcome_; }
  T operator*() && { return *std::move(outcome_); }
  T* operator->() { return &*outcome_; }
  const T* operator->() const { return &*outcome_; }

  Error& error() & { return outcome_.error(); }
  const Error& error() const& { return outcome_.error(); }
  Error&& error() && { return std::move(outcome_).error(); }

 private:
  tl::expected<T, Error> outcome_;
};

/// Success without a value, or an `Error`. Default construction is success.
template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : outcome_(tl::unexpect, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool has_value() const noexcept { return outcome_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }
  /// Throws tl::bad_expected_access on failure, as the value of any other result does.
  void value() const {
    if (!outcome_.has_value()) throw tl::bad_expected_access<Error>(outcome_.error());
  }

  Error& error() & { return outcome_.error(); }
  const Error& error() const& { return outcome_.error(); }
  Error&& error() && { return std::move(outcome_).error(); }

 private:
  tl::expected<void, Error> outcome_;
};

}  // namespace media

#define MEDIA_CONCAT_INNER(a, b) a##b
#define MEDIA_CONCAT(a, b) MEDIA_CONCAT_INNER(a, b)

// __COUNTER__ and not __LINE__: a lambda inside one macro's argument may use the macros again on the same line.
#define MEDIA_TRY_INNER(name, expression)               \
  do {                                                  \
    if (auto name = (expression); !name) [[unlikely]] { \
      return std::move(name).error();                   \
    }                                                   \
  } while (false)

/// `MEDIA_TRY(call());` returns the error of a failed result from the enclosing function; a value is dropped.
#define MEDIA_TRY(expression) MEDIA_TRY_INNER(MEDIA_CONCAT(media_try_, __COUNTER__), expression)

#define MEDIA_TRY_ASSIGN_INNER(name, declaration, expression) \
  auto name = (expression);                                   \
  if (!name) [[unlikely]]                                     \
    return std::move(name).error();                           \
  declaration = std::move(name).value()

/// `MEDIA_TRY_ASSIGN(auto size, file.size());` declares `size`, or returns the error.
#define MEDIA_TRY_ASSIGN(declaration, expression) MEDIA_TRY_ASSIGN_INNER(MEDIA_CONCAT(media_try_, __COUNTER__), declaration, expression)
