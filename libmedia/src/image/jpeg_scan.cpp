#include "image/jpeg_scan.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace media::image {
namespace {

/// Codes up to this length are found by one look. Longer ones are rare in pictures: they are looked for length by length.
constexpr std::uint32_t kLookBits = 10;
/// The width of the look by which several coefficients are passed over at a time.
constexpr std::uint32_t kSkipBits = 12;
constexpr std::uint32_t kCoefficients = 64;
/// Greatest magnitude categories of baseline pictures of 8 bits (T.81, F.1.2.1.1 and F.1.2.2.1).
constexpr std::uint32_t kMaxDcCategory = 11;
constexpr std::uint32_t kMaxAcCategory = 10;
/// More than an MCU can take: ten blocks of 64 coefficients of at most 26 bits each are 2,080 bytes. As long as so much lies
/// ahead (zeros behind the end included) no look at a coefficient has to ask.
constexpr std::size_t kMcuBytes = 4096;
constexpr std::size_t kBufferBytes = std::size_t{256} << 10U;

/// In an entry of the table of skips: its last symbol ends the block.
constexpr std::uint32_t kEnds = 16;
static_assert(kSkipBits < 16, "the number of bits is kept in four");
constexpr std::uint8_t kFirstRestart = 0xD0;
constexpr std::uint8_t kEndOfImage = 0xD9;

/// Where zigzag position k lies in the square of kSide x kSide lowest frequencies; kSide x kSide where it does not.
template <std::uint32_t kSide>
constexpr std::array<std::uint8_t, 96> make_places() {
  std::array<std::uint8_t, 96> places{};
  places.fill(kSide * kSide);
  std::uint32_t k = 0;
  for (std::uint32_t diagonal = 0; diagonal < 15; ++diagonal) {
    for (std::uint32_t step = 0; step <= diagonal; ++step) {
      // Odd diagonals run down to the left, even ones up to the right.
      const std::uint32_t y = diagonal % 2 != 0 ? step : diagonal - step;
      const std::uint32_t x = diagonal - y;
      if (x > 7 || y > 7) continue;
      if (x < kSide && y < kSide) places[k] = static_cast<std::uint8_t>(y * kSide + x);
      ++k;
    }
  }
  return places;
}

template <std::uint32_t kSide>
constexpr auto kPlaces = make_places<kSide>();

/// The last zigzag position within the square.
template <std::uint32_t kSide>
constexpr std::uint32_t last_wanted() {
  std::uint32_t last = 0;
  for (std::uint32_t k = 0; k < kCoefficients; ++k) {
    if (kPlaces<kSide>[k] < kSide * kSide) last = k;
  }
  return last;
}
static_assert(last_wanted<1>() == 0 && last_wanted<2>() == 4 && last_wanted<4>() == 24);

/// The number that `category` bits stand for (T.81, F.2.2.1, EXTEND).
std::int32_t extend(std::uint32_t bits, std::uint32_t category) {
  if (category == 0) return 0;
  const auto value = static_cast<std::int32_t>(bits);
  return bits >> (category - 1) != 0 ? value : value - (1 << category) + 1;
}

struct Code {
  std::uint8_t length = 0;  ///< 0: there is no such code.
  std::uint8_t symbol = 0;
};

}  // namespace

/// One Huffman table, made ready for looking up.
struct JpegScan::Tables {
  std::array<Code, 1U << kLookBits> codes{};
  /// For codes longer than kLookBits: behind the last code of each length, as 16 bits from the left; and what to add to a code of that
  /// length to get its symbol's index.
  std::array<std::uint32_t, 17> behind{};
  std::array<std::int32_t, 17> offset{};
  std::array<std::uint8_t, 256> symbols{};

  /// False where the lengths make no prefix code, or one with a code of ones alone, which T.81 (C.2) forbids; and where a symbol is
  /// beyond `greatest`.
  bool build(const HuffmanTable& table, std::uint32_t greatest) {
    symbols = table.symbols;
    std::uint32_t code = 0;
    std::uint32_t index = 0;
    for (std::uint32_t length = 1; length <= 16; ++length) {
      const std::uint32_t count = table.counts[length];
      if (index + count > symbols.size() || (count > 0 && code + count >= (1U << length))) return false;
      if (std::any_of(symbols.begin() + index, symbols.begin() + index + count, [&](std::uint8_t symbol) { return symbol > greatest; }))
        return false;
      offset[length] = static_cast<std::int32_t>(index) - static_cast<std::int32_t>(code);
      if (length <= kLookBits) {
        for (std::uint32_t i = 0; i < count; ++i) {
          const std::uint32_t first = (code + i) << (kLookBits - length);
          std::fill_n(codes.begin() + first, 1U << (kLookBits - length), Code{static_cast<std::uint8_t>(length), symbols[index + i]});
        }
      }
      code += count;
      index += count;
      behind[length] = code << (16 - length);
      code <<= 1U;
    }
    return true;
  }

  /// `ahead` are the next 16 bits.
  [[nodiscard]] Code find(std::uint32_t ahead) const {
    const Code& code = codes[ahead >> (16 - kLookBits)];
    return code.length != 0 ? code : find_long(ahead);
  }

  [[nodiscard]] Code find_long(std::uint32_t ahead) const {
    for (std::uint32_t length = kLookBits + 1; length <= 16; ++length) {
      if (ahead >= behind[length]) continue;
      const std::int32_t index = static_cast<std::int32_t>(ahead >> (16 - length)) + offset[length];
      if (index < 0 || index >= static_cast<std::int32_t>(symbols.size())) return {};
      return {static_cast<std::uint8_t>(length), symbols[static_cast<std::size_t>(index)]};
    }
    return {};
  }
};

struct JpegScan::Component {
  /// A whole coefficient within one look, from the lowest bit: how many bits it takes (8), how many positions it goes on (8, 0 at the end
  /// of the block), its value (16). 0: its code is longer, or none.
  using Fast = std::uint32_t;
  /// Several coefficients within one look that are passed over: how many bits they take (4), whether the last of them ends the block (1),
  /// how many positions they go on. 0: not even one fits.
  using Skip = std::uint16_t;

  std::uint32_t across = 1;
  std::uint32_t down = 1;
  std::int32_t predictor = 0;
  Tables dc;
  Tables ac;
  std::array<Fast, 1U << kLookBits> fast{};
  std::array<Skip, 1U << kSkipBits> skip{};

  bool build(const JpegScanLayout::Component& layout) {
    across = layout.across;
    down = layout.down;
    // Libjpeg refuses the file for such a symbol of a DC table even where it is never used.
    if (!dc.build(layout.dc, 15) || !ac.build(layout.ac, 255)) return false;
    build_fast();
    build_skip();
    return true;
  }

 private:
  void build_fast() {
    for (std::uint32_t look = 0; look < fast.size(); ++look) {
      const Code code = ac.codes[look];
      const std::uint32_t category = code.symbol & 15U;
      const std::uint32_t run = code.symbol >> 4U;
      if (code.length == 0 || category > kMaxAcCategory || code.length + category > kLookBits) continue;
      if (category == 0 && run != 0 && run != 15) continue;
      const std::uint32_t bits = (look >> (kLookBits - code.length - category)) & ((1U << category) - 1);
      const std::uint32_t advance = category == 0 && run == 0 ? 0 : run + 1;
      fast[look] = (code.length + category) | advance << 8U | static_cast<std::uint32_t>(extend(bits, category)) << 16U;
    }
  }

  void build_skip() {
    for (std::uint32_t look = 0; look < skip.size(); ++look) {
      std::uint32_t bits = 0;
      std::uint32_t advance = 0;
      bool ends = false;
      // As many symbols as surely lie within the look. Bits behind it count as zeros, which is why a code is taken only where all
      // of it is there.
      while (bits < kSkipBits && !ends) {
        const Code code = ac.find((look << (16 - kSkipBits) << bits) & 0xFFFFU);
        const std::uint32_t category = code.symbol & 15U;
        const std::uint32_t run = code.symbol >> 4U;
        if (code.length == 0 || category > kMaxAcCategory || bits + code.length + category > kSkipBits) break;
        if (category == 0 && run != 0 && run != 15) break;
        bits += code.length + category;
        ends = category == 0 && run == 0;
        if (!ends) advance += run + 1;
      }
      skip[look] = static_cast<Skip>(bits | (ends ? kEnds : 0U) | advance << 5U);
    }
  }
};

std::unique_ptr<JpegScan> JpegScan::open(const JpegScanLayout& layout, std::uint32_t side, const ByteReader& reader, std::uint64_t offset) {
  auto scan = std::unique_ptr<JpegScan>(new JpegScan(layout, side, reader, offset));
  for (std::size_t i = 0; i < layout.components.size(); ++i) {
    if (!(*scan->components_)[i].build(layout.components[i])) return nullptr;
  }
  return scan;
}

JpegScan::JpegScan(const JpegScanLayout& layout, std::uint32_t side, const ByteReader& reader, std::uint64_t offset)
    : side_(side),
      columns_(layout.columns),
      rows_left_(layout.rows),
      restart_interval_(layout.restart_interval),
      until_restart_(layout.restart_interval),
      components_(std::make_unique<std::array<Component, 3>>()),
      input_(reader),
      clean_(kBufferBytes + kMcuBytes) {
  input_.skip(offset);
  next_ = limit_ = clean_.data();
}

JpegScan::~JpegScan() = default;

std::int64_t JpegScan::bits_left() const { return (limit_ - next_) * 8 + static_cast<std::int64_t>(loaded_); }

void JpegScan::refill() {
  // Behind the limit `next_` may stand only where the segment has ended, and then nothing is refilled.
  std::size_t have = static_cast<std::size_t>(limit_ - next_);
  std::memmove(clean_.data(), next_, have);
  while (!segment_ended_ && have < kBufferBytes) {
    if (raw_.empty()) {
      raw_ = input_.next();
      if (raw_.empty()) {
        segment_ended_ = true;
        break;
      }
    }
    if (marker_half_seen_) {
      marker_half_seen_ = false;
      const auto second = static_cast<std::uint8_t>(raw_.front());
      raw_ = raw_.subspan(1);
      if (second == 0) {
        clean_[have++] = 0xFF;
      } else {
        segment_ended_ = true;
        marker_ = second;
      }
      continue;
    }
    const std::size_t room = std::min(raw_.size(), kBufferBytes - have);
    const void* found = std::memchr(raw_.data(), 0xFF, room);
    const std::size_t plain = found == nullptr ? room : static_cast<std::size_t>(static_cast<const std::byte*>(found) - raw_.data());
    std::memcpy(clean_.data() + have, raw_.data(), plain);
    have += plain;
    raw_ = raw_.subspan(plain + (found == nullptr ? 0 : 1));
    marker_half_seen_ = found != nullptr;
  }
  std::memset(clean_.data() + have, 0, kMcuBytes);
  next_ = clean_.data();
  limit_ = clean_.data() + have;
}

bool JpegScan::restart() {
  if (!segment_ended_) refill();
  // What is left of the last byte is padding; a whole byte more is not plainly right.
  if (!segment_ended_ || bits_left() < 0 || bits_left() >= 8) return false;
  if (marker_ != kFirstRestart + next_restart_) return false;
  next_restart_ = static_cast<std::uint8_t>((next_restart_ + 1) % 8);
  segment_ended_ = false;
  marker_ = 0;
  bits_ = 0;
  loaded_ = 0;
  next_ = limit_ = clean_.data();
  for (Component& component : *components_) component.predictor = 0;
  until_restart_ = restart_interval_;
  return true;
}

template <std::uint32_t kSide>
bool JpegScan::read_block(Component& component, std::int16_t* block) {
  constexpr std::uint32_t kLast = last_wanted<kSide>();
  std::uint64_t bits = bits_;
  std::uint32_t loaded = loaded_;
  const std::uint8_t* next = next_;
  const auto load = [&] {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, next, sizeof bytes);
    if constexpr (std::endian::native == std::endian::little) bytes = __builtin_bswap64(bytes);
    bits |= bytes >> loaded;
    next += (63 - loaded) >> 3U;
    loaded |= 56U;
  };
  const auto ahead = [&](std::uint32_t count) { return static_cast<std::uint32_t>(bits >> (64 - count)); };
  const auto consume = [&](std::uint32_t count) {
    bits <<= count;
    loaded -= count;
  };
  const auto done = [&] {
    bits_ = bits;
    loaded_ = loaded;
    next_ = next;
    return true;
  };

  std::array<std::int16_t, kSide * kSide + 1> values{};  // The last one takes what is not wanted.
  load();
  const Code dc = component.dc.find(ahead(16));
  if (dc.length == 0 || dc.symbol > kMaxDcCategory) return false;
  consume(dc.length);
  if (dc.symbol != 0) {
    component.predictor += extend(ahead(dc.symbol), dc.symbol);
    consume(dc.symbol);
    if (component.predictor < INT16_MIN || component.predictor > INT16_MAX) return false;
  }
  values[0] = static_cast<std::int16_t>(component.predictor);

  std::uint32_t k = 1;
  bool ended = false;
  while (k <= kLast) {
    if (loaded < 32) load();
    const std::uint32_t fast = component.fast[ahead(kLookBits)];
    if (fast != 0) {
      consume(fast & 0xFFU);
      const std::uint32_t advance = fast >> 8U & 0xFFU;
      if (advance == 0) {
        ended = true;
        break;
      }
      k += advance;
      values[kPlaces<kSide>[k - 1]] = static_cast<std::int16_t>(fast >> 16U);
      continue;
    }
    const Code code = component.ac.find(ahead(16));
    const std::uint32_t category = code.symbol & 15U;
    const std::uint32_t run = code.symbol >> 4U;
    if (code.length == 0 || category > kMaxAcCategory || (category == 0 && run != 0 && run != 15)) return false;
    consume(code.length);
    if (category == 0 && run == 0) {
      ended = true;
      break;
    }
    k += run + 1;
    if (category == 0) continue;
    values[kPlaces<kSide>[k - 1]] = static_cast<std::int16_t>(extend(ahead(category), category));
    consume(category);
  }
  std::memcpy(block, values.data(), sizeof(std::int16_t) * kSide * kSide);
  if (ended) return done();

  while (k < kCoefficients) {
    if (loaded < 32) load();
    const std::uint32_t skip = component.skip[ahead(kSkipBits)];
    if (skip != 0 && k + (skip >> 5U) < kCoefficients) {
      consume(skip & 15U);
      k += skip >> 5U;
      if ((skip & kEnds) != 0) return done();
      continue;
    }
    const Code code = component.ac.find(ahead(16));
    const std::uint32_t category = code.symbol & 15U;
    const std::uint32_t run = code.symbol >> 4U;
    if (code.length == 0 || category > kMaxAcCategory || (category == 0 && run != 0 && run != 15)) return false;
    consume(code.length + category);
    if (category == 0 && run == 0) return done();
    k += run + 1;
  }
  if (k != kCoefficients) return false;
  return done();
}

template <std::uint32_t kSide>
bool JpegScan::read_mcus(JpegCoefficients& row) {
  constexpr std::size_t kBlock = std::size_t{kSide} * kSide;
  for (std::size_t c = 0; c < row.size(); ++c) {
    const Component& component = (*components_)[c];
    row[c].resize(std::size_t{columns_} * component.across * component.down * kBlock);
  }
  for (std::uint32_t column = 0; column < columns_; ++column) {
    if (restart_interval_ != 0) {
      if (until_restart_ == 0 && !restart()) return false;
      --until_restart_;
    }
    if (!segment_ended_ && limit_ - next_ < static_cast<std::ptrdiff_t>(kMcuBytes)) refill();
    for (std::size_t c = 0; c < row.size(); ++c) {
      Component& component = (*components_)[c];
      for (std::uint32_t y = 0; y < component.down; ++y) {
        std::int16_t* block = row[c].data() + (std::size_t{y} * columns_ + column) * component.across * kBlock;
        for (std::uint32_t x = 0; x < component.across; ++x, block += kBlock) {
          if (!read_block<kSide>(component, block)) return false;
        }
      }
    }
    if (segment_ended_ && bits_left() < 0) return false;
  }
  return true;
}

bool JpegScan::read_row(JpegCoefficients& row) {
  bool read = false;
  switch (side_) {
    case 1:
      read = read_mcus<1>(row);
      break;
    case 2:
      read = read_mcus<2>(row);
      break;
    default:
      read = read_mcus<4>(row);
      break;
  }
  if (--rows_left_ > 0 || !read) return read;
  // Libjpeg reads on to the end of the image, and may find there what it refuses.
  if (!segment_ended_) refill();
  return segment_ended_ && marker_ == kEndOfImage && bits_left() >= 0 && bits_left() < 8;
}

}  // namespace media::image
