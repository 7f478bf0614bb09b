/// What an ingest remembers of the files that it took in, so that a later one need not read them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "media/digest.hpp"
#include "media/records.hpp"
#include "media/result.hpp"
#include "record_format.hpp"

namespace mediactl {

/// The record of a store, in `<store>/ingest-record`: a shortcut that may be thrown away at any time. It has no names and no paths, only
/// digests of them.
///
/// Thread-safety: `find` and `note` may be called concurrently, a mutex guards both maps; `save` once, when nobody does.
class IngestRecord {
 public:
  /// Reads what is there; a record that is missing, damaged or of another version is an empty one.
  static IngestRecord load(const std::filesystem::path& store);
  /// Forgets everything: what was erased must not live on here. Errors: `io`, `denied`.
  static media::Result<void> remove(const std::filesystem::path& store);

  IngestRecord(IngestRecord&& other) noexcept : store_(std::move(other.store_)), known_(std::move(other.known_)) {}

  /// The media that this file became, if it is the file that it was then, as far as size, times and inode tell.
  std::optional<RecordedMedia> find(const std::string& owner, const std::string& path, const FileState& now);
  /// `looked` is what the file was before it was read, and still is. One that had changed only just before is not noted: it may have
  /// changed once more, while it was read, without its times telling.
  void note(const std::string& owner, const std::string& path, const Looked& looked, const RecordedMedia& media);

  /// Writes what is known, with what other runs have noted meanwhile; durable. What nobody has met for a year is left out. Errors: `io`,
  /// `no_space`, `denied`.
  media::Result<void> save();

 private:
  explicit IngestRecord(std::filesystem::path store) : store_(std::move(store)) {}

  std::filesystem::path store_;
  std::mutex mutex_;
  Record known_;
  Record noted_;  ///< Met or made by this run.
};

}  // namespace mediactl
