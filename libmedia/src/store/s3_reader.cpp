#include "store/s3_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <future>
#include <list>
#include <mutex>
#include <optional>

namespace media::store::s3 {
namespace {

/// Fetched when a blob is opened, and where somebody reads here and there.
constexpr std::size_t kFirstBytes = 512U << 10U;
constexpr std::size_t kRandomBytes = 256U << 10U;
/// Readers of one blob at different places, who share what the library has open.
constexpr std::size_t kMostStreams = 8;

using Bytes = std::shared_ptr<const std::vector<std::byte>>;

std::string range_header(std::uint64_t first, std::uint64_t count) {
  return "bytes=" + std::to_string(first) + '-' + std::to_string(first + count - 1);
}

struct Object {
  std::shared_ptr<Client> client;
  std::string key;
  Digest digest;
  std::string etag;
  std::uint64_t size = 0;
};

Result<Bytes> fetch(const Object& object, std::uint64_t offset, std::size_t count, const std::atomic<bool>* abandoned) {
  auto bytes = std::make_shared<std::vector<std::byte>>(count);
  Call call;
  call.what = "read blob " + object.digest.to_hex();
  call.method = "GET";
  call.key = object.key;
  call.headers = {{"range", range_header(offset, count)}};
  if (!object.etag.empty()) call.headers.emplace_back("if-match", object.etag);
  call.into = *bytes;
  call.answers = {404, 412, 416};
  call.abandoned = abandoned;
  MEDIA_TRY_ASSIGN(const auto answer, object.client->perform(call));
  if (answer.status == 404) return Error{Errc::unavailable, call.what + ": it was removed meanwhile"};
  if (answer.status == 412) return Error{Errc::unavailable, call.what + ": it was stored anew meanwhile; open it again"};
  if (answer.status == 416) return Error{Errc::corrupt, call.what + ": it got shorter meanwhile"};
  const auto range = parse_content_range(answer.header("content-range"));
  if (answer.status != 206 || !range) return Error{Errc::unsupported, call.what + ": the object store sends no ranges"};
  if (range->first != offset || range->last - range->first + 1 != count || range->total != object.size) {
    return Error{Errc::corrupt, call.what + ": another range came than was asked for"};
  }
  return Bytes(std::move(bytes));
}

/// One place in a blob from which somebody reads on. What was read in one go from the first byte is hashed.
class Stream {
 public:
  Stream(std::shared_ptr<const Object> object, std::shared_ptr<ReadAhead> read_ahead)
      : object_(std::move(object)), read_ahead_(std::move(read_ahead)) {
    read_ahead_->stream_opened();
  }
  ~Stream() {
    abandoned_->store(true, std::memory_order_relaxed);
    read_ahead_->stream_closed();
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] bool serves(std::uint64_t offset) const noexcept { return offset >= offset_ && offset <= offset_ + held(); }
  [[nodiscard]] bool unused() const noexcept { return !bytes_; }

  /// What is at hand at `offset`, which is not past the end, or is fetched now.
  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> into) {
    if (!serves(offset) || unused()) MEDIA_TRY(jump(offset, into.size()));
    if (offset == offset_ + held()) MEDIA_TRY(go_on());
    const auto skip = static_cast<std::size_t>(offset - offset_);
    const std::size_t count = std::min(into.size(), bytes_->size() - skip);
    std::memcpy(into.data(), bytes_->data() + skip, count);
    return count;
  }

  Result<void> take_first(Bytes bytes) { return take(0, std::move(bytes)); }

 private:
  [[nodiscard]] std::size_t held() const noexcept { return bytes_ ? bytes_->size() : 0; }
  [[nodiscard]] std::size_t count_at(std::uint64_t offset, std::size_t wanted) const noexcept {
    return static_cast<std::size_t>(std::min<std::uint64_t>(wanted, object_->size - offset));
  }

  Result<void> jump(std::uint64_t offset, std::size_t wanted) {
    drop_next();
    const std::size_t least = std::min(kRandomBytes, read_ahead_->piece_bytes());
    MEDIA_TRY_ASSIGN(Bytes bytes,
                     fetch(*object_, offset, count_at(offset, std::clamp(wanted, least, std::max(least, kFirstBytes))), nullptr));
    return take(offset, std::move(bytes));
  }

  Result<void> go_on() {
    const std::uint64_t offset = offset_ + held();
    Result<Bytes> bytes =
        next_ && next_offset_ == offset ? next_->get() : fetch(*object_, offset, count_at(offset, read_ahead_->piece_bytes()), nullptr);
    next_.reset();
    if (!bytes) return std::move(bytes).error();
    MEDIA_TRY(take(offset, std::move(bytes).value()));
    fetch_next();
    return {};
  }

  /// Bytes that follow those before them prolong what is hashed; the last of them are kept only if the whole is right.
  Result<void> take(std::uint64_t offset, Bytes bytes) {
    if (offset == 0) {
      hasher_.emplace();
    } else if (hasher_ && hashed_to_ != offset) {
      hasher_.reset();
    }
    if (hasher_) {
      hasher_->update(*bytes);
      hashed_to_ = offset + bytes->size();
      if (hashed_to_ == object_->size) {
        const Digest actual = hasher_->finish();
        hasher_.reset();
        if (actual != object_->digest) {
          bytes_.reset();
          return Error{Errc::corrupt, "read blob " + object_->digest.to_hex() + ": its bytes have the digest " + actual.to_hex()};
        }
      }
    }
    offset_ = offset;
    bytes_ = std::move(bytes);
    return {};
  }

  void drop_next() {
    if (!next_) return;
    abandoned_->store(true, std::memory_order_relaxed);
    abandoned_ = std::make_shared<std::atomic<bool>>(false);
    next_.reset();
  }

  void fetch_next() {
    next_offset_ = offset_ + held();
    if (next_offset_ >= object_->size) return;
    auto promise = std::make_shared<std::promise<Result<Bytes>>>();
    next_ = promise->get_future();
    // The task knows the object and not the pool: whoever lets go of the pool last waits for its threads, and must not be one of them.
    read_ahead_->submit([object = object_, abandoned = abandoned_, promise, offset = next_offset_,
                         count = count_at(next_offset_, read_ahead_->piece_bytes())] {
      try {
        promise->set_value(fetch(*object, offset, count, abandoned.get()));
      } catch (const std::bad_alloc&) {
        promise->set_value(Error{Errc::unavailable, "read a blob: out of memory"});
      }
    });
  }

  std::shared_ptr<const Object> object_;
  std::shared_ptr<ReadAhead> read_ahead_;
  std::uint64_t offset_ = 0;
  Bytes bytes_;
  std::optional<Sha256> hasher_;
  std::uint64_t hashed_to_ = 0;
  std::optional<std::future<Result<Bytes>>> next_;
  std::uint64_t next_offset_ = 0;
  std::shared_ptr<std::atomic<bool>> abandoned_ = std::make_shared<std::atomic<bool>>(false);
};

/// Thread-safety: as `ByteReader`; one mutex guards the list of streams, and each stream has one of its own.
class ObjectReader final : public ByteReader {
 public:
  ObjectReader(std::shared_ptr<const Object> object, std::shared_ptr<ReadAhead> read_ahead, Bytes first)
      : object_(std::move(object)), read_ahead_(std::move(read_ahead)), first_(std::move(first)) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return object_->size; }

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    if (offset >= size()) return std::size_t{0};
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size() - offset));
    Bytes first;
    const std::shared_ptr<Slot> slot = pick(offset, first);
    const std::lock_guard lock(slot->mutex);
    auto have = read(*slot, first, offset, into.first(wanted));
    if (have) {
      slot->next.store(offset + *have, std::memory_order_relaxed);
      return have;
    }
    slot->stream.reset();
    slot->next.store(UINT64_MAX, std::memory_order_relaxed);
    // The damage may have been done on the way, and to what came first.
    if (have.error().code == Errc::corrupt) forget_first();
    return have;
  }

 private:
  struct Slot {
    std::mutex mutex;
    std::optional<Stream> stream;
    std::atomic<std::uint64_t> next{UINT64_MAX};  ///< Where its reader will go on.
  };

  Result<std::size_t> read(Slot& slot, const Bytes& first, std::uint64_t offset, std::span<std::byte> into) const {
    if (!slot.stream) {
      slot.stream.emplace(object_, read_ahead_);
      if (first && offset < first->size()) MEDIA_TRY(slot.stream->take_first(first));
    }
    std::size_t have = 0;
    while (have < into.size()) {
      MEDIA_TRY_ASSIGN(const std::size_t got, slot.stream->read(offset + have, into.subspan(have)));
      have += got;
    }
    return have;
  }

  void forget_first() const {
    const std::lock_guard lock(mutex_);
    first_.reset();
  }

  /// The stream whose reader goes on at `offset`, else a new one, else the one that was used least lately.
  std::shared_ptr<Slot> pick(std::uint64_t offset, Bytes& first) const {
    const std::lock_guard lock(mutex_);
    first = first_;
    auto found =
        std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) { return slot->next.load(std::memory_order_relaxed) == offset; });
    if (found == slots_.end()) {
      if (slots_.size() < kMostStreams) slots_.push_back(std::make_shared<Slot>());
      found = std::prev(slots_.end());
    }
    slots_.splice(slots_.begin(), slots_, found);
    return slots_.front();
  }

  std::shared_ptr<const Object> object_;
  std::shared_ptr<ReadAhead> read_ahead_;
  mutable std::mutex mutex_;
  mutable Bytes first_;  ///< What came when it was opened.
  mutable std::list<std::shared_ptr<Slot>> slots_;
};

}  // namespace

Result<std::unique_ptr<ByteReader>> open_object(const std::shared_ptr<Client>& client, const std::shared_ptr<ReadAhead>& read_ahead,
                                                const std::string& key, const Digest& digest) {
  auto object = std::make_shared<Object>(Object{client, key, digest, {}, 0});
  auto first = std::make_shared<std::vector<std::byte>>(std::min(kFirstBytes, read_ahead->piece_bytes()));
  Call call;
  call.what = "open blob " + digest.to_hex();
  call.method = "GET";
  call.key = key;
  call.headers = {{"range", range_header(0, first->size())}};
  call.into = *first;
  call.answers = {404, 416};
  MEDIA_TRY_ASSIGN(const auto answer, client->perform(call));
  if (answer.status == 404) return Error{Errc::not_found, call.what + ": not in the store"};
  if (answer.status == 416) {
    // Of nothing there is no range; that it is nothing is looked up, because 416 does not prove it.
    call.method = "HEAD";
    call.headers.clear();
    call.into = {};
    call.answers = {404};
    MEDIA_TRY_ASSIGN(const auto head, client->perform(call));
    if (head.status == 404) return Error{Errc::not_found, call.what + ": not in the store"};
    if (head.header("content-length") != "0") return Error{Errc::unavailable, call.what + ": it changes at this moment"};
    first->clear();
    return std::unique_ptr<ByteReader>(std::make_unique<ObjectReader>(std::move(object), read_ahead, std::move(first)));
  }
  const auto range = parse_content_range(answer.header("content-range"));
  if (answer.status != 206 || !range || range->first != 0)
    return Error{Errc::unsupported, call.what + ": the object store sends no ranges"};
  object->etag = answer.header("etag");
  object->size = range->total;
  first->resize(answer.received);
  if (first->size() < first->capacity() / 2) first->shrink_to_fit();
  return std::unique_ptr<ByteReader>(std::make_unique<ObjectReader>(std::move(object), read_ahead, std::move(first)));
}

}  // namespace media::store::s3
