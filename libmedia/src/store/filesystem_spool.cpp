/// The filesystem spool: one file an upload, a page of bookkeeping and then the bytes.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/errno_error.hpp"
#include "core/unique_fd.hpp"
#include "media/digest.hpp"
#include "media/upload_spool.hpp"
#include "store/file_ops.hpp"
#include "store/handles.hpp"
#include "store/spool_id.hpp"

namespace media {
namespace store {
namespace {

/// A page, so that the bytes behind it are aligned as a file's are.
constexpr std::uint64_t kHeaderBytes = 4096;
constexpr std::string_view kMagic = "media upload 1\n";

/// How many bytes count is written down in two places in turn. A write that is torn by a power cut spoils one, and the other
/// still says what was true before. They are in sectors of their own.
constexpr std::array<std::uint64_t, 2> kRecordPlaces = {1024, 2048};
constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
constexpr std::size_t kSealBytes = 16;
using Record = std::array<std::byte, kLengthBytes + kSealBytes>;

/// Bound to the id, so that a file that was copied or renamed by hand is not believed.
Record record_of(const std::string& id, std::uint64_t length) {
  Record record{};
  for (std::size_t i = 0; i < kLengthBytes; ++i) record[i] = static_cast<std::byte>(length >> (8 * i));
  std::string sealed = std::string(kMagic) + id + '\n';
  sealed.append(reinterpret_cast<const char*>(record.data()), kLengthBytes);
  const Digest seal = Digest::of(std::as_bytes(std::span(sealed)));
  std::memcpy(record.data() + kLengthBytes, seal.bytes().data(), kSealBytes);
  return record;
}

struct Settled {
  std::uint64_t length = 0;
  std::size_t next_place = 0;  ///< Where the next record goes: over the older one.
};

/// The larger of the lengths that are intact: lengths only grow. Absent where there is none, as in a file whose making was cut short.
Result<std::optional<Settled>> read_settled(int descriptor, const std::string& id) {
  std::array<std::byte, kHeaderBytes> header{};
  MEDIA_TRY_ASSIGN(const std::size_t got, read_file(descriptor, kHeaderBytes, 0, header, "read upload " + id));
  if (got != header.size() || std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) return std::optional<Settled>();
  std::optional<Settled> settled;
  for (std::size_t i = 0; i < kRecordPlaces.size(); ++i) {
    Record record{};
    std::memcpy(record.data(), header.data() + kRecordPlaces[i], record.size());
    std::uint64_t length = 0;
    for (std::size_t k = 0; k < kLengthBytes; ++k) length |= static_cast<std::uint64_t>(record[k]) << (8 * k);
    if (record == record_of(id, length) && (!settled || length > settled->length)) settled = Settled{length, 1 - i};
  }
  return settled;
}

struct OpenFile {
  UniqueFd descriptor;
  Settled settled;
};

class SpoolFile final : public SpooledUpload {
 public:
  SpoolFile(UniqueFd descriptor, std::string id, const Settled& settled)
      : descriptor_(std::move(descriptor)), id_(std::move(id)), settled_(settled), length_(settled.length) {}
  ~SpoolFile() override {
    // Best effort, for the space: what is behind the record does not count anyway.
    if (length_ != settled_.length) cut();
  }

  [[nodiscard]] std::uint64_t length() const noexcept override { return length_; }
  [[nodiscard]] std::uint64_t settled_length() const noexcept override { return settled_.length; }

  Result<void> append(std::uint64_t offset, std::span<const std::byte> piece) override {
    MEDIA_TRY(usable());
    if (offset != length_) return Error{Errc::conflict, "append to upload " + id_ + ": it has " + std::to_string(length_) + " bytes"};
    // A failed write may still leave bytes behind `length_`; nothing counts them.
    if (auto written = write_all(descriptor_.get(), piece, kHeaderBytes + length_, "write upload " + id_); !written) {
      return fail(std::move(written).error());
    }
    length_ += piece.size();
    return {};
  }

  Result<void> settle() override {
    MEDIA_TRY(usable());
    if (length_ == settled_.length) return {};
    MEDIA_TRY(sync());
    const Record record = record_of(id_, length_);
    if (auto written = write_all(descriptor_.get(), record, kRecordPlaces.at(settled_.next_place), "write upload " + id_); !written) {
      return fail(std::move(written).error());
    }
    MEDIA_TRY(sync());
    settled_ = {length_, 1 - settled_.next_place};
    return {};
  }

  Result<void> discard() override {
    MEDIA_TRY(usable());
    if (length_ == settled_.length) return {};
    if (!cut()) return fail(errno_error(errno, "shorten upload " + id_));
    length_ = settled_.length;
    return {};
  }

 private:
  [[nodiscard]] Result<void> usable() const {
    if (failed_) return Error{Errc::io, "upload " + id_ + ": an earlier write failed"};
    return {};
  }
  /// After a failed write or sync nothing more is believed of this descriptor: the kernel tells of a lost page once.
  Error fail(Error error) {
    failed_ = true;
    return error;
  }
  Result<void> sync() {
    if (::fdatasync(descriptor_.get()) != 0) return fail(errno_error(errno, "sync upload " + id_));
    return {};
  }
  bool cut() noexcept { return ::ftruncate(descriptor_.get(), static_cast<off_t>(kHeaderBytes + settled_.length)) == 0; }

  UniqueFd descriptor_;
  const std::string id_;
  Settled settled_;
  std::uint64_t length_;
  bool failed_ = false;
};

/// The settled bytes. They never change, though a writer may add to the file behind them.
class SpoolReader final : public ByteReader {
 public:
  SpoolReader(UniqueFd descriptor, std::uint64_t size) : descriptor_(std::move(descriptor)), size_(size) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= size_) return std::size_t{0};
    return read_file(descriptor_.get(), kHeaderBytes + size_, kHeaderBytes + offset, into, "read an upload");
  }
  [[nodiscard]] std::optional<FileWindow> window() const override { return FileWindow{descriptor_.get(), kHeaderBytes, size_}; }

 private:
  UniqueFd descriptor_;
  std::uint64_t size_;
};

/// Thread-safety: as `UploadSpool`; there is nothing but the path, and locks are the files'.
class FilesystemSpool final : public UploadSpool {
 public:
  explicit FilesystemSpool(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Result<std::unique_ptr<SpooledUpload>> create(const std::string& id) override;
  Result<std::unique_ptr<SpooledUpload>> open(const std::string& id) override;
  Result<std::optional<std::uint64_t>> settled_length(const std::string& id) const override;
  Result<std::unique_ptr<ByteReader>> content(const std::string& id) const override;
  Result<bool> remove(const std::string& id) override;
  Result<SpoolPage> list(const std::string& cursor, std::size_t limit) const override;

 private:
  [[nodiscard]] std::string path_of(const std::string& id) const { return (folder_ / id).string(); }
  /// Opened, locked where `lock` says so, and its record read and compared with the file's size.
  Result<OpenFile> open_file(const std::string& id, bool lock) const;

  std::filesystem::path folder_;
};

Result<std::unique_ptr<SpooledUpload>> FilesystemSpool::create(const std::string& id) {
  if (!is_spool_id(id)) return Error{Errc::invalid_argument, "create an upload: the id is no id"};
  if (auto made = make_folders(folder_); !made) {
    // What stands in its place is no argument of whoever uploads.
    Error error = std::move(made).error();
    if (error.code == Errc::invalid_argument) error.code = Errc::io;
    return error;
  }
  // Between the making of the file and the lock a sweeper may take it for abandoned and remove it; then another is made.
  constexpr int kAttempts = 16;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    UniqueFd descriptor = open_at(AT_FDCWD, path_of(id).c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    if (!descriptor && errno == EEXIST && attempt > 0) {
      ::sched_yield();  // the sweeper is about to remove it
      continue;
    }
    if (!descriptor) return errno_error(errno, "create upload " + id);
    struct stat status{};
    if (::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(descriptor.get(), &status) != 0 || status.st_nlink == 0) continue;
    const auto finished = [&]() -> Result<void> {
      std::array<std::byte, kHeaderBytes> header{};
      std::memcpy(header.data(), kMagic.data(), kMagic.size());
      const Record record = record_of(id, 0);
      std::memcpy(header.data() + kRecordPlaces[0], record.data(), record.size());
      MEDIA_TRY(write_all(descriptor.get(), header, 0, "write upload " + id));
      MEDIA_TRY(sync_once(descriptor.get(), "sync upload " + id));
      return sync_folder(AT_FDCWD, folder_.c_str(), "of uploads");
    }();
    if (!finished) {
      ::unlink(path_of(id).c_str());
      return finished.error();
    }
    return std::unique_ptr<SpooledUpload>(std::make_unique<SpoolFile>(std::move(descriptor), id, Settled{0, 1}));
  }
  return Error{Errc::unavailable, "create upload " + id + ": it was removed while it was made"};
}

Result<OpenFile> FilesystemSpool::open_file(const std::string& id, bool lock) const {
  const Error absent{Errc::not_found, "open an upload: there is none of that id"};
  if (!is_spool_id(id)) return absent;
  UniqueFd descriptor = open_at(AT_FDCWD, path_of(id).c_str(), (lock ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (!descriptor) return errno == ENOENT || errno == ELOOP ? absent : errno_error(errno, "open upload " + id);
  if (lock && ::flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error{Errc::unavailable, "open upload " + id + ": another request has it"};
    return errno_error(errno, "lock upload " + id);
  }
  struct stat status{};
  if (::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat upload " + id);
  if (!S_ISREG(status.st_mode) || status.st_nlink == 0) return absent;
  if (static_cast<std::uint64_t>(status.st_size) < kHeaderBytes) {
    // Cut short while it was made: nobody was ever told of it. A maker who lives on notices, because this is done under the lock.
    if (lock) ::unlink(path_of(id).c_str());
    return absent;
  }
  MEDIA_TRY_ASSIGN(const auto settled, read_settled(descriptor.get(), id));
  // The size after the record: a writer makes the file longer first.
  if (::fstat(descriptor.get(), &status) != 0) return errno_error(errno, "stat upload " + id);
  if (!settled || settled->length > static_cast<std::uint64_t>(status.st_size) - kHeaderBytes) {
    return Error{Errc::corrupt, "open upload " + id + ": its file is damaged"};
  }
  return OpenFile{std::move(descriptor), *settled};
}

Result<std::unique_ptr<SpooledUpload>> FilesystemSpool::open(const std::string& id) {
  MEDIA_TRY_ASSIGN(OpenFile file, open_file(id, true));
  auto upload = std::make_unique<SpoolFile>(std::move(file.descriptor), id, file.settled);
  return std::unique_ptr<SpooledUpload>(std::move(upload));
}

Result<std::optional<std::uint64_t>> FilesystemSpool::settled_length(const std::string& id) const {
  // The record that is being written at this moment may be seen half; the other one is whole then, and was true a moment ago.
  auto file = open_file(id, false);
  if (!file && file.error().code == Errc::not_found) return std::optional<std::uint64_t>();
  if (!file) return std::move(file).error();
  return std::optional(file->settled.length);
}

Result<std::unique_ptr<ByteReader>> FilesystemSpool::content(const std::string& id) const {
  MEDIA_TRY_ASSIGN(OpenFile file, open_file(id, false));
  return std::unique_ptr<ByteReader>(std::make_unique<SpoolReader>(std::move(file.descriptor), file.settled.length));
}

Result<bool> FilesystemSpool::remove(const std::string& id) {
  if (!is_spool_id(id)) return false;
  // No sync of the folder: an upload that a power cut brings back is one that nobody knows, and the next sweep takes it.
  if (::unlink(path_of(id).c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  return errno_error(errno, "remove upload " + id);
}

Result<SpoolPage> FilesystemSpool::list(const std::string& cursor, std::size_t limit) const {
  if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
  SpoolPage page;
  const FolderStream stream = open_folder_stream(AT_FDCWD, folder_.c_str());
  if (!stream) {
    if (errno == ENOENT) return page;
    return errno_error(errno, "list the folder of uploads");
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    if (is_spool_id(entry->d_name) && entry->d_name > cursor) page.ids.emplace_back(entry->d_name);
  }
  std::sort(page.ids.begin(), page.ids.end());
  if (page.ids.size() > limit) {
    page.ids.resize(limit);
    page.next_cursor = page.ids.back();
  }
  return page;
}

}  // namespace
}  // namespace store

std::unique_ptr<UploadSpool> make_filesystem_spool(std::filesystem::path folder) {
  return std::make_unique<store::FilesystemSpool>(std::move(folder));
}

}  // namespace media
