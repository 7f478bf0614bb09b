#include "store/listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "core/errno_error.hpp"
#include "store/blob_layout.hpp"
#include "store/file_ops.hpp"
#include "store/packed_index.hpp"

namespace media::store {
namespace {

/// Straight from the kernel: a DIR costs three more system calls and an allocation a folder, and a fan-out has more folders than blobs.
/// False, and errno, on failure.
template <class Take>
bool read_entries(int folder, Take take) {
  alignas(dirent64) std::array<std::byte, 16U << 10U> buffer;
  while (true) {
    const ssize_t got = ::getdents64(folder, buffer.data(), buffer.size());
    if (got <= 0) return got == 0;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      const auto* const found = reinterpret_cast<const dirent64*>(buffer.data() + at);
      take(std::string_view(found->d_name), found->d_type == DT_DIR);
      at += found->d_reclen;
    }
  }
}

class Walk {
 public:
  explicit Walk(std::size_t limit) : limit_(limit) {}

  /// Lists a folder `depth` levels below the base whose path (with a slash at the end, or empty) is `prefix`. `after` is what is
  /// left of the cursor below it. False when the page is full.
  Result<bool> folder(int parent, const char* name, const std::string& prefix, unsigned depth, std::string_view after);
  BlobPage take() { return std::move(page_); }

 private:
  struct Entry {
    std::string name;
    bool is_folder = false;  ///< False: perhaps not; the filesystem did not say.
    friend bool operator<(const Entry& a, const Entry& b) { return a.name < b.name; }
  };
  Result<bool> entry(int folder, const Entry& found, const std::string& prefix, unsigned depth, std::string_view after);
  bool add(ListedBlob found);

  const std::size_t limit_;
  BlobPage page_;
};

Result<bool> Walk::folder(int parent, const char* name, const std::string& prefix, unsigned depth, std::string_view after) {
  const UniqueFd descriptor = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!descriptor) {
    if (errno == ENOENT && depth > 0) return true;  // Removed since its parent was read.
    return errno_error(errno, "open folder " + prefix);
  }
  const std::string_view from = after.substr(0, after.find('/'));
  std::vector<Entry> entries;
  const auto take = [&](std::string_view found_name, bool is_folder) {
    if (found_name == "." || found_name == ".." || found_name < from) return;
    // Beside the fan-out the base holds temp, uploads, quarantine, the catalog and whatever an operator keeps there.
    if (depth == 0 && !is_fan_out_name(found_name)) return;
    entries.push_back({std::string(found_name), is_folder});
  };
  if (!read_entries(descriptor.get(), take)) {
    if (errno == ENOENT && depth > 0) return true;
    return errno_error(errno, "read folder " + prefix);
  }
  std::sort(entries.begin(), entries.end());
  for (const auto& each : entries) {
    std::string_view rest;
    if (each.name == from) {
      // The cursor's last part was listed already; on the way to it, its folders are entered again.
      if (from.size() == after.size()) continue;
      rest = after.substr(from.size() + 1);
    }
    MEDIA_TRY_ASSIGN(const bool room, entry(descriptor.get(), each, prefix, depth, rest));
    if (!room) return false;
  }
  return true;
}

Result<bool> Walk::entry(int folder_descriptor, const Entry& entry, const std::string& prefix, unsigned depth, std::string_view after) {
  struct stat status{};
  const std::string& name = entry.name;
  const std::string location = prefix + name;
  if (depth < kFanOutDepth && is_fan_out_name(name)) {
    if (entry.is_folder || (::fstatat(folder_descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))) {
      return folder(folder_descriptor, name.c_str(), location + '/', depth + 1, after);
    }
  }
  if (::fstatat(folder_descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return true;
    return errno_error(errno, "stat " + location);
  }
  ListedBlob found{std::nullopt, static_cast<std::uint64_t>(status.st_size), location, {}};
  if (depth == kFanOutDepth && S_ISREG(status.st_mode)) {
    const auto digest = digest_of_name(name);
    if (digest && blob_path(*digest) == location) {
      found.digest = digest;
      found.identity = identity_of(status);
      // Files that were made one after the other lie so, inodes and contents, whatever their names are.
      found.place = std::min<std::uint64_t>(status.st_ino, kPackedPlace - 1);
    }
  }
  return add(std::move(found));
}

bool Walk::add(ListedBlob found) {
  if (page_.blobs.size() == limit_) {
    page_.next_cursor = page_.blobs.back().location;
    return false;
  }
  page_.blobs.push_back(std::move(found));
  return true;
}

}  // namespace

Result<BlobPage> list_blobs(int base, const std::string& cursor, std::size_t limit) {
  if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
  Walk walk(limit);
  MEDIA_TRY(walk.folder(base, ".", "", 0, cursor));
  return walk.take();
}

}  // namespace media::store
