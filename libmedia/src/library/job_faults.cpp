#include "library/job_faults.hpp"

#include <algorithm>
#include <charconv>

namespace media {
namespace {

constexpr std::string_view kPutOff = "put off ";
constexpr std::chrono::milliseconds kFirstPause{1000};
constexpr std::chrono::milliseconds kLongestPause = std::chrono::minutes(5);
/// With the pauses between them a day.
constexpr std::uint32_t kMostTimes = 300;

}  // namespace

bool is_fault_of_the_place(Errc code) noexcept {
  return code == Errc::unavailable || code == Errc::io || code == Errc::no_space || code == Errc::denied;
}

std::uint32_t times_put_off(const Job& job) noexcept {
  std::uint32_t times = 0;
  if (job.last_error.starts_with(kPutOff)) {
    std::from_chars(job.last_error.data() + kPutOff.size(), job.last_error.data() + job.last_error.size(), times);
  }
  return times;
}

std::optional<PutOff> put_off(const Job& job, const Error& error) {
  const std::uint32_t times = times_put_off(job) + 1;
  if (times >= kMostTimes) return std::nullopt;
  const auto pause = std::min(kLongestPause, kFirstPause * (1U << std::min(times - 1, 10U)));
  return PutOff{times, pause, std::string(kPutOff) + std::to_string(times) + (times == 1 ? " time: " : " times: ") + error.message};
}

std::string reason_for_everybody(const Error& error, std::string_view done, std::uint32_t attempts) {
  const bool is_the_files = error.code == Errc::corrupt || error.code == Errc::unsupported || error.code == Errc::too_large;
  if (is_the_files || error.code == Errc::internal) return error.message;
  return "it could not be " + std::string(done) + " here in " + std::to_string(attempts) + (attempts == 1 ? " attempt (" : " attempts (") +
         std::string(to_string(error.code)) + ")";
}

}  // namespace media
