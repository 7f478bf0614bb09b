/// A file on its way into the store.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "media/io.hpp"
#include "record_format.hpp"

namespace mediactl {

/// Reads a file, and can let go of its descriptor between two readings: hundreds of files wait for one group of syncs, and a process
/// has about a thousand descriptors. Where it is read again it is opened again, and must be the file that it was.
///
/// Remembers whether reading failed: then the fault lies with this file and not with the store.
///
/// Thread-safety: as every ByteReader; a mutex guards the descriptor's coming and going.
class InputFile final : public media::ByteReader {
 public:
  /// Errors as FileReader::open.
  static media::Result<std::unique_ptr<InputFile>> open(const std::string& path);

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  media::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override;
  /// Until it is let go of.
  [[nodiscard]] std::optional<media::FileWindow> window() const override;

  /// What the file was when it was opened; absent where it is not the same any more, or was let go of.
  [[nodiscard]] std::optional<Looked> unchanged() const;

  /// Closes the descriptor until the next reading.
  void let_go() noexcept;
  /// True once a reading failed.
  [[nodiscard]] bool failed() const noexcept { return failed_.load(); }

 private:
  InputFile(std::string path, std::shared_ptr<const media::FileReader> file, std::string identity, std::optional<Looked> looked);
  media::Result<std::shared_ptr<const media::FileReader>> opened() const;

  const std::string path_;
  const std::uint64_t size_;
  const std::string identity_;
  const std::optional<Looked> looked_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const media::FileReader> file_;  ///< Null while let go.
  mutable std::atomic<bool> failed_{false};
};

/// What a path names now, links followed; absent where it cannot be looked at.
std::optional<FileState> state_of(const std::string& path);

}  // namespace mediactl
