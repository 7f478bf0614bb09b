/// What `mediad --healthcheck` asks: is the mediad of this configuration well?
#pragma once

#include <cstdint>
#include <string>

#include "media/result.hpp"

namespace media::server {

struct HealthQuestion {
  enum class About : std::uint8_t {
    ready,  ///< It can do its work: catalog and store answer.
    live,   ///< The process answers, whatever its dependencies do.
  };
  std::string host;  ///< As configured; an address that stands for all of them is asked by loopback.
  std::uint16_t port = 0;
  About about = About::ready;
};

/// Asks over HTTP, past any proxy, and waits a few seconds. Errors: `unavailable`, in one line: nobody answers in time, or the answer says
/// which check fails.
Result<void> ask_health(const HealthQuestion& question);

}  // namespace media::server
