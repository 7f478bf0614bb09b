/// Whether the cage of the worker processes holds on this machine.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "media/export.hpp"
#include "media/result.hpp"

namespace media {

/// One thing that a worker tried which decodes no picture.
struct CageAttempt {
  std::string what{};  ///< "read a file"
  bool refused = false;
  std::string reason{};  ///< As the system names it ("EPERM"); empty where it came off.
};

struct CageReport {
  std::filesystem::path worker{};
  int landlock = 0;  ///< The version of Landlock that this kernel knows; 0: none, and the other locks do its work alone.
  std::vector<CageAttempt> attempts{};
  std::string libraries{};  ///< "libavcodec 59.37.100, …": what a worker that decodes videos does it with; empty of others.

  /// Everything was refused.
  [[nodiscard]] MEDIA_EXPORT bool holds() const noexcept;
};

/// Starts a worker, which closes its locks as ever and then tries what one would try that a hostile file has taken over: to open files and
/// sockets, to start programs, to reach other processes. An empty path: the one that `find_worker` finds.
/// Errors: `not_found` (no worker), `unsupported` (it could not close its locks here; no picture is decoded then either), `internal`
/// (it ended otherwise). Thread-safety: may be called concurrently.
MEDIA_EXPORT Result<CageReport> test_cage(const std::filesystem::path& worker = {});

}  // namespace media
