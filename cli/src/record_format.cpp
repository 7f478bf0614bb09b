#include "record_format.hpp"

#include <algorithm>
#include <string_view>

namespace mediactl {
namespace {

// Magic 8, count 8; entries; SHA-256 over all before it. Numbers are little-endian.
constexpr std::string_view kMagic = "MEDIARE1";
constexpr std::size_t kHead = 16;
// Key 16, inode 8, size 8, modified 8, changed 8, met 8, media 8, digest 32.
constexpr std::size_t kEntry = 96;
constexpr std::size_t kCheck = media::Digest::kSize;

class Writer {
 public:
  explicit Writer(std::vector<std::byte>& to) : to_(to) {}
  void number(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) to_.push_back(static_cast<std::byte>(value >> (8U * i) & 0xffU));
  }
  void bytes(std::span<const std::uint8_t> from) {
    const auto raw = std::as_bytes(from);
    to_.insert(to_.end(), raw.begin(), raw.end());
  }

 private:
  std::vector<std::byte>& to_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> from) : from_(from) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= static_cast<std::uint64_t>(from_[i]) << (8U * i);
    from_ = from_.subspan(8);
    return value;
  }
  template <std::size_t Size>
  std::array<std::uint8_t, Size> bytes() {
    std::array<std::uint8_t, Size> out{};
    std::memcpy(out.data(), from_.data(), Size);
    from_ = from_.subspan(Size);
    return out;
  }

 private:
  std::span<const std::byte> from_;
};

}  // namespace

RecordKey record_key(const std::string& owner, const std::string& path) {
  // No owner and no path has a byte of zero in it.
  const std::string text = owner + '\0' + path;
  const media::Digest digest = media::Digest::of(std::as_bytes(std::span(text)));
  RecordKey key{};
  std::copy_n(digest.bytes().begin(), key.size(), key.begin());
  return key;
}

std::vector<std::byte> encode_record(const Record& record) {
  std::vector<std::byte> bytes;
  bytes.reserve(kHead + record.size() * kEntry + kCheck);
  Writer out(bytes);
  const auto magic = std::as_bytes(std::span(kMagic));
  bytes.insert(bytes.end(), magic.begin(), magic.end());
  out.number(record.size());
  for (const auto& [key, entry] : record) {
    out.bytes(key);
    out.number(entry.state.inode);
    out.number(entry.state.size);
    out.number(static_cast<std::uint64_t>(entry.state.modified));
    out.number(static_cast<std::uint64_t>(entry.state.changed));
    out.number(static_cast<std::uint64_t>(entry.met));
    out.number(static_cast<std::uint64_t>(entry.media.id));
    out.bytes(entry.media.digest.bytes());
  }
  out.bytes(media::Digest::of(bytes).bytes());
  return bytes;
}

std::optional<Record> decode_record(std::span<const std::byte> bytes) {
  if (bytes.size() < kHead + kCheck || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0) return std::nullopt;
  const auto covered = bytes.first(bytes.size() - kCheck);
  Reader in(covered.subspan(kMagic.size()));
  const std::uint64_t count = in.number();
  const std::size_t room = covered.size() - kHead;
  if (room % kEntry != 0 || count != room / kEntry) return std::nullopt;
  if (media::Digest::of(covered) != media::Digest(Reader(bytes.last(kCheck)).bytes<kCheck>())) return std::nullopt;
  Record record;
  record.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto key = in.bytes<std::tuple_size_v<RecordKey>>();
    RecordEntry entry;
    entry.state.inode = in.number();
    entry.state.size = in.number();
    entry.state.modified = static_cast<std::int64_t>(in.number());
    entry.state.changed = static_cast<std::int64_t>(in.number());
    entry.met = static_cast<std::int64_t>(in.number());
    entry.media.id = static_cast<media::MediaId>(in.number());
    entry.media.digest = media::Digest(in.bytes<media::Digest::kSize>());
    record[key] = entry;
  }
  return record;
}

}  // namespace mediactl
