/// Tells whether a catalog has changed, without asking SQLite.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "media/result.hpp"
#include "repository/sqlite_connection.hpp"

namespace media::sqlite {

/// The header of a database's WAL-index, which lies in memory that all processes share and is rewritten by every commit (the format is
/// documented: https://www.sqlite.org/walformat.html): the log's length, a change counter and checksums over both. Equal marks: no commit
/// became visible between the two looks.
using ChangeMark = std::array<std::uint32_t, 12>;

/// Looks at that header through a connection of its own, because closing a descriptor of the file would drop SQLite's locks on it.
///
/// Thread-safety: `look` may be called concurrently.
class ChangeWatch {
 public:
  /// Null where the database has no WAL-index that could be seen (immutable, or another journal).
  static std::unique_ptr<ChangeWatch> open(const std::filesystem::path& path);

  [[nodiscard]] ChangeMark look() const noexcept;

 private:
  ChangeWatch(std::unique_ptr<Connection> connection, const volatile std::uint32_t* header) noexcept
      : connection_(std::move(connection)), header_(header) {}

  std::unique_ptr<Connection> connection_;  ///< Keeps the mapping.
  const volatile std::uint32_t* header_;
};

/// Rows as they were at one mark; of no use, and dropped, once the catalog has another.
///
/// Thread-safety: may be called concurrently, because a mutex guards the rows.
template <class Key, class Row>
class RowMemory {
 public:
  std::optional<Row> find(const ChangeMark& now, const Key& key) {
    const std::lock_guard lock(mutex_);
    if (now != mark_) return std::nullopt;
    const auto found = rows_.find(key);
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }

  /// `before` was looked at before the row was read: where a commit came between, the row is newer than its mark, which is the one that
  /// nobody has any more.
  void keep(const ChangeMark& before, const Key& key, const Row& row) {
    const std::lock_guard lock(mutex_);
    if (before != mark_) {
      rows_.clear();
      mark_ = before;
    }
    if (rows_.size() >= kMost) rows_.erase(rows_.begin());
    rows_.insert_or_assign(key, row);
  }

 private:
  static constexpr std::size_t kMost = 1024;

  std::mutex mutex_;
  ChangeMark mark_{};
  std::unordered_map<Key, Row> rows_;
};

}  // namespace media::sqlite
