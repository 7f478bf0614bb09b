/// Files that are being written, in a folder that belongs to one opening of the store and vanishes with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "core/unique_fd.hpp"
#include "media/result.hpp"

namespace media::store {

class TempFolder;

/// One temp file: open for reading and writing, unlinked by its destructor unless it was renamed away.
///
/// Thread-safety: none of its own; its writer, then its staged content, then the publisher hold it in turn.
class TempFile {
 public:
  /// Errors: `no_space`, `io`, `denied`, `unavailable` (no descriptors left, or somebody removed the folder).
  static Result<TempFile> create(std::shared_ptr<TempFolder> folder);
  TempFile(TempFile&& other) noexcept = default;
  TempFile& operator=(TempFile&& other) noexcept;
  ~TempFile() { discard(); }

  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const TempFolder* folder() const noexcept { return folder_.get(); }
  /// Gives the descriptor up and keeps the file: a synced file waits for its name without one.
  void close() noexcept { descriptor_.reset(); }
  /// The name is gone from the temp folder (renamed): nothing is left to unlink.
  void renamed() noexcept { folder_.reset(); }

 private:
  TempFile(std::shared_ptr<TempFolder> folder, UniqueFd descriptor, std::string name)
      : folder_(std::move(folder)), descriptor_(std::move(descriptor)), name_(std::move(name)) {}
  void discard() noexcept;

  std::shared_ptr<TempFolder> folder_;
  UniqueFd descriptor_;
  std::string name_;
};

/// `<temp>/<instance>/`, named at random, with a locked file `lock` in it for as long as the object lives. The lock
/// belongs to the open file, so the kernel drops it however the process ends, and a later start can tell what is
/// dead from what is being written: it removes a folder only while it holds that folder's lock itself.
///
/// Thread-safety: every method may be called concurrently; only the counter of names changes, atomically.
class TempFolder {
 public:
  /// Sweeps what dead processes left in `temp`, then makes a folder there. `temp` must exist.
  static Result<std::shared_ptr<TempFolder>> open(const std::filesystem::path& temp);
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] int descriptor() const noexcept { return folder_.get(); }
  std::string next_name() { return std::to_string(counter_.fetch_add(1, std::memory_order_relaxed)); }

 private:
  TempFolder(UniqueFd temp, UniqueFd folder, UniqueFd lock, std::string name)
      : temp_(std::move(temp)), folder_(std::move(folder)), lock_(std::move(lock)), name_(std::move(name)) {}

  UniqueFd temp_;
  UniqueFd folder_;
  UniqueFd lock_;
  std::string name_;
  std::atomic<std::uint64_t> counter_{0};
};

}  // namespace media::store
