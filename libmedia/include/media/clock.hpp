/// Time, passed in so that tests can hold it still.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// Wall-clock time in UTC, to the millisecond: what catalogs store and clients see.
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// Where the library takes its wall-clock time from. Time-outs never use it: they use std::chrono::steady_clock.
///
/// Thread-safety: `now()` may be called concurrently.
class MEDIA_EXPORT Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;
};

/// The computer's own clock.
class MEDIA_EXPORT SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
};

/// RFC 3339 in UTC with milliseconds and a `Z`: "2026-11-25T10:30:00.000Z". It has four digits for a year: what is
/// before year 0 or after 9999 is written as the first or last moment of them.
MEDIA_EXPORT std::string to_rfc3339(Timestamp time);
/// Reads RFC 3339 with `Z` or a numeric offset. `invalid_argument` otherwise.
MEDIA_EXPORT Result<Timestamp> from_rfc3339(std::string_view text);

}  // namespace media
