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

/// The tag's lowest bits; the others are free for further marks.
inline constexpr unsigned kAccessBits = 0x7;

constexpr unsigned tag_of(Access access) { return static_cast<unsigned>(access); }
inline Access access_of(const http::Route& route) { return static_cast<Access>(route.options.tag & kAccessBits); }

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
