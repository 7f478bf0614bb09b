#include "store/segment_format.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "core/random.hpp"
#include "core/sha256_lanes.hpp"

namespace media::store {
namespace {

constexpr std::string_view kSegmentMagic = "MEDIASEG";
constexpr std::string_view kIndexMagic = "MEDIAIDX";
constexpr std::string_view kEntryMagic = "MBLB";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kIndexHeader = 48;
constexpr std::size_t kIndexEntry = 48;

template <class Number>
void put_number(std::byte* at, Number value) {
  for (std::size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<std::byte>(value >> (8U * i) & 0xffU);
}

template <class Number>
Number get_number(const std::byte* at) {
  Number value = 0;
  for (std::size_t i = sizeof value; i-- > 0;) value = static_cast<Number>(value << 8U) | static_cast<Number>(at[i]);
  return value;
}

bool has_magic(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

void put_magic(std::byte* at, std::string_view magic) { std::memcpy(at, magic.data(), magic.size()); }

Digest get_digest(const std::byte* at) {
  std::array<std::uint8_t, Digest::kSize> bytes{};
  std::memcpy(bytes.data(), at, bytes.size());
  return Digest(bytes);
}

std::array<std::byte, kCheckBytes> check_of(std::span<const std::byte> covered) {
  Sha256Stream hasher;  // Two blocks or so: OpenSSL's set-up would cost more than the hash.
  hasher.update(covered);
  const Digest digest = hasher.finish();
  std::array<std::byte, kCheckBytes> check{};
  std::memcpy(check.data(), digest.bytes().data(), check.size());
  return check;
}

/// An entry's check: over its segment, its place, its length and its digest, so that it is good nowhere else.
std::array<std::byte, kCheckBytes> entry_check(const SegmentId& id, std::uint64_t offset, const std::byte* length_and_digest) {
  constexpr std::size_t kRest = 8 + Digest::kSize;
  std::array<std::byte, 16 + 8 + kRest> covered{};
  std::memcpy(covered.data(), id.bytes.data(), id.bytes.size());
  put_number(covered.data() + 16, offset);
  std::memcpy(covered.data() + 24, length_and_digest, kRest);
  return check_of(covered);
}

}  // namespace

SegmentId SegmentId::make() {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  SegmentId id;
  for (std::size_t i = 0; i < 8; ++i) id.bytes[i] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(now) >> (8U * (7U - i)));
  const auto random = from_hex(std::string(16, '0') + random_hex(8));
  if (random) std::copy(random->bytes.begin() + 8, random->bytes.end(), id.bytes.begin() + 8);
  return id;
}

std::optional<SegmentId> SegmentId::from_hex(std::string_view hex) {
  SegmentId id;
  if (hex.size() != 2 * id.bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < hex.size(); ++i) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto value = kDigits.find(hex[i]);
    if (value == std::string_view::npos) return std::nullopt;
    id.bytes[i / 2] = static_cast<std::uint8_t>(std::size_t{id.bytes[i / 2]} << 4U | value);
  }
  return id;
}

std::string SegmentId::to_hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const std::uint8_t byte : bytes) {
    hex.push_back(kDigits[byte >> 4U]);
    hex.push_back(kDigits[byte & 15U]);
  }
  return hex;
}

// Segment header: magic 8, version 4, zero 4, id 16, check 8 (over all before it), zero.
SegmentBlock encode_segment_header(const SegmentId& id) {
  SegmentBlock block{};
  put_magic(block.data(), kSegmentMagic);
  put_number(block.data() + 8, kVersion);
  std::memcpy(block.data() + 16, id.bytes.data(), id.bytes.size());
  const auto check = check_of(std::span(block).first(32));
  std::copy(check.begin(), check.end(), block.begin() + 32);
  return block;
}

Result<SegmentId> decode_segment_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kSegmentBlock || !has_magic(bytes, kSegmentMagic)) return Error{Errc::corrupt, "it does not begin like a segment"};
  const auto version = get_number<std::uint32_t>(bytes.data() + 8);
  if (version > kVersion) return Error{Errc::unsupported, "the segment was made by a newer version (" + std::to_string(version) + ")"};
  const auto check = check_of(bytes.first(32));
  if (version == 0 || !std::equal(check.begin(), check.end(), bytes.begin() + 32)) {
    return Error{Errc::corrupt, "the segment's header is damaged"};
  }
  SegmentId id;
  std::memcpy(id.bytes.data(), bytes.data() + 16, id.bytes.size());
  return id;
}

// Entry header: magic 4, state 1, zero 3, length 8, digest 32, check 8 (not over the state), zero.
SegmentBlock encode_entry_header(const SegmentId& id, std::uint64_t offset, const Digest& digest, std::uint64_t length) {
  SegmentBlock block{};
  put_magic(block.data(), kEntryMagic);
  put_number(block.data() + 8, length);
  std::memcpy(block.data() + 16, digest.bytes().data(), Digest::kSize);
  const auto check = entry_check(id, offset, block.data() + 8);
  std::copy(check.begin(), check.end(), block.begin() + 48);
  return block;
}

std::optional<EntryHeader> decode_entry_header(const SegmentId& id, std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.size() < kSegmentBlock || !has_magic(bytes, kEntryMagic)) return std::nullopt;
  const std::byte state = bytes[kStateOffset];
  if (state != std::byte{0} && state != kDeadState) return std::nullopt;
  const auto check = entry_check(id, offset, bytes.data() + 8);
  if (!std::equal(check.begin(), check.end(), bytes.begin() + 48)) return std::nullopt;
  EntryHeader header{get_digest(bytes.data() + 16), get_number<std::uint64_t>(bytes.data() + 8),
                     state == kDeadState ? EntryState::dead : EntryState::live};
  if (header.length > kMaxPackedBytes) return std::nullopt;
  return header;
}

// Index: magic 8, version 4, zero 4, id 16, covered 8, count 8; entries of digest 32, offset 8, length 8; check 8 over all before it.
std::vector<std::byte> encode_segment_index(const SegmentIndex& index) {
  std::vector<std::byte> bytes(kIndexHeader + index.entries.size() * kIndexEntry + kCheckBytes);
  put_magic(bytes.data(), kIndexMagic);
  put_number(bytes.data() + 8, kVersion);
  std::memcpy(bytes.data() + 16, index.id.bytes.data(), index.id.bytes.size());
  put_number(bytes.data() + 32, index.covered);
  put_number(bytes.data() + 40, static_cast<std::uint64_t>(index.entries.size()));
  std::byte* at = bytes.data() + kIndexHeader;
  for (const SegmentEntry& entry : index.entries) {
    std::memcpy(at, entry.digest.bytes().data(), Digest::kSize);
    put_number(at + 32, entry.offset);
    put_number(at + 40, entry.length);
    at += kIndexEntry;
  }
  const auto check = check_of(std::span(bytes).first(bytes.size() - kCheckBytes));
  std::copy(check.begin(), check.end(), bytes.end() - static_cast<std::ptrdiff_t>(kCheckBytes));
  return bytes;
}

Result<SegmentIndex> decode_segment_index(std::span<const std::byte> bytes) {
  if (bytes.size() < kIndexHeader + kCheckBytes || !has_magic(bytes, kIndexMagic)) {
    return Error{Errc::corrupt, "it does not begin like the index of a segment"};
  }
  const auto version = get_number<std::uint32_t>(bytes.data() + 8);
  if (version > kVersion) return Error{Errc::unsupported, "the index was made by a newer version (" + std::to_string(version) + ")"};
  const auto check = check_of(bytes.first(bytes.size() - kCheckBytes));
  if (version == 0 || !std::equal(check.begin(), check.end(), bytes.end() - static_cast<std::ptrdiff_t>(kCheckBytes))) {
    return Error{Errc::corrupt, "the index of a segment is damaged"};
  }
  SegmentIndex index;
  std::memcpy(index.id.bytes.data(), bytes.data() + 16, index.id.bytes.size());
  index.covered = get_number<std::uint64_t>(bytes.data() + 32);
  const auto count = get_number<std::uint64_t>(bytes.data() + 40);
  const std::size_t room = bytes.size() - kIndexHeader - kCheckBytes;
  if (count != room / kIndexEntry || room % kIndexEntry != 0) return Error{Errc::corrupt, "the index of a segment counts wrongly"};
  index.entries.reserve(static_cast<std::size_t>(count));
  std::uint64_t end = kFirstEntry;
  for (const std::byte* at = bytes.data() + kIndexHeader; index.entries.size() < count; at += kIndexEntry) {
    SegmentEntry entry{get_digest(at), get_number<std::uint64_t>(at + 32), get_number<std::uint64_t>(at + 40)};
    if (entry.length > kMaxPackedBytes || entry.offset < end || entry.offset % kSegmentBlock != 0 || entry.offset > index.covered ||
        entry_span(entry.length) > index.covered - entry.offset) {
      return Error{Errc::corrupt, "the index of a segment names an impossible place"};
    }
    end = entry.offset + entry_span(entry.length);
    index.entries.push_back(entry);
  }
  return index;
}

}  // namespace media::store
