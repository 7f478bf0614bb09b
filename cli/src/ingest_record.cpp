#include "ingest_record.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <vector>

#include "system_error.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

constexpr const char* kName = "ingest-record";
/// Holds nothing; whoever writes the record locks it.
constexpr const char* kLockName = "ingest-record.lock";
constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30U;
/// A change within the same tick of a file system's clock does not show in its times: 2 s on FAT, 10 ms and less elsewhere.
constexpr std::chrono::seconds kTick{2};
constexpr std::chrono::hours kForgetAfter{24 * 366};

using Wall = std::chrono::system_clock;

std::int64_t seconds_now() { return std::chrono::duration_cast<std::chrono::seconds>(Wall::now().time_since_epoch()).count(); }

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

Record read_record(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (!file.open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
  if (static_cast<std::uint64_t>(status.st_size) > kMostBytes) return {};
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  for (std::size_t have = 0; have < bytes.size();) {
    const ssize_t got = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return {};
    have += static_cast<std::size_t>(got);
  }
  return decode_record(bytes).value_or(Record());
}

media::Error failed(const char* what, const std::filesystem::path& path) {
  return system_error(errno, std::string(what) + " '" + printable(path.string()) + "'");
}

media::Result<void> write_new(const std::filesystem::path& temp, const std::filesystem::path& path, const Record& record) {
  {
    const Descriptor file(::open(temp.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.open()) return failed("make", temp);
    const auto bytes = encode_record(record);
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return failed("write", temp);
      done += static_cast<std::size_t>(wrote);
    }
    if (::fsync(file.get()) != 0) return failed("sync", temp);
  }
  if (::rename(temp.c_str(), path.c_str()) != 0) return failed("rename", temp);
  return {};
}

media::Result<void> write_record(const std::filesystem::path& store, const Record& record) {
  const auto temp = store / (std::string(kName) + ".new");
  auto written = write_new(temp, store / kName, record);
  if (!written) ::unlink(temp.c_str());
  return written;
}

/// Waits for other runs that write the record; they take moments.
media::Result<int> lock_record(const std::filesystem::path& store) {
  const auto path = store / kLockName;
  const int lock = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return failed("open", path);
  while (::flock(lock, LOCK_EX) != 0) {
    if (errno == EINTR) continue;
    media::Error error = failed("lock", path);
    ::close(lock);
    return error;
  }
  return lock;
}

}  // namespace

IngestRecord IngestRecord::load(const std::filesystem::path& store) {
  IngestRecord record(store);
  record.known_ = read_record(store / kName);
  return record;
}

media::Result<void> IngestRecord::remove(const std::filesystem::path& store) {
  for (const char* const name : {kName, "ingest-record.new"}) {
    const auto path = store / name;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path);
  }
  return {};
}

std::optional<RecordedMedia> IngestRecord::find(const std::string& owner, const std::string& path, const FileState& now) {
  const RecordKey key = record_key(owner, path);
  const std::lock_guard lock(mutex_);
  const auto entry = known_.find(key);
  if (entry == known_.end() || entry->second.state != now) return std::nullopt;
  noted_[key] = entry->second;
  noted_[key].met = seconds_now();
  return entry->second.media;
}

void IngestRecord::note(const std::string& owner, const std::string& path, const Looked& looked, const RecordedMedia& media) {
  const RecordKey key = record_key(owner, path);
  const std::int64_t settled = looked.at - std::chrono::nanoseconds(kTick).count();
  const std::lock_guard lock(mutex_);
  // Times to come tell nothing either: of a clock that was wrong, or of another machine's.
  if (looked.state.modified > settled || looked.state.changed > settled) {
    noted_.erase(key);
    return;
  }
  noted_[key] = {looked.state, media, seconds_now()};
}

media::Result<void> IngestRecord::save() {
  MEDIA_TRY_ASSIGN(const int locked, lock_record(store_));
  const Descriptor lock(locked);
  // What another run has noted since stays.
  Record all = read_record(store_ / kName);
  for (const auto& [key, entry] : noted_) all[key] = entry;
  const std::int64_t oldest = seconds_now() - std::chrono::seconds(kForgetAfter).count();
  std::erase_if(all, [&](const auto& each) { return each.second.met < oldest; });
  return write_record(store_, all);
}

}  // namespace mediactl
