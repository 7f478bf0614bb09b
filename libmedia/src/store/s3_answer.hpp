/// What an object store's refusals mean.
#pragma once

#include <string>
#include <string_view>

#include "media/clock.hpp"
#include "media/result.hpp"
#include "store/s3_transport.hpp"

namespace media::store::s3 {

/// For messages.
struct Place {
  std::string endpoint{};
  std::string bucket{};
  std::string region{};
};

/// The code of an error document, where the answer has one and it is plain text; else empty.
std::string error_code_of(const HttpAnswer& answer);

/// An answer that is no success, as an error. `what` names operation and object; `now` is the time that the request carried.
Error error_of(const HttpAnswer& answer, const Place& place, std::string_view what, Timestamp now);

}  // namespace media::store::s3
