/// What a job failed of: the file, or the place where it was tried.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/records.hpp"
#include "media/result.hpp"

namespace media {

/// True for what every other file would run into as well: no worker starts, the store does not answer, a disk is full. No attempt at the
/// file is used up by it.
bool is_fault_of_the_place(Errc code) noexcept;

/// How a job goes back into the queue after such a fault.
struct PutOff {
  std::uint32_t times = 0;  ///< One after another, this one included.
  std::chrono::milliseconds pause{0};
  std::string note{};  ///< For Job::last_error, where the next one counts on from it.
};

/// The pauses double from a second up to five minutes. Nothing where a day of trying has passed: what a job needs may never come.
std::optional<PutOff> put_off(const Job& job, const Error& error);

/// How often a job was put off, one time after another, by what was noted the last time.
std::uint32_t times_put_off(const Job& job) noexcept;

/// What is said of a job that ended to whoever may see its media: nothing of this machine's paths and faults. `done` is what was to be done
/// with the media ("encoded").
std::string reason_for_everybody(const Error& error, std::string_view done, std::uint32_t attempts);

}  // namespace media
