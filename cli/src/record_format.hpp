/// The record of an ingest as bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "media/digest.hpp"
#include "media/records.hpp"

namespace mediactl {

/// What tells a file from itself after a change, without reading it. Times are nanoseconds since 1970.
struct FileState {
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t modified = 0;
  std::int64_t changed = 0;
  friend bool operator==(const FileState&, const FileState&) = default;
};

/// A file's state, and when it was looked at: on the clock that its times are of, or one like it.
struct Looked {
  FileState state{};
  std::int64_t at = 0;
};

struct RecordedMedia {
  media::MediaId id = 0;
  media::Digest digest{};
  friend bool operator==(const RecordedMedia&, const RecordedMedia&) = default;
};

struct RecordEntry {
  FileState state{};
  RecordedMedia media{};
  std::int64_t met = 0;  ///< Seconds since 1970.
  friend bool operator==(const RecordEntry&, const RecordEntry&) = default;
};

/// Half of a SHA-256 over an owner and a path.
using RecordKey = std::array<std::uint8_t, 16>;
struct RecordKeyHash {
  std::size_t operator()(const RecordKey& key) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, key.data(), sizeof value);
    return value;
  }
};
using Record = std::unordered_map<RecordKey, RecordEntry, RecordKeyHash>;

/// `path` is absolute.
RecordKey record_key(const std::string& owner, const std::string& path);

std::vector<std::byte> encode_record(const Record& record);
/// Absent where these bytes are no record, whole and of this version.
std::optional<Record> decode_record(std::span<const std::byte> bytes);

}  // namespace mediactl
