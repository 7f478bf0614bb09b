/// What whoever runs out of memory says.
#pragma once

#include <new>
#include <utility>

#include "media/result.hpp"

namespace media {

/// Its text fits into a string without memory of its own, so that it can be said, copied and kept when there is none.
inline Error out_of_memory() noexcept { return Error{Errc::unavailable, "out of memory"}; }

/// What `step` answers, or that there was no memory for it. For those whom others wait for, and threads, which must not throw.
template <class Step>
auto unless_out_of_memory(Step&& step) -> decltype(step()) {
  try {
    return std::forward<Step>(step)();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}

}  // namespace media
