#include "walk.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "system_error.hpp"

namespace mediactl {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

struct Entry {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

std::string reason_for(int error_number) { return system_error(error_number, {}).message; }

std::string join(const std::string& folder, const std::string& name) { return folder.ends_with('/') ? folder + name : folder + "/" + name; }

const char* special_name(mode_t mode) {
  if (S_ISFIFO(mode)) return "a FIFO, not a file";
  if (S_ISSOCK(mode)) return "a socket, not a file";
  return "a device, not a file";
}

class Walk {
 public:
  Walk(const std::optional<FolderId>& store, const std::function<bool(Found)>& visit) : store_(store), visit_(visit) {}

  bool root(const std::string& path) {
    struct stat status{};
    if (path.empty()) return visit_({Found::Kind::unusable, path, "an empty name"});
    if (::stat(path.c_str(), &status) != 0) return visit_({Found::Kind::unusable, path, reason_for(errno)});
    return one(path, status);
  }

 private:
  bool one(const std::string& path, const struct stat& status) {
    if (S_ISREG(status.st_mode)) return visit_({Found::Kind::file, path, {}});
    if (!S_ISDIR(status.st_mode)) return visit_({Found::Kind::unusable, path, special_name(status.st_mode)});
    if (store_ == FolderId{status.st_dev, status.st_ino}) return visit_({Found::Kind::skipped_store, path, {}});
    return folder(path);
  }

  bool folder(const std::string& path) {
    std::vector<Entry> entries;
    // The folder is read whole and closed before its content is visited: a deep tree must not use up the descriptors.
    if (const int error = read_entries(path, entries); error != 0) {
      if (!visit_({Found::Kind::unusable, path, reason_for(error)})) return false;
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) { return left.name < right.name; });
    for (const Entry& entry : entries) {
      if (!child(join(path, entry.name), entry.type)) return false;
    }
    return true;
  }

  bool child(const std::string& path, unsigned char type) {
    if (type == DT_REG) return visit_({Found::Kind::file, path, {}});
    if (type == DT_LNK) return visit_({Found::Kind::skipped_link, path, {}});
    struct stat status{};
    if (::lstat(path.c_str(), &status) != 0) return visit_({Found::Kind::unusable, path, reason_for(errno)});
    if (S_ISLNK(status.st_mode)) return visit_({Found::Kind::skipped_link, path, {}});
    return one(path, status);
  }

  static int read_entries(const std::string& path, std::vector<Entry>& entries) {
    const std::unique_ptr<DIR, CloseFolder> handle(::opendir(path.c_str()));
    if (!handle) return errno;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(handle.get());
      if (entry == nullptr) return errno;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") entries.push_back({std::string(name), entry->d_type});
    }
  }

  const std::optional<FolderId>& store_;
  const std::function<bool(Found)>& visit_;
};

}  // namespace

std::optional<FolderId> FolderId::of(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  return FolderId{status.st_dev, status.st_ino};
}

void walk(const std::vector<std::string>& roots, const std::optional<FolderId>& store, const std::function<bool(Found)>& visit) {
  Walk walk(store, visit);
  for (const std::string& root : roots) {
    if (!walk.root(root)) return;
  }
}

}  // namespace mediactl
