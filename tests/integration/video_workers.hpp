// Processors of videos by the programs that were built.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include "catch.hpp"
#include "media/processor.hpp"

namespace test {

inline std::unique_ptr<media::Processor> workers(const std::filesystem::path& video_worker = MEDIA_VIDEO_WORKER_BINARY) {
  media::WorkerPoolOptions options;
  options.worker_path = MEDIA_WORKER_BINARY;
  options.video_worker_path = video_worker;
  auto pool = media::make_worker_processor(options);
  if (!pool) FAIL(pool.error().message);
  return std::move(*pool);
}

}  // namespace test
