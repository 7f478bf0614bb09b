/// The filesystem store: blobs as files `<base>/ab/cd/ef/<64 hex>`.
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "core/unique_fd.hpp"
#include "media/blob_store.hpp"
#include "store/blob_layout.hpp"
#include "store/file_ops.hpp"
#include "store/group_publisher.hpp"
#include "store/listing.hpp"
#include "store/staged_file.hpp"
#include "store/temp_folder.hpp"

namespace media {
namespace store {
namespace {

constexpr const char* kQuarantine = "quarantine";

bool is_absence(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

/// A published blob. Its size is the one it had when it was opened: blobs never change.
class BlobFile final : public ByteReader {
 public:
  BlobFile(UniqueFd descriptor, std::uint64_t size) : descriptor_(std::move(descriptor)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  [[nodiscard]] std::optional<FileWindow> window() const override { return FileWindow{descriptor_.get(), 0, size_}; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    return read_file(descriptor_.get(), size_, offset, into, "read a blob");
  }

 private:
  UniqueFd descriptor_;
  std::uint64_t size_;
};

/// Thread-safety: as `BlobStore`; the base descriptor never changes, and the parts that do have locks of their own.
class FilesystemStore final : public BlobStore {
 public:
  FilesystemStore(UniqueFd base, std::shared_ptr<TempFolder> temp, const FilesystemStoreOptions& options)
      : base_(std::move(base)),
        temp_(std::move(temp)),
        buffer_bytes_(options.buffer_bytes),
        publisher_(base_.get(), options.sync_threads) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY(writable("begin a blob"));
    return std::unique_ptr<BlobWriter>(std::make_unique<FileWriter>(temp_, early_sync_, buffer_bytes_, expected_size));
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override;
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override;
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override;
  Result<bool> remove(const Digest& digest) override;
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override { return list_blobs(base_.get(), cursor, limit); }
  Result<bool> quarantine(const Digest& digest) override;
  Result<void> check() override;

 private:
  /// Without a temp folder the store is open for reading only.
  [[nodiscard]] Result<void> writable(const char* operation) const {
    if (!temp_) return Error{Errc::denied, std::string(operation) + ": the store is open for reading only"};
    return {};
  }

  UniqueFd base_;
  std::shared_ptr<TempFolder> temp_;
  const std::size_t buffer_bytes_;
  const std::shared_ptr<EarlySync> early_sync_ = std::make_shared<EarlySync>();
  GroupPublisher publisher_;
};

Result<void> FilesystemStore::publish(std::span<const std::unique_ptr<Staged>> staged) {
  MEDIA_TRY(writable("publish"));
  std::vector<FileStaged*> contents;
  contents.reserve(staged.size());
  for (const auto& each : staged) {
    auto* const content = dynamic_cast<FileStaged*>(each.get());
    if (content == nullptr || content->folder() != temp_) return Error{Errc::invalid_argument, "publish: a content of another store"};
    contents.push_back(content);
  }
  if (contents.empty()) return {};
  return publisher_.publish(contents);
}

Result<std::unique_ptr<ByteReader>> FilesystemStore::open(const Digest& digest) const {
  // O_NOFOLLOW and O_NONBLOCK: neither a link planted in the tree nor a FIFO is a blob.
  UniqueFd descriptor = open_at(base_.get(), blob_path(digest).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!descriptor && !is_absence(errno) && errno != ELOOP && errno != ENXIO) return errno_error(errno, "open blob " + digest.to_hex());
  struct stat status{};
  if (descriptor && ::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat blob " + digest.to_hex());
  if (!descriptor || !S_ISREG(status.st_mode)) return Error{Errc::not_found, "open blob " + digest.to_hex() + ": not in the store"};
  return std::unique_ptr<ByteReader>(std::make_unique<BlobFile>(std::move(descriptor), static_cast<std::uint64_t>(status.st_size)));
}

Result<std::optional<BlobStat>> FilesystemStore::stat(const Digest& digest) const {
  struct stat status{};
  if (::fstatat(base_.get(), blob_path(digest).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (is_absence(errno)) return std::optional<BlobStat>();
    return errno_error(errno, "stat blob " + digest.to_hex());
  }
  if (!S_ISREG(status.st_mode)) return std::optional<BlobStat>();
  return std::optional(BlobStat{static_cast<std::uint64_t>(status.st_size), identity_of(status)});
}

Result<bool> FilesystemStore::remove(const Digest& digest) {
  MEDIA_TRY(writable("remove a blob"));
  // No sync of the folder: a removal that a power cut undoes leaves a blob that nothing refers to, and the next
  // collection takes it again. The folders stay, so that nobody who is publishing loses the one under a rename.
  if (::unlinkat(base_.get(), blob_path(digest).c_str(), 0) == 0) return true;
  if (is_absence(errno)) return false;
  return errno_error(errno, "remove blob " + digest.to_hex());
}

Result<bool> FilesystemStore::quarantine(const Digest& digest) {
  MEDIA_TRY(writable("quarantine a blob"));
  const std::string from = blob_path(digest);
  if (::mkdirat(base_.get(), kQuarantine, 0755) == 0) {
    MEDIA_TRY(sync_folder(base_.get(), ".", "of the store"));
  } else if (errno != EEXIST) {
    return errno_error(errno, "make the quarantine folder");
  }
  const std::string to = std::string(kQuarantine) + '/' + digest.to_hex();
  int failure = 0;
  if (::renameat2(base_.get(), from.c_str(), base_.get(), to.c_str(), RENAME_NOREPLACE) != 0) failure = errno;
  if (failure == EEXIST || failure == EINVAL || failure == ENOSYS) {
    // An earlier specimen of the same blob lies there (or the filesystem cannot tell): keep both.
    const std::string beside = to + '.' + random_hex(4);
    failure = ::renameat(base_.get(), from.c_str(), base_.get(), beside.c_str()) == 0 ? 0 : errno;
  }
  if (is_absence(failure)) return false;
  if (failure != 0) return errno_error(failure, "quarantine blob " + digest.to_hex());
  const std::string folder = folder_path(kFanOutDepth, folder_index(digest, kFanOutDepth));
  MEDIA_TRY(sync_folder(base_.get(), kQuarantine, kQuarantine));
  MEDIA_TRY(sync_folder(base_.get(), folder.c_str(), folder));
  return true;
}

Result<void> FilesystemStore::check() {
  if (!temp_) {
    if (!open_at(base_.get(), ".", O_RDONLY | O_DIRECTORY)) return errno_error(errno, "check the store");
    return {};
  }
  // No sync: a health check must not queue behind the disk. A full, read-only or failed filesystem shows without one.
  constexpr std::array<std::byte, 8> kProbe{std::byte{'m'}, std::byte{'e'}, std::byte{'d'}, std::byte{'i'}, std::byte{'a'}};
  MEDIA_TRY_ASSIGN(const TempFile file, TempFile::create(temp_));
  MEDIA_TRY(write_all(file.descriptor(), kProbe, 0, "check the store: write a temp file"));
  std::array<std::byte, kProbe.size()> back{};
  MEDIA_TRY_ASSIGN(const std::size_t got, read_file(file.descriptor(), back.size(), 0, back, "check the store: read a temp file"));
  if (got != back.size() || back != kProbe) return Error{Errc::io, "check the store: a temp file reads back changed"};
  return {};
}

/// rename(2) works within one mount only, and is atomic only there.
Result<void> require_same_filesystem(int base, int temp, const FilesystemStoreOptions& options, const std::filesystem::path& temp_path) {
  struct statx base_status{};
  struct statx temp_status{};
  if (::statx(base, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &base_status) != 0 ||
      ::statx(temp, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &temp_status) != 0) {
    return errno_error(errno, "stat " + options.base_path.string() + " and " + temp_path.string());
  }
  // Two bind mounts of one device cannot rename to each other either; old kernels do not tell them apart.
  const bool mounts_known = (base_status.stx_mask & temp_status.stx_mask & STATX_MNT_ID) != 0;
  if (base_status.stx_dev_major != temp_status.stx_dev_major || base_status.stx_dev_minor != temp_status.stx_dev_minor ||
      (mounts_known && base_status.stx_mnt_id != temp_status.stx_mnt_id)) {
    return Error{Errc::invalid_argument,
                 "the temp folder " + temp_path.string() + " is on another filesystem than the store " + options.base_path.string()};
  }
  return {};
}

}  // namespace
}  // namespace store

Result<std::unique_ptr<BlobStore>> open_filesystem_store(const FilesystemStoreOptions& options) {
  if (options.base_path.empty()) return Error{Errc::invalid_argument, "open a store: no base path is given"};
  if (!options.read_only) MEDIA_TRY(store::make_folders(options.base_path));
  UniqueFd base = store::open_at(AT_FDCWD, options.base_path.c_str(), O_RDONLY | O_DIRECTORY);
  if (!base && errno == ENOTDIR) return Error{Errc::invalid_argument, "open store " + options.base_path.string() + ": not a folder"};
  if (!base) return errno_error(errno, "open store " + options.base_path.string());
  std::shared_ptr<store::TempFolder> temp;
  if (!options.read_only) {
    const auto temp_path = options.temp_path.empty() ? options.base_path / "temp" : options.temp_path;
    MEDIA_TRY(store::make_folders(temp_path));
    const UniqueFd parent = store::open_at(AT_FDCWD, temp_path.c_str(), O_RDONLY | O_DIRECTORY);
    if (!parent) return errno_error(errno, "open temp folder " + temp_path.string());
    MEDIA_TRY(store::require_same_filesystem(base.get(), parent.get(), options, temp_path));
    MEDIA_TRY_ASSIGN(temp, store::TempFolder::open(temp_path));
  }
  return std::unique_ptr<BlobStore>(std::make_unique<store::FilesystemStore>(std::move(base), std::move(temp), options));
}

}  // namespace media
