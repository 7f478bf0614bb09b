/// Blobs that were opened and found good a moment ago.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "media/digest.hpp"
#include "media/io.hpp"

namespace media {

/// What many ask for at once is looked up, opened and checked once in a while, not for each of them. Readers are dropped after
/// `kLifetime`, so that a blob that was set aside or collected is not served for long; media rows are never kept, so what a caller may see
/// is always as the catalog has it.
///
/// Thread-safety: may be called concurrently, because a mutex guards the list.
class OpenBlobs {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kLifetime{2};
  static constexpr std::size_t kMost = 256;  ///< Descriptors.

  std::shared_ptr<const ByteReader> find(const Digest& digest, Clock::time_point now = Clock::now());
  void keep(const Digest& digest, std::shared_ptr<const ByteReader> reader, Clock::time_point now = Clock::now());
  void forget(const Digest& digest);
  /// Closes what lived out its time although nobody asks any more: an open file keeps its place on the disk.
  void close_old(Clock::time_point now = Clock::now());

 private:
  struct Entry {
    Digest digest;
    std::shared_ptr<const ByteReader> reader;
    Clock::time_point until;
  };
  /// Those that lived out their time, in which nobody may ask again. They close outside the mutex, in `gone`.
  void drop_old(Clock::time_point now, std::list<Entry>& gone);

  std::mutex mutex_;
  std::list<Entry> entries_;  ///< The oldest first: all live equally long.
  std::unordered_map<Digest, std::list<Entry>::iterator> by_digest_;
};

}  // namespace media
