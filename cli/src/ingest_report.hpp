/// What is said of one file of an ingest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ingest_run.hpp"

namespace mediactl {

struct IngestRun::Report {
  enum class Status : std::uint8_t { stored, duplicate, refused, failed };
  Status status = Status::failed;
  std::string path;
  media::MediaId id = 0;  ///< 0: none.
  std::optional<media::Digest> digest;
  std::string media_type;
  media::MediaInfo info;
  std::uint64_t bytes = 0;
  media::FileSharing shared = media::FileSharing::none;
  std::string copied_because;
  std::string reason;
  /// False where one sentence was said for many files.
  bool complain = true;
};

}  // namespace mediactl
