/// Who writes to which resumable upload in this process.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <utility>

namespace media {

/// One turn at a time for each id. Whoever comes asks the one before to stop: a client that comes back is the same client, and the
/// request that it came back from may be waiting for a connection that is long dead.
///
/// Thread-safety: all of it, under one mutex. Outlives its turns.
class UploadTurns {
 public:
  class Turn {
   public:
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), id_(std::move(other.id_)), stop_(std::move(other.stop_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->end(id_);
    }
    [[nodiscard]] std::stop_token asked_to_stop() const noexcept { return stop_.get_token(); }

   private:
    friend class UploadTurns;
    Turn(UploadTurns& turns, std::string id, std::stop_source stop) : turns_(&turns), id_(std::move(id)), stop_(std::move(stop)) {}

    UploadTurns* turns_;
    std::string id_;
    std::stop_source stop_;
  };

  /// Nothing where the one before has not ended by then.
  std::optional<Turn> take(const std::string& id, std::chrono::steady_clock::time_point deadline);

 private:
  void end(const std::string& id);

  std::mutex mutex_;
  std::condition_variable ended_;
  std::unordered_map<std::string, std::stop_source> current_;
};

}  // namespace media
