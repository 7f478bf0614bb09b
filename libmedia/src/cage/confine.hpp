/// What a worker gives up before it sees a stranger's byte, beside what its locks (libmedia/worker/locks.hpp) take away.
#pragma once

#include <cstdint>

#include "media/result.hpp"

namespace media::cage {

/// Gives up, for good: new privileges, core dumps and being traced, writing files, more than a few descriptors, the
/// start folder, normal priority, and address space beyond what the program has mapped now plus `max_memory_bytes`.
/// Errors: `denied`, `io`.
Result<void> confine_process(std::uint64_t max_memory_bytes);

/// From now on the process ends when the other side of `socket` is gone, whatever it is doing.
///
/// By SIGIO and not PR_SET_PDEATHSIG, which fires at the end of the thread that started the worker, and that thread may well end before
/// the pool does. Errors: `io`.
Result<void> end_with_peer(int socket);

/// Sets how much address space (beyond what is mapped already) and processor time the next job may take.
/// Never above what `confine_process` left.
Result<void> limit_job(std::uint64_t max_memory_bytes, std::uint64_t deadline_milliseconds);

}  // namespace media::cage
