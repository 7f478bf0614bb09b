#include "library/upload_turns.hpp"

namespace media {

std::optional<UploadTurns::Turn> UploadTurns::take(const std::string& id, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto current = current_.find(id);
    if (current == current_.end()) break;
    std::stop_source stop = current->second;
    // Not under the mutex: what is called back is not ours.
    lock.unlock();
    stop.request_stop();
    lock.lock();
    const auto is_over = [&] {
      const auto now = current_.find(id);
      return now == current_.end() || now->second != stop;
    };
    if (!ended_.wait_until(lock, deadline, is_over)) return std::nullopt;
  }
  std::stop_source stop;
  current_.emplace(id, stop);
  return Turn(*this, id, std::move(stop));
}

void UploadTurns::end(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    current_.erase(id);
  }
  ended_.notify_all();
}

}  // namespace media
