/// What the system says of this process.
#pragma once

#include <cstdint>

namespace media::server {

struct ProcessStats {
  double cpu_seconds = 0;         ///< User and system, without child processes.
  double start_time_seconds = 0;  ///< Since 1970.
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_descriptors = 0;
  std::uint64_t max_descriptors = 0;
};

/// What cannot be found out is 0.
ProcessStats read_process_stats();

}  // namespace media::server
