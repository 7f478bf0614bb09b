// A segment and its index, damaged anyhow: what is read out of one lies within it, apart from its neighbours, and is what its digest says.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/unique_fd.hpp"
#include "store/segment_scan.hpp"

using namespace media;
using namespace media::store;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// The input, taken from its front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const std::byte*>(data), size) {}
  std::uint32_t number(std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes && !rest_.empty(); ++i, rest_ = rest_.subspan(1)) {
      value = value << 8U | static_cast<std::uint32_t>(rest_.front());
    }
    return value;
  }
  std::span<const std::byte> bytes(std::size_t count) {
    const auto taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

void append(std::vector<std::byte>& to, std::span<const std::byte> bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

void check_scan(int descriptor, std::span<const std::byte> segment, const SegmentId& id, Proof proof) {
  const auto scan = scan_segment(descriptor, id, kFirstEntry, segment.size(), proof).value();
  std::uint64_t end = kFirstEntry;
  for (const SegmentEntry& entry : scan.entries) {
    require(entry.offset >= end && entry.offset % kSegmentBlock == 0);
    end = entry.offset + entry_span(entry.length);
    require(end <= segment.size());
    if (proof == Proof::contents) {
      require(Digest::of(segment.subspan(static_cast<std::size_t>(entry.offset) + kSegmentBlock, static_cast<std::size_t>(entry.length))) ==
              entry.digest);
    }
  }
  require(scan.end >= end && scan.end <= std::max<std::uint64_t>(segment.size(), kFirstEntry));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto raw = std::as_bytes(std::span(data, size));
  if (const auto index = decode_segment_index(raw)) {
    const auto again = encode_segment_index(*index);
    require(decode_segment_index(again).value().entries == index->entries);
  }
  static_cast<void>(decode_segment_header(raw));

  // A good segment whose contents are the input's, and then whatever the input does to it.
  Input input(data, size);
  SegmentId id;
  id.bytes.fill(7);
  std::vector<std::byte> segment;
  append(segment, encode_segment_header(id));
  SegmentIndex index{id, 0, {}};
  for (std::uint32_t left = input.number(1) % 8; left > 0; --left) {
    const auto content = input.bytes(input.number(1));
    const Digest digest = Digest::of(content);
    index.entries.push_back({digest, segment.size(), content.size()});
    append(segment, encode_entry_header(id, segment.size(), digest, content.size()));
    append(segment, content);
    segment.resize((segment.size() + kSegmentBlock - 1) / kSegmentBlock * kSegmentBlock);
  }
  index.covered = segment.size();
  require(decode_segment_index(encode_segment_index(index)).value().entries == index.entries);
  while (!input.empty()) {
    const std::uint32_t at = input.number(2) % static_cast<std::uint32_t>(segment.size());
    const std::uint32_t what = input.number(1);
    if (what == 0) segment.resize(std::max<std::size_t>(at, 1));
    segment[at % segment.size()] = static_cast<std::byte>(what);
  }
  const UniqueFd file(::memfd_create("segment", MFD_CLOEXEC));
  require(static_cast<bool>(file));
  require(::write(file.get(), segment.data(), segment.size()) == std::ssize(segment));
  check_scan(file.get(), segment, id, Proof::headers);
  check_scan(file.get(), segment, id, Proof::contents);
  return 0;
}
