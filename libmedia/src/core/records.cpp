#include "media/records.hpp"

#include <array>
#include <utility>

namespace media {
namespace {

template <class Enum, std::size_t N>
using Names = std::array<std::pair<Enum, std::string_view>, N>;

constexpr Names<MediaStatus, 4> kStatuses{{{MediaStatus::pending, "Pending"},
                                           {MediaStatus::processing, "Processing"},
                                           {MediaStatus::complete, "Complete"},
                                           {MediaStatus::failed, "Failed"}}};
constexpr Names<Visibility, 3> kVisibilities{
    {{Visibility::is_private, "private"}, {Visibility::authenticated, "authenticated"}, {Visibility::is_public, "public"}}};

template <class Enum, std::size_t N>
Result<Enum> from_name(const Names<Enum, N>& names, std::string_view text, std::string_view what) {
  std::string accepted;
  for (const auto& [value, name] : names) {
    if (name == text) return value;
    accepted += (accepted.empty() ? "" : ", ") + std::string(name);
  }
  return Error{Errc::invalid_argument, std::string(what) + " is one of " + accepted};
}

}  // namespace

std::string_view to_string(MediaStatus status) noexcept { return kStatuses[static_cast<std::size_t>(status)].second; }
Result<MediaStatus> media_status_from(std::string_view text) { return from_name(kStatuses, text, "status"); }
std::string_view to_string(Visibility visibility) noexcept { return kVisibilities[static_cast<std::size_t>(visibility)].second; }
Result<Visibility> visibility_from(std::string_view text) { return from_name(kVisibilities, text, "visibility"); }

}  // namespace media
