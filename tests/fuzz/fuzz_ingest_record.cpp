// The record of an ingest, damaged anyhow: it is refused, or it is what it would be written as again.
#include <cstdint>
#include <cstdlib>

#include "record_format.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto raw = std::as_bytes(std::span(data, size));
  if (const auto record = mediactl::decode_record(raw)) {
    if (mediactl::decode_record(mediactl::encode_record(*record)) != record) std::abort();
  }
  // A good record of the input's numbers, and then whatever the input does to it: the check finds every change.
  mediactl::Record record;
  for (std::size_t at = 0; at + 16 <= size && at < 256; at += 16) {
    mediactl::RecordKey key{};
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = data[at + i];
    mediactl::RecordEntry entry;
    entry.state.inode = data[at];
    entry.state.size = std::uint64_t{data[at + 1]} << 40U;
    entry.media.id = data[at + 2];
    entry.media.digest = media::Digest::of(raw.subspan(at, 16));
    record[key] = entry;
  }
  auto bytes = mediactl::encode_record(record);
  if (mediactl::decode_record(bytes) != record) std::abort();
  if (size >= 3) {
    const std::size_t at = (std::size_t{data[0]} << 8U | data[1]) % bytes.size();
    const auto flip = static_cast<std::byte>(data[2] | 1);
    bytes[at] ^= flip;
    if (mediactl::decode_record(bytes)) std::abort();
    bytes[at] ^= flip;
    bytes.resize(at);
    if (mediactl::decode_record(bytes)) std::abort();
  }
  return 0;
}
