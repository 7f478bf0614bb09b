/// The filesystem store: blobs as files `<base>/ab/cd/ef/<64 hex>`.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/errno_error.hpp"
#include "core/random.hpp"
#include "core/unique_fd.hpp"
#include "media/blob_store.hpp"
#include "store/blob_layout.hpp"
#include "store/blob_readers.hpp"
#include "store/file_ops.hpp"
#include "store/filesystem_store.hpp"
#include "store/handles.hpp"
#include "store/listing.hpp"
#include "store/shared_file.hpp"

namespace media {
namespace store {
namespace {

constexpr const char* kQuarantine = "quarantine";
constexpr std::size_t kMostListed = std::size_t{1} << 20U;

bool is_absence(int error_number) { return error_number == ENOENT || error_number == ENOTDIR; }

/// As the folders are walked: by their names, part for part.
bool comes_before(std::string_view a, std::string_view b) {
  const auto rank = [](char c) { return c == '/' ? 0U : static_cast<unsigned>(static_cast<unsigned char>(c)); };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return rank(x) < rank(y); });
}

/// Its place among the listed: for a packed blob the path that it would have.
std::string path_of(const ListedBlob& blob) { return blob.digest ? blob_path(*blob.digest) : blob.location; }

/// The packed blobs behind a cursor, which is the path of a blob or of a stray.
std::vector<ListedBlob> packed_behind(const PackedBlobs& packed, std::string_view cursor, std::size_t limit) {
  // The folders that it names lead to the first digest that can come behind it.
  std::string hex;
  for (std::size_t at = 0; hex.size() < std::size_t{2} * kFanOutDepth && at + 2 <= cursor.size() && is_fan_out_name(cursor.substr(at, 2));
       at += 3) {
    if (at + 2 < cursor.size() && cursor[at + 2] != '/') break;
    hex += cursor.substr(at, 2);
  }
  hex.resize(2 * Digest::kSize, '0');
  Digest from = Digest::from_hex(hex).value();
  std::vector<ListedBlob> behind;
  for (bool beyond = false; behind.size() < limit; beyond = true) {
    auto some = packed.list(from, beyond, limit);
    if (some.empty()) break;
    from = *some.back().digest;
    for (ListedBlob& blob : some) {
      if (behind.size() < limit && comes_before(cursor, path_of(blob))) behind.push_back(std::move(blob));
    }
  }
  return behind;
}

/// In which form a blob lies may change at any moment, also by other processes, and those append to segments that this one has not read
/// yet: it is absent when it was not found after a look at what is new. `look` answers whether it settled the matter.
template <class Look>
Result<void> look_again(const PackedBlobs& packed, const Look& look) {
  // More rounds only where something moves all the time.
  constexpr int kRounds = 8;
  bool more = true;
  for (int round = 0; round < kRounds; ++round) {
    MEDIA_TRY_ASSIGN(const bool settled, look());
    if (settled || !more) return {};
    MEDIA_TRY_ASSIGN(more, packed.refresh());
  }
  return {};
}

/// Is this file not what its name says?
Result<bool> is_damaged(int descriptor, std::uint64_t size, const Digest& digest) {
  Sha256 hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, std::uint64_t{1} << 20U)));
  for (std::uint64_t at = 0; at < size;) {
    const auto got = read_file(descriptor, size, at, piece, "read a blob");
    if (!got && got.error().code == Errc::corrupt) return true;
    if (!got) return got.error();
    hasher.update(std::span(piece).first(*got));
    at += *got;
  }
  return hasher.finish() != digest;
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

Result<void> FilesystemStore::publish(std::span<const std::unique_ptr<Staged>> staged) {
  MEDIA_TRY(writable("publish"));
  std::vector<FileStaged*> contents;
  for (const auto& each : staged) {
    auto* const content = dynamic_cast<FileStaged*>(each.get());
    if (content == nullptr || content->folder() != temp_) return Error{Errc::invalid_argument, "publish: a content of another store"};
    contents.push_back(content);
  }
  std::vector<PackedContent> small;
  std::vector<PackedBlobs::Appended> appended;
  std::vector<FileStaged*> large;
  appended.reserve(contents.size() + 1);
  small.reserve(contents.size());
  large.reserve(contents.size());
  for (FileStaged* const content : contents) {
    if (content->ahead) {
      appended.push_back(std::move(*content->ahead));
      content->ahead.reset();
    } else if (!content->file && content->size() < pack_below_) {
      small.push_back({content->digest(), content->memory});
    } else {
      large.push_back(content);
    }
  }
  // A copy that lies there in the other form stays: whoever removed it could not know whether somebody was about to rely on it.
  MEDIA_TRY(packed_->publish(small, std::move(appended)));
  if (!large.empty()) MEDIA_TRY(publisher_.publish(large));
  return {};
}

Result<std::unique_ptr<ByteReader>> FilesystemStore::open(const Digest& digest) const {
  Result<std::unique_ptr<ByteReader>> opened = Error{Errc::not_found, "open blob " + digest.to_hex() + ": not in the store"};
  MEDIA_TRY(look_again(*packed_, [&]() -> Result<bool> {
    auto packed = packed_->find(digest);
    if (packed && *packed) {
      opened = std::unique_ptr<ByteReader>(std::make_unique<PackedReader>(std::move(**packed)));
      return true;
    }
    opened = open_file(digest);
    if (opened || opened.error().code != Errc::not_found) return true;
    if (!packed) opened = std::move(packed).error();
    return !packed;
  }));
  return opened;
}

Result<std::unique_ptr<ByteReader>> FilesystemStore::open_file(const Digest& digest) const {
  // O_NOFOLLOW and O_NONBLOCK: neither a link planted in the tree nor a FIFO is a blob.
  UniqueFd descriptor = open_at(base_.get(), blob_path(digest).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!descriptor && !is_absence(errno) && errno != ELOOP && errno != ENXIO) return errno_error(errno, "open blob " + digest.to_hex());
  struct stat status{};
  if (descriptor && ::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat blob " + digest.to_hex());
  if (!descriptor || !S_ISREG(status.st_mode)) return Error{Errc::not_found, "open blob " + digest.to_hex() + ": not in the store"};
  return std::unique_ptr<ByteReader>(std::make_unique<BlobFile>(std::move(descriptor), static_cast<std::uint64_t>(status.st_size)));
}

Result<std::optional<BlobStat>> FilesystemStore::stat(const Digest& digest) const {
  std::optional<BlobStat> found;
  MEDIA_TRY(look_again(*packed_, [&]() -> Result<bool> {
    auto packed = packed_->find(digest);
    // Uploads are answered on the strength of this. What cannot be made durable is as good as absent: they bring bytes of their own.
    if (packed && *packed && packed_->settle(**packed)) {
      found = BlobStat{(*packed)->length, {}};
      return true;
    }
    MEDIA_TRY_ASSIGN(found, stat_file(digest));
    if (!found && !packed) return std::move(packed).error();
    return found.has_value();
  }));
  return found;
}

Result<std::optional<BlobStat>> FilesystemStore::stat_file(const Digest& digest) const {
  struct stat status{};
  if (::fstatat(base_.get(), blob_path(digest).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (is_absence(errno)) return std::optional<BlobStat>();
    return errno_error(errno, "stat blob " + digest.to_hex());
  }
  if (!S_ISREG(status.st_mode)) return std::optional<BlobStat>();
  return std::optional(BlobStat{static_cast<std::uint64_t>(status.st_size), identity_of(status)});
}

Result<std::optional<std::string>> FilesystemStore::file_of(const Digest& digest) const {
  MEDIA_TRY_ASSIGN(const auto stat, stat_file(digest));
  return stat ? std::optional(blob_path(digest)) : std::nullopt;
}

Result<bool> FilesystemStore::remove(const Digest& digest) {
  MEDIA_TRY(writable("remove a blob"));
  bool removed = false;
  // All copies, those too that other processes have made meanwhile.
  MEDIA_TRY(look_again(*packed_, [&]() -> Result<bool> {
    MEDIA_TRY_ASSIGN(const bool packed, packed_->remove(digest));
    MEDIA_TRY_ASSIGN(const bool file, remove_file(digest));
    removed = removed || packed || file;
    return false;
  }));
  return removed;
}

Result<bool> FilesystemStore::remove_file(const Digest& digest) {
  // No sync of the folder: a removal that a power cut undoes leaves a blob that nothing refers to, and the next
  // collection takes it again; an erasure syncs it in `wipe`. The folders stay, so that nobody who is publishing loses the one under a
  // rename.
  if (::unlinkat(base_.get(), blob_path(digest).c_str(), 0) == 0) return true;
  if (is_absence(errno)) return false;
  return errno_error(errno, "remove blob " + digest.to_hex());
}

/// Both forms side by side, in the order of the paths that the blobs have or would have; behind them the segments that cannot be read.
Result<BlobPage> FilesystemStore::list(const std::string& cursor, std::size_t limit) const {
  if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
  limit = std::min(limit, kMostListed);
  BlobPage page;
  if (comes_before(cursor, kSegmentsFolder)) {
    // The files first: what is packed meanwhile is in the segments then.
    MEDIA_TRY_ASSIGN(auto files, list_blobs(base_.get(), cursor, limit + 1));
    MEDIA_TRY(packed_->refresh());
    auto packed = packed_behind(*packed_, cursor, limit + 1);
    auto& loose = files.blobs;
    page.blobs.reserve(limit);
    std::size_t next_packed = 0;
    std::size_t next_loose = 0;
    while (page.blobs.size() <= limit && (next_packed < packed.size() || next_loose < loose.size())) {
      const bool have_packed = next_packed < packed.size();
      const bool have_loose = next_loose < loose.size();
      const std::string packed_path = have_packed ? path_of(packed[next_packed]) : std::string();
      const std::string loose_path = have_loose ? path_of(loose[next_loose]) : std::string();
      if (have_packed && (!have_loose || !comes_before(loose_path, packed_path))) {
        // In both forms: as it is read.
        if (have_loose && loose_path == packed_path) ++next_loose;
        page.blobs.push_back(std::move(packed[next_packed++]));
      } else {
        page.blobs.push_back(std::move(loose[next_loose++]));
      }
    }
  }
  if (page.blobs.size() <= limit) {
    for (ListedBlob& stray : packed_->strays()) {
      if (page.blobs.size() <= limit && comes_before(cursor, stray.location)) page.blobs.push_back(std::move(stray));
    }
  }
  if (page.blobs.size() > limit) {
    page.blobs.resize(limit);
    page.next_cursor = path_of(page.blobs.back());
  }
  return page;
}

Result<bool> FilesystemStore::quarantine(const Digest& digest) {
  MEDIA_TRY(writable("quarantine a blob"));
  if (::mkdirat(base_.get(), kQuarantine, 0755) == 0) {
    MEDIA_TRY(sync_folder(base_.get(), ".", "of the store"));
  } else if (errno != EEXIST) {
    return errno_error(errno, "make the quarantine folder");
  }
  MEDIA_TRY(packed_->refresh());
  MEDIA_TRY_ASSIGN(const bool packed, quarantine_packed(digest));
  MEDIA_TRY_ASSIGN(const bool file, quarantine_file(digest));
  return packed || file;
}

/// Gives a file of `folder` a name in the quarantine; an earlier specimen of the same blob keeps its own. 0, or errno.
int rename_into_quarantine(int base, int folder, const std::string& from, const Digest& digest) {
  const std::string to = std::string(kQuarantine) + '/' + digest.to_hex();
  int failure = 0;
  if (::renameat2(folder, from.c_str(), base, to.c_str(), RENAME_NOREPLACE) != 0) failure = errno;
  if (failure == EEXIST || failure == EINVAL || failure == ENOSYS) {
    const std::string beside = to + '.' + random_hex(4);
    failure = ::renameat(folder, from.c_str(), base, beside.c_str()) == 0 ? 0 : errno;
  }
  return failure;
}

Result<bool> FilesystemStore::quarantine_packed(const Digest& digest) {
  const auto keep = [&](std::span<const std::byte> bytes) -> Result<void> {
    MEDIA_TRY_ASSIGN(TempFile file, TempFile::create(temp_));
    MEDIA_TRY(write_all(file.descriptor(), bytes, 0, "write a damaged blob"));
    MEDIA_TRY(sync_once(file.descriptor(), "sync a damaged blob"));
    if (const int failure = rename_into_quarantine(base_.get(), temp_->descriptor(), file.name(), digest); failure != 0) {
      return errno_error(failure, "quarantine blob " + digest.to_hex());
    }
    file.renamed();
    return sync_folder(base_.get(), kQuarantine, kQuarantine);
  };
  MEDIA_TRY_ASSIGN(const std::uint64_t set_aside, packed_->set_aside_damaged(digest, keep));
  return set_aside > 0;
}

Result<bool> FilesystemStore::quarantine_file(const Digest& digest) {
  const std::string path = blob_path(digest);
  const UniqueFd looked_at = open_at(base_.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  struct stat before{};
  if (!looked_at || ::fstat(looked_at.get(), &before) != 0 || !S_ISREG(before.st_mode)) return false;
  MEDIA_TRY_ASSIGN(const bool damaged, is_damaged(looked_at.get(), static_cast<std::uint64_t>(before.st_size), digest));
  if (!damaged) return false;
  const std::string aside = std::string(kQuarantine) + '/' + digest.to_hex() + '.' + random_hex(4);
  if (::renameat(base_.get(), path.c_str(), base_.get(), aside.c_str()) != 0) {
    if (is_absence(errno)) return false;
    return errno_error(errno, "quarantine blob " + digest.to_hex());
  }
  struct stat moved{};
  if (::fstatat(base_.get(), aside.c_str(), &moved, AT_SYMLINK_NOFOLLOW) == 0 && moved.st_ino != before.st_ino) {
    // Stored anew between the look and the move: that one is good, and goes back unless yet another took its place.
    if (::renameat2(base_.get(), aside.c_str(), base_.get(), path.c_str(), RENAME_NOREPLACE) != 0 && errno != EEXIST) {
      return errno_error(errno, "bring back blob " + digest.to_hex());
    }
    const std::string home = folder_path(kFanOutDepth, folder_index(digest, kFanOutDepth));
    MEDIA_TRY(sync_folder(base_.get(), home.c_str(), home));
    return false;
  }
  const std::string name = std::string(kQuarantine) + '/' + digest.to_hex();
  // The plain name for the first specimen; the longer one stays where the filesystem cannot tell.
  static_cast<void>(::renameat2(base_.get(), aside.c_str(), base_.get(), name.c_str(), RENAME_NOREPLACE));
  const std::string folder = folder_path(kFanOutDepth, folder_index(digest, kFanOutDepth));
  MEDIA_TRY(sync_folder(base_.get(), kQuarantine, kQuarantine));
  MEDIA_TRY(sync_folder(base_.get(), folder.c_str(), folder));
  return true;
}

Result<void> FilesystemStore::wipe(std::span<const Digest> removed, const std::stop_token& stop) {
  MEDIA_TRY(writable("wipe removed blobs"));
  MEDIA_TRY(packed_->wipe_dead(stop));
  // Files of their own were removed without a sync: a power cut must not bring back what was said to be erased.
  std::set<std::string> folders;
  for (const Digest& digest : removed) folders.insert(folder_path(kFanOutDepth, folder_index(digest, kFanOutDepth)));
  for (const std::string& each : folders) {
    if (stop.stop_requested()) return Error{Errc::cancelled, "wipe removed blobs: stopped"};
    const auto synced = sync_folder(base_.get(), each.c_str(), each);
    if (!synced && synced.error().code != Errc::not_found) return synced;  // no folder: it was never in a file of its own
  }
  const FolderStream folder = open_folder_stream(base_.get(), kQuarantine);
  if (!folder && errno == ENOENT) return {};
  if (!folder) return errno_error(errno, "open the quarantine folder");
  const std::set<Digest> wanted(removed.begin(), removed.end());
  bool changed = false;
  while (const dirent* entry = ::readdir(folder.get())) {
    // "<digest>" or "<digest>.<more>"
    const auto digest = Digest::from_hex(std::string_view(entry->d_name).substr(0, 2 * Digest::kSize));
    if (!digest || !wanted.contains(*digest)) continue;
    const std::string path = std::string(kQuarantine) + '/' + entry->d_name;
    if (::unlinkat(base_.get(), path.c_str(), 0) != 0 && errno != ENOENT) return errno_error(errno, "remove " + path);
    changed = true;
  }
  if (changed) MEDIA_TRY(sync_folder(base_.get(), kQuarantine, kQuarantine));
  return {};
}

Result<CompactReport> FilesystemStore::compact(const CompactOptions& options) {
  MEDIA_TRY(writable("compact"));
  return packed_->compact(options);
}

Result<SharedFile> FilesystemStore::share(int descriptor, FileSharing how) {
  MEDIA_TRY(writable("share a file"));
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return errno_error(errno, "stat a file");
  if (!S_ISREG(status.st_mode)) return SharedFile{nullptr, "it is not a file"};
  // A staged file holds descriptors until its group is published, and groups are of many.
  const std::uint64_t least = std::max<std::uint64_t>(pack_below_, buffer_bytes_);
  if (static_cast<std::uint64_t>(status.st_size) < least) return SharedFile{nullptr, "it is small"};
  if (how == FileSharing::reflink) return reflink_file(temp_, descriptor);
  return SharedFile{nullptr, "it was not asked for"};
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

}  // namespace store

Result<std::unique_ptr<BlobStore>> open_filesystem_store(const FilesystemStoreOptions& options) {
  if (options.base_path.empty()) return Error{Errc::invalid_argument, "open a store: no base path is given"};
  if (options.pack_below_bytes > store::kMaxPackedBytes)
    return Error{Errc::invalid_argument, "open a store: contents of 16 MiB and more are not packed"};
  if (options.segment_bytes < std::uint64_t{1} << 20U || options.segment_bytes > std::uint64_t{64} << 30U) {
    return Error{Errc::invalid_argument, "open a store: a segment has 1 MiB to 64 GiB"};
  }
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
  MEDIA_TRY_ASSIGN(auto packed, store::PackedBlobs::open(base.get(), {options.segment_bytes, options.read_only}));
  return std::unique_ptr<BlobStore>(std::make_unique<store::FilesystemStore>(std::move(base), std::move(temp), std::move(packed), options));
}

}  // namespace media
