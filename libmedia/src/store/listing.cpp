#include "store/listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "core/errno_error.hpp"
#include "store/blob_layout.hpp"
#include "store/handles.hpp"

namespace media::store {
namespace {

class Walk {
 public:
  Walk(std::size_t limit) : limit_(limit) {}

  /// Lists a folder `depth` levels below the base whose path (with a slash at the end, or empty) is `prefix`. `after` is what is
  /// left of the cursor below it. False when the page is full.
  Result<bool> folder(int parent, const char* name, const std::string& prefix, unsigned depth, std::string_view after);
  BlobPage take() { return std::move(page_); }

 private:
  Result<bool> entry(int folder, const std::string& name, const std::string& prefix, unsigned depth, std::string_view after);
  bool add(ListedBlob found);

  const std::size_t limit_;
  BlobPage page_;
};

Result<bool> Walk::folder(int parent, const char* name, const std::string& prefix, unsigned depth, std::string_view after) {
  const FolderStream stream = open_folder_stream(parent, name);
  if (!stream) {
    if (errno == ENOENT && depth > 0) return true;  // Removed since its parent was read.
    return errno_error(errno, "open folder " + prefix);
  }
  const std::string_view from = after.substr(0, after.find('/'));
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* found = ::readdir(stream.get())) {
    const std::string_view found_name = found->d_name;
    if (found_name == "." || found_name == ".." || found_name < from) continue;
    // Beside the fan-out the base holds temp, uploads, quarantine, the catalog and whatever an operator keeps there.
    if (depth == 0 && !is_fan_out_name(found_name)) continue;
    names.emplace_back(found_name);
  }
  if (errno != 0) return errno_error(errno, "read folder " + prefix);
  std::sort(names.begin(), names.end());
  for (const auto& each : names) {
    std::string_view rest;
    if (each == from) {
      // The cursor's last part was listed already; on the way to it, its folders are entered again.
      if (from.size() == after.size()) continue;
      rest = after.substr(from.size() + 1);
    }
    MEDIA_TRY_ASSIGN(const bool room, entry(::dirfd(stream.get()), each, prefix, depth, rest));
    if (!room) return false;
  }
  return true;
}

Result<bool> Walk::entry(int folder_descriptor, const std::string& name, const std::string& prefix, unsigned depth,
                         std::string_view after) {
  struct stat status{};
  const std::string location = prefix + name;
  if (depth < kFanOutDepth && is_fan_out_name(name)) {
    if (::fstatat(folder_descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode)) {
      return folder(folder_descriptor, name.c_str(), location + '/', depth + 1, after);
    }
  }
  if (::fstatat(folder_descriptor, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return true;
    return errno_error(errno, "stat " + location);
  }
  ListedBlob found{std::nullopt, static_cast<std::uint64_t>(status.st_size), location};
  if (depth == kFanOutDepth && S_ISREG(status.st_mode)) {
    const auto digest = digest_of_name(name);
    if (digest && blob_path(*digest) == location) found.digest = digest;
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
