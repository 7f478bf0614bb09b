/// What a route asks of its caller, said where the route is added.
#pragma once

#include <string_view>

#include "http/router.hpp"

namespace media::server {

/// Travels in `http::RouteOptions::tag`. What is not said is the strict one.
enum class Access : unsigned {
  by_method = 0,  ///< A caller with media:read for GET and HEAD, with media:write for the rest. OPTIONS is open.
  open,           ///< Anybody; credentials are not looked at.
  by_signature,   ///< Whoever has the signed URL; the route checks it, and credentials are not looked at.
  by_media,       ///< Anybody gets as far as the route, which asks the media's visibility and the URL's signature.
};

/// Which of the rate limits a route's requests count against.
enum class Tier : unsigned {
  by_caller = 0,  ///< Of the anonymous, the authenticated or the admins, by who calls.
  health,
  upload,
  delivery,
};

/// The tag's lowest bits; the tier's are those above them.
inline constexpr unsigned kAccessBits = 0x7;
inline constexpr unsigned kTierShift = 3;

constexpr unsigned tag_of(Access access, Tier tier = Tier::by_caller) {
  return static_cast<unsigned>(access) | (static_cast<unsigned>(tier) << kTierShift);
}
inline Access access_of(const http::Route& route) { return static_cast<Access>(route.options.tag & kAccessBits); }
inline Tier tier_of(const http::Route& route) { return static_cast<Tier>((route.options.tag >> kTierShift) & 0x3U); }

constexpr std::string_view to_string(Access access) {
  switch (access) {
    case Access::by_method:
      return "by_method";
    case Access::open:
      return "open";
    case Access::by_signature:
      return "by_signature";
    case Access::by_media:
      return "by_media";
  }
  return "unknown";
}

}  // namespace media::server
