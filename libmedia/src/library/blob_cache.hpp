/// Small contents that many ask for, in memory.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "media/digest.hpp"
#include "media/io.hpp"
#include "media/measures.hpp"

namespace media {

/// A segmented least-recently-used list under a budget of bytes: what is read for the first time competes with its like for a fifth of the
/// budget, and comes among those that are kept when it is read again, so that one who reads everything once displaces nothing.
///
/// The bytes are proven and cannot rot. Whether they may still be served is another question, and is asked of the catalog every
/// `kLifetime`; what nobody read for `kIdle` goes, so that what another process erased does not stay here.
///
/// Thread-safety: may be called concurrently, because a mutex guards the lists. Contents that readers hold live on when they are dropped.
class BlobCache {
 public:
  using Clock = std::chrono::steady_clock;
  using Reader = std::shared_ptr<const ByteReader>;
  static constexpr std::chrono::seconds kLifetime{2};
  static constexpr std::chrono::minutes kIdle{10};

  explicit BlobCache(std::uint64_t budget_bytes) noexcept : budget_bytes_(budget_bytes) {}

  /// Whether a content of that size has a place here at all.
  [[nodiscard]] bool takes(std::uint64_t size_bytes) const noexcept;
  /// What was kept, or renewed, less than `kLifetime` ago; else null.
  Reader find(const Digest& digest, Clock::time_point now = Clock::now());
  /// Likewise, of whatever age: for a caller who knows that the blob may be served, and has this size.
  Reader renew(const Digest& digest, std::uint64_t size_bytes, Clock::time_point now = Clock::now());
  /// Takes in bytes whose digest was compared.
  Reader keep(const Digest& digest, std::vector<std::byte> bytes, Clock::time_point now = Clock::now());
  void forget(const Digest& digest);
  void drop_idle(Clock::time_point now = Clock::now());
  [[nodiscard]] ReadCacheNumbers numbers() const;

 private:
  struct Entry {
    Digest digest;
    std::shared_ptr<const MemoryReader> reader;
    Clock::time_point until;
    bool is_protected = false;
  };
  using Entries = std::list<Entry>;
  using Gone = Entries;  ///< Freed by the caller, outside the mutex; moved there, which needs no memory.
  struct Segment {
    Entries entries;  ///< Read last: at the front.
    std::uint64_t bytes = 0;
  };

  static std::uint64_t cost(const Entry& entry) noexcept;
  /// To the front of those that are kept; what falls out at their end is on probation again.
  Reader touch(Entries::iterator entry, Gone& gone);
  Segment& segment_of(const Entry& entry) noexcept { return entry.is_protected ? protected_ : probation_; }
  /// To the front there; also where it is there already.
  void move_to(bool is_protected, Entries::iterator entry);
  void drop(Entries::iterator entry, Gone& gone);
  void fit(Gone& gone);

  const std::uint64_t budget_bytes_;
  mutable std::mutex mutex_;
  Segment probation_;
  Segment protected_;
  std::unordered_map<Digest, Entries::iterator> by_digest_;
  ReadCacheNumbers numbers_;
};

}  // namespace media
