#include "cage/self_test.hpp"

#include <string.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>

#include "cage/channel.hpp"
#include "cage/child.hpp"
#include "media/processor.hpp"

namespace media {
namespace {

constexpr std::string_view kHead = "media-worker selftest, landlock ";
constexpr std::string_view kFailure = "media-worker cannot close its locks: ";
constexpr std::string_view kRefused = "refused: ";
constexpr std::string_view kAllowed = "ALLOWED: ";
constexpr std::string_view kLibraries = "decodes by: ";
constexpr std::string_view kReason = " (";
constexpr std::size_t kMaxTextBytes = 64U << 10U;
constexpr std::chrono::seconds kPatience{30};

Error garbled() { return Error{Errc::internal, "the worker's self-test said something that is not understood"}; }

std::string read_to_the_end(int socket) {
  const cage::Channel channel(socket);
  std::string text;
  cage::Patience patience;
  patience.until = std::chrono::steady_clock::now() + kPatience;
  char letter = 0;
  while (text.size() < kMaxTextBytes && channel.receive_raw(std::as_writable_bytes(std::span(&letter, 1)), patience)) text += letter;
  return text;
}

}  // namespace

bool CageReport::holds() const noexcept {
  return !attempts.empty() && std::all_of(attempts.begin(), attempts.end(), [](const CageAttempt& attempt) { return attempt.refused; });
}

namespace cage {

std::string write_self_test_head(int landlock) { return std::string(kHead) + std::to_string(landlock) + "\n"; }

std::string write_self_test_libraries(std::string_view libraries) { return std::string(kLibraries).append(libraries) + "\n"; }

std::string write_self_test_failure(const Error& error) { return std::string(kFailure) + error.message + "\n"; }

std::string write_self_test_line(std::string_view what, int failure) {
  if (failure == 0) return std::string(kAllowed).append(what) + "\n";
  const char* const name = ::strerrorname_np(failure);
  return std::string(kRefused).append(what).append(kReason) + (name != nullptr ? name : std::to_string(failure)) + ")\n";
}

Result<CageReport> parse_self_test(std::string_view text) {
  if (text.starts_with(kFailure)) return Error{Errc::unsupported, std::string(text.substr(0, text.find('\n')))};
  CageReport report;
  bool is_head = true;
  while (!text.empty()) {
    const auto length = text.find('\n');
    if (length == std::string_view::npos) return garbled();
    std::string_view line = text.substr(0, length);
    text.remove_prefix(length + 1);
    if (is_head) {
      if (!line.starts_with(kHead)) return garbled();
      line.remove_prefix(kHead.size());
      if (const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), report.landlock);
          failure != std::errc{} || end != line.data() + line.size()) {
        return garbled();
      }
      is_head = false;
      continue;
    }
    if (report.attempts.empty() && report.libraries.empty() && line.starts_with(kLibraries)) {
      report.libraries = line.substr(kLibraries.size());
      continue;
    }
    CageAttempt attempt;
    attempt.refused = line.starts_with(kRefused);
    if (!attempt.refused && !line.starts_with(kAllowed)) return garbled();
    line.remove_prefix(kRefused.size());
    if (attempt.refused) {
      const auto reason = line.rfind(kReason);
      if (reason == std::string_view::npos || !line.ends_with(')')) return garbled();
      attempt.reason = line.substr(reason + kReason.size(), line.size() - reason - kReason.size() - 1);
      line = line.substr(0, reason);
    }
    attempt.what = line;
    report.attempts.push_back(std::move(attempt));
  }
  if (report.attempts.empty()) return garbled();
  return report;
}

}  // namespace cage

Result<CageReport> test_cage(const std::filesystem::path& worker) {
  std::filesystem::path program = worker;
  if (program.empty()) {
    MEDIA_TRY_ASSIGN(program, find_worker());
  }
  MEDIA_TRY_ASSIGN(auto child, cage::Child::start(program, {"--selftest"}));
  const std::string text = read_to_the_end(child.socket());
  const cage::Ending ending = child.end(kPatience);
  if (ending.kind != cage::Ending::Kind::exited || ending.number != 0) {
    return Error{Errc::internal, "the worker " + program.string() + " " + describe(ending) + " while it tested its locks"};
  }
  MEDIA_TRY_ASSIGN(auto report, cage::parse_self_test(text));
  report.worker = std::move(program);
  return report;
}

}  // namespace media
