#include "core/sha256_lanes.hpp"

#include <algorithm>
#include <cstring>

#include "core/sha256_blocks.hpp"

namespace media {
namespace {

constexpr std::size_t kBlock = 64;
// FIPS 180-4, section 5.3.3.
constexpr std::array<std::uint32_t, 8> kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

void put_big_endian(std::uint64_t value, std::size_t bytes, std::byte* into) {
  for (std::size_t i = bytes; i > 0; --i) {
    into[i - 1] = static_cast<std::byte>(value & 0xffU);
    value >>= 8U;
  }
}

}  // namespace

bool sha256_lanes_in_use() noexcept {
  static const bool kInUse = sha256_blocks_available();
  return kInUse;
}

Sha256Stream::Sha256Stream(bool portable) {
  if (portable) portable_.emplace();
  restart();
}

void Sha256Stream::restart() noexcept {
  state_ = kInitial;
  length_bytes_ = 0;
}

void Sha256Stream::fill_block(std::span<const std::byte>& bytes) {
  const std::size_t begun = length_bytes_ % kBlock;
  if (begun == 0 && bytes.size() >= kBlock) return;
  const std::size_t take = std::min(kBlock - begun, bytes.size());
  if (take == 0) return;
  std::memcpy(block_.data() + begun, bytes.data(), take);
  length_bytes_ += take;
  bytes = bytes.subspan(take);
  if (begun + take == kBlock) {
    Sha256Lane lane{state_.data(), block_.data()};
    sha256_blocks(std::span(&lane, 1), 1);
  }
}

void Sha256Stream::update(std::span<const std::byte> bytes) {
  Piece piece{this, bytes};
  update(std::span(&piece, 1));
}

void Sha256Stream::update(std::span<Piece> pieces) {
  std::array<Sha256Lane, kSha256Lanes> lanes;
  std::array<Piece*, kSha256Lanes> owners{};
  std::size_t busy = 0;
  std::size_t next = 0;
  while (true) {
    while (busy < kSha256Lanes && next < pieces.size()) {
      Piece& piece = pieces[next++];
      if (piece.stream->portable_) {
        piece.stream->portable_->update(piece.bytes);
        piece.bytes = {};
        continue;
      }
      piece.stream->fill_block(piece.bytes);
      if (piece.bytes.size() >= kBlock) {
        lanes.at(busy) = {piece.stream->state_.data(), piece.bytes.data()};
        owners.at(busy++) = &piece;
      } else {
        piece.stream->fill_block(piece.bytes);
      }
    }
    if (busy == 0) return;
    // All lanes go as far as the shortest; then another piece takes its place.
    std::size_t blocks = SIZE_MAX;
    for (std::size_t i = 0; i < busy; ++i) blocks = std::min(blocks, owners.at(i)->bytes.size() / kBlock);
    sha256_blocks(std::span(lanes.data(), busy), blocks);
    for (std::size_t i = 0; i < busy;) {
      Piece& piece = *owners.at(i);
      piece.stream->length_bytes_ += blocks * kBlock;
      piece.bytes = piece.bytes.subspan(blocks * kBlock);
      if (piece.bytes.size() >= kBlock) {
        ++i;
        continue;
      }
      piece.stream->fill_block(piece.bytes);
      --busy;
      lanes.at(i) = lanes.at(busy);
      owners.at(i) = owners.at(busy);
    }
  }
}

Digest Sha256Stream::finish() {
  if (portable_) return portable_->finish();
  // FIPS 180-4, section 5.1.1: a one bit, zeros, and the length in bits in the last eight bytes of a block.
  std::array<std::byte, 2 * kBlock> padding{};
  padding[0] = std::byte{0x80};
  const std::uint64_t length_bits = length_bytes_ * 8;
  const std::size_t begun = length_bytes_ % kBlock;
  const std::size_t fill = (begun < kBlock - 8 ? kBlock : 2 * kBlock) - begun;
  put_big_endian(length_bits, 8, padding.data() + fill - 8);
  update(std::span<const std::byte>(padding).first(fill));
  std::array<std::uint8_t, Digest::kSize> out{};
  for (std::size_t i = 0; i < state_.size(); ++i) put_big_endian(state_.at(i), 4, reinterpret_cast<std::byte*>(out.data()) + 4 * i);
  restart();
  return Digest(out);
}

void hash_together(std::span<const std::span<const std::byte>> contents, std::span<Digest> digests) {
  // A group is worth its turn: enough contents that the lanes seldom run dry, few enough to stay in the cache.
  constexpr std::size_t kGroup = 16;
  static thread_local std::array<Sha256Stream, kGroup> streams;
  for (std::size_t at = 0; at < contents.size(); at += kGroup) {
    const std::size_t count = std::min(kGroup, contents.size() - at);
    std::array<Sha256Stream::Piece, kGroup> pieces;
    for (std::size_t i = 0; i < count; ++i) pieces.at(i) = {&streams.at(i), contents[at + i]};
    Sha256Stream::update(std::span(pieces.data(), count));
    for (std::size_t i = 0; i < count; ++i) digests[at + i] = streams.at(i).finish();
  }
}

}  // namespace media
