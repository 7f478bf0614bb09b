/// The memory spool: what every spool must do, with nothing in the way.
#include <map>
#include <mutex>
#include <utility>

#include "media/upload_spool.hpp"
#include "store/spool_id.hpp"

namespace media {
namespace {

/// Bytes are appended behind `settled` by the holder alone; whatever is before it never changes.
struct Upload {
  std::mutex mutex;
  std::vector<std::byte> bytes;
  std::uint64_t settled = 0;
  bool held = false;
};
using UploadPtr = std::shared_ptr<Upload>;

class MemorySpooledUpload final : public SpooledUpload {
 public:
  /// `upload` is marked as held already.
  explicit MemorySpooledUpload(UploadPtr upload) : upload_(std::move(upload)), length_(upload_->settled) {}
  ~MemorySpooledUpload() override {
    const std::lock_guard lock(upload_->mutex);
    upload_->bytes.resize(upload_->settled);
    upload_->held = false;
  }

  [[nodiscard]] std::uint64_t length() const noexcept override { return length_; }
  [[nodiscard]] std::uint64_t settled_length() const noexcept override { return upload_->settled; }
  Result<void> append(std::uint64_t offset, std::span<const std::byte> piece) override {
    if (offset != length_) return Error{Errc::conflict, "append to an upload: it has " + std::to_string(length_) + " bytes"};
    const std::lock_guard lock(upload_->mutex);
    upload_->bytes.insert(upload_->bytes.end(), piece.begin(), piece.end());
    length_ += piece.size();
    return {};
  }
  Result<void> settle() override {
    const std::lock_guard lock(upload_->mutex);
    upload_->settled = length_;
    return {};
  }
  Result<void> discard() override {
    const std::lock_guard lock(upload_->mutex);
    upload_->bytes.resize(upload_->settled);
    length_ = upload_->settled;
    return {};
  }

 private:
  UploadPtr upload_;
  std::uint64_t length_;
};

/// Thread-safety: one mutex guards the map, and each upload has its own for its bytes.
class MemorySpool final : public UploadSpool {
 public:
  Result<std::unique_ptr<SpooledUpload>> create(const std::string& id) override {
    if (!store::is_spool_id(id)) return Error{Errc::invalid_argument, "create an upload: the id is no id"};
    const std::lock_guard lock(mutex_);
    auto& place = uploads_[id];
    if (place) return Error{Errc::already_exists, "create upload " + id + ": it exists"};
    place = std::make_shared<Upload>();
    place->held = true;
    return std::unique_ptr<SpooledUpload>(std::make_unique<MemorySpooledUpload>(place));
  }
  Result<std::unique_ptr<SpooledUpload>> open(const std::string& id) override {
    const UploadPtr upload = find(id);
    if (!upload) return Error{Errc::not_found, "open an upload: there is none of that id"};
    {
      const std::lock_guard lock(upload->mutex);
      if (upload->held) return Error{Errc::unavailable, "open upload " + id + ": another request has it"};
      upload->held = true;
    }
    return std::unique_ptr<SpooledUpload>(std::make_unique<MemorySpooledUpload>(upload));
  }
  Result<std::optional<std::uint64_t>> settled_length(const std::string& id) const override {
    const UploadPtr upload = find(id);
    if (!upload) return std::optional<std::uint64_t>();
    const std::lock_guard lock(upload->mutex);
    return std::optional(upload->settled);
  }
  Result<std::unique_ptr<ByteReader>> content(const std::string& id) const override {
    const UploadPtr upload = find(id);
    if (!upload) return Error{Errc::not_found, "read an upload: there is none of that id"};
    const std::lock_guard lock(upload->mutex);
    const auto end = upload->bytes.begin() + static_cast<std::ptrdiff_t>(upload->settled);
    return std::unique_ptr<ByteReader>(std::make_unique<MemoryReader>(std::vector<std::byte>(upload->bytes.begin(), end)));
  }
  Result<bool> remove(const std::string& id) override {
    const std::lock_guard lock(mutex_);
    return uploads_.erase(id) > 0;
  }
  Result<SpoolPage> list(const std::string& cursor, std::size_t limit) const override {
    if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
    const std::lock_guard lock(mutex_);
    SpoolPage page;
    auto at = uploads_.upper_bound(cursor);
    for (; at != uploads_.end() && page.ids.size() < limit; ++at) page.ids.push_back(at->first);
    if (at != uploads_.end()) page.next_cursor = page.ids.back();
    return page;
  }

 private:
  UploadPtr find(const std::string& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = uploads_.find(id);
    return found == uploads_.end() ? nullptr : found->second;
  }

  mutable std::mutex mutex_;
  std::map<std::string, UploadPtr> uploads_;
};

}  // namespace

std::unique_ptr<UploadSpool> make_memory_spool() { return std::make_unique<MemorySpool>(); }

}  // namespace media
