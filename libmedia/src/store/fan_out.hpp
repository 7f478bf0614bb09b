/// The folders between the base and the blobs, and which of them a power cut cannot take away any more.
#pragma once

#include <bitset>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>

#include "media/digest.hpp"
#include "media/result.hpp"

namespace media::store {

/// A fan-out folder: its depth below the base (0 is the base itself) and its number at that depth.
struct FanOutFolder {
  unsigned depth = 0;
  std::uint32_t index = 0;
  friend auto operator<=>(const FanOutFolder&, const FanOutFolder&) = default;
};

/// Makes fan-out folders and remembers those whose entry in their parent is on stable storage. That a folder exists
/// says nothing of that: another process may have made it a moment ago and not synced its parent yet, so each folder that
/// is not remembered costs a sync of its parent, made here or not.
///
/// Thread-safety: `prepare` may be called concurrently, because it changes only its arguments; the others by one thread alone (the
/// leader of a group, when nobody else is at work).
class FanOut {
 public:
  explicit FanOut(int base) : base_(base) {}

  /// Makes the missing folders above a blob, and adds those that must be synced after the rename: the folder that holds
  /// the blob, and the parent of each folder that is not known to be durable.
  Result<void> prepare(const Digest& digest, std::set<FanOutFolder>& to_sync, std::set<FanOutFolder>& fresh) const;
  /// To be called when the parents of `fresh` were synced.
  void remember(const std::set<FanOutFolder>& fresh);
  /// Somebody removed a folder above this blob: none of them is known any more.
  void forget(const Digest& digest);

 private:
  struct FreeDeleter {
    void operator()(std::uint64_t* words) const noexcept { std::free(words); }  // NOLINT(cppcoreguidelines-no-malloc)
  };
  /// One bit a folder: at most 2 MiB for all of the deepest level, and only the pages that are used.
  [[nodiscard]] bool known(const FanOutFolder& folder) const;
  void set_known(const FanOutFolder& folder, bool value);

  int base_;
  std::bitset<256> top_;
  std::bitset<65536> middle_;
  std::unique_ptr<std::uint64_t, FreeDeleter> deepest_;
};

}  // namespace media::store
