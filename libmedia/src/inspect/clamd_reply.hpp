/// What clamd answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "media/result.hpp"

namespace media::inspect {

struct ClamdReply {
  enum class Kind : std::uint8_t {
    clean,
    infected,    ///< `text`: the signature's name.
    size_limit,  ///< More came than StreamMaxLength.
    pong,
    error,  ///< `text`: what it says.
  };
  Kind kind = Kind::error;
  std::uint32_t command = 0;  ///< Which command of the session it answers, from 1; 0: it does not say.
  std::string text{};         ///< Printable ASCII, 128 bytes at most.

  friend bool operator==(const ClamdReply&, const ClamdReply&) = default;
};

/// An answer without its final zero byte (clamd(8), "IDSESSION", "INSTREAM"). `corrupt` where it is none: nothing that is not understood
/// passes for clean.
Result<ClamdReply> parse_clamd_reply(std::string_view line);

}  // namespace media::inspect
