#include "repository/sqlite_read_pool.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>

namespace media::sqlite {

Lease::~Lease() {
  if (borrowed_) pool_->give_back(std::move(borrowed_));
}

ReadPool::ReadPool(std::filesystem::path path, Access access, unsigned limit)
    : path_(std::move(path)), limit_(std::max(limit, 1U)), access_(access) {
  free_.reserve(limit_);
}

// A read-only mount may be one of two views of a filesystem that is written through the other, as containers do. So a file
// is read without locks only while there is no log beside it: a writer makes its log before it changes anything, and changes the
// file itself only when it writes the log back.
bool is_at_rest(const std::filesystem::path& path) noexcept {
  struct statvfs filesystem{};
  if (::statvfs(path.c_str(), &filesystem) != 0 || (filesystem.f_flag & ST_RDONLY) == 0) return false;
  struct stat log{};
  const std::string log_path = path.string() + "-wal";
  return ::stat(log_path.c_str(), &log) != 0 || log.st_size == 0;
}

/// Called with the mutex held.
void ReadPool::leave_immutability() {
  access_ = Access::read_only;
  open_ -= static_cast<unsigned>(free_.size());
  free_.clear();
}

Result<Lease> ReadPool::acquire() {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  std::unique_ptr<Connection> connection;
  Access access{};
  {
    std::unique_lock lock(mutex_);
    if (access_ == Access::immutable && !is_at_rest(path_)) leave_immutability();
    if (!freed_.wait_until(lock, deadline, [&] { return !free_.empty() || open_ < limit_; })) {
      return Error{Errc::unavailable, "read catalog: every connection is in use"};
    }
    if (!free_.empty()) {
      connection = std::move(free_.back());
      free_.pop_back();
    } else {
      ++open_;
    }
    access = access_;
  }
  if (!connection) {
    // Else its place would be taken for good, by nobody.
    try {
      auto opened = Connection::open(path_, access);
      if (!opened) {
        give_back(nullptr);
        return std::move(opened).error();
      }
      connection = std::move(opened).value();
    } catch (...) {
      give_back(nullptr);
      throw;
    }
  }
  connection->wait_until(deadline);
  return Lease(*this, std::move(connection));
}

void ReadPool::give_back(std::unique_ptr<Connection> connection) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (connection && !connection->damaged()) {
      free_.push_back(std::move(connection));  // Room was reserved.
    } else {
      --open_;
    }
  }
  freed_.notify_one();
}

}  // namespace media::sqlite
