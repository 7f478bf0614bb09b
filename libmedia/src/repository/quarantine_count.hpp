/// A count by its reason.
#pragma once

#include <cassert>
#include <cstdint>

#include "media/gate_records.hpp"

namespace media {

inline std::uint64_t& count_of(QuarantineCounts& counts, Hold reason) noexcept {
  switch (reason) {
    case Hold::unscanned:
      return counts.unscanned;
    case Hold::polyglot:
      return counts.polyglot;
    case Hold::infected:
      return counts.infected;
    case Hold::banned:
      return counts.banned;
    case Hold::damaged:
      return counts.damaged;
    case Hold::missing:
      return counts.missing;
    case Hold::none:
    case Hold::unseen:
      break;
  }
  assert(reason == Hold::unseen);
  return counts.unseen;
}

}  // namespace media
