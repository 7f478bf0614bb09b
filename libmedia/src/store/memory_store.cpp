/// The memory store: what every store must do, with nothing in the way.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "media/blob_store.hpp"

namespace media {
namespace {

using Content = std::shared_ptr<const std::vector<std::byte>>;

class SharedReader final : public ByteReader {
 public:
  explicit SharedReader(Content content) : content_(std::move(content)), reader_(std::span(*content_)) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return reader_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override { return reader_.read_at(offset, into); }

 private:
  Content content_;
  MemoryReader reader_;
};

class MemoryStaged final : public Staged {
 public:
  MemoryStaged(const void* owner, const Digest& digest, Content content)
      : owner_(owner), digest_(digest), content_(std::move(content)), reader_(std::span(*content_)) {}

  [[nodiscard]] const Digest& digest() const noexcept override { return digest_; }
  [[nodiscard]] std::uint64_t size() const noexcept override { return reader_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override { return reader_.read_at(offset, into); }
  [[nodiscard]] const void* owner() const noexcept { return owner_; }
  [[nodiscard]] const Content& content() const noexcept { return content_; }

 private:
  const void* owner_;
  Digest digest_;
  Content content_;
  MemoryReader reader_;
};

class MemoryWriter final : public BlobWriter {
 public:
  explicit MemoryWriter(const void* owner) : owner_(owner) {}

  Result<void> write(std::span<const std::byte> piece) override {
    hasher_.update(piece);
    bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    return {};
  }
  Result<std::unique_ptr<Staged>> finish() override {
    auto content = std::make_shared<const std::vector<std::byte>>(std::exchange(bytes_, {}));
    return std::unique_ptr<Staged>(std::make_unique<MemoryStaged>(owner_, hasher_.finish(), std::move(content)));
  }

 private:
  const void* owner_;
  Sha256 hasher_;
  std::vector<std::byte> bytes_;
};

/// Thread-safety: one mutex guards the maps; contents are immutable and shared with their readers.
class MemoryStore final : public BlobStore {
 public:
  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> /*expected_size*/) override {
    return std::unique_ptr<BlobWriter>(std::make_unique<MemoryWriter>(this));
  }

  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override {
    for (const auto& each : staged) {
      const auto* const content = dynamic_cast<const MemoryStaged*>(each.get());
      if (content == nullptr || content->owner() != this) return Error{Errc::invalid_argument, "publish: a content of another store"};
    }
    const std::lock_guard lock(mutex_);
    for (const auto& each : staged) {
      const auto& content = static_cast<const MemoryStaged&>(*each);
      blobs_[content.digest()] = Blob{content.content(), ++generation_};
    }
    return {};
  }

  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return Error{Errc::not_found, "open blob " + digest.to_hex() + ": not in the store"};
    return std::unique_ptr<ByteReader>(std::make_unique<SharedReader>(found->second.content));
  }

  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return std::optional<BlobStat>();
    return std::optional(BlobStat{found->second.content->size(), std::to_string(found->second.generation)});
  }

  Result<bool> remove(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    return blobs_.erase(digest) > 0;
  }

  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override {
    if (limit == 0) return Error{Errc::invalid_argument, "list: the limit is at least 1"};
    const std::lock_guard lock(mutex_);
    auto at = blobs_.begin();
    if (!cursor.empty()) {
      MEDIA_TRY_ASSIGN(const Digest last, Digest::from_hex(cursor));
      at = blobs_.upper_bound(last);
    }
    BlobPage page;
    for (; at != blobs_.end() && page.blobs.size() < limit; ++at) {
      page.blobs.push_back(ListedBlob{at->first, at->second.content->size(), at->first.to_hex()});
    }
    if (at != blobs_.end()) page.next_cursor = page.blobs.back().location;
    return page;
  }

  Result<bool> quarantine(const Digest& digest) override {
    const std::lock_guard lock(mutex_);
    const auto found = blobs_.find(digest);
    if (found == blobs_.end() || Digest::of(*found->second.content) == digest) return false;
    quarantined_.insert_or_assign(digest, found->second.content);
    blobs_.erase(found);
    return true;
  }

  Result<void> check() override { return {}; }

 private:
  struct Blob {
    Content content;
    /// Changes whenever the blob is stored anew: the identity of `BlobStat`.
    std::uint64_t generation = 0;
  };

  mutable std::mutex mutex_;
  std::map<Digest, Blob> blobs_;
  std::map<Digest, Content> quarantined_;
  std::uint64_t generation_ = 0;
};

}  // namespace

std::unique_ptr<BlobStore> make_memory_store() { return std::make_unique<MemoryStore>(); }

}  // namespace media
