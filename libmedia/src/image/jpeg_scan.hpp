/// Entropy decoding of the usual JPEG: all three components in one baseline scan, Huffman coded, 8 bits (ITU-T T.81, F.2).
///
/// libjpeg decodes every coefficient of a block, whatever the scale. This decoder reads the first few, which a reduced picture is
/// made of, and passes over the others several at a time: for a thumbnail that is most of the work. It gives libjpeg's answers or
/// none: at whatever is not plainly right it stops, and the caller goes on with libjpeg, which knows what to forgive.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "image/input.hpp"
#include "media/io.hpp"

namespace media::image {

/// A Huffman table as a DHT segment has it.
struct HuffmanTable {
  std::array<std::uint8_t, 17> counts{};    ///< Codes of each length; [0] is not used.
  std::array<std::uint8_t, 256> symbols{};  ///< In the order of their codes.
};

/// What a scan's headers say of it.
struct JpegScanLayout {
  struct Component {
    std::uint32_t across = 1;  ///< Blocks of an MCU, 1 or 2.
    std::uint32_t down = 1;    ///< The same from top to bottom.
    HuffmanTable dc;
    HuffmanTable ac;
  };
  std::array<Component, 3> components;
  std::uint32_t columns = 0;           ///< MCUs from left to right.
  std::uint32_t rows = 0;              ///< MCUs from top to bottom.
  std::uint32_t restart_interval = 0;  ///< In MCUs; 0: no restarts.
};

/// The coefficients of one row of MCUs. Component c has `down` rows of `columns` x `across` blocks, each of side x side values in natural
/// order (the lowest frequencies of the block, row by row), not yet multiplied by the quantisation table.
using JpegCoefficients = std::array<std::vector<std::int16_t>, 3>;

/// Thread-safety: none; it has a position in the file.
class JpegScan {
 public:
  /// `side` is 1, 2 or 4: the side of the square of lowest frequencies that is read of each block. `offset` is where the entropy coded
  /// data begins. Null where a table is not one that baseline pictures have.
  static std::unique_ptr<JpegScan> open(const JpegScanLayout& layout, std::uint32_t side, const ByteReader& reader, std::uint64_t offset);

  ~JpegScan();
  JpegScan(const JpegScan&) = delete;
  JpegScan& operator=(const JpegScan&) = delete;

  /// The next row of MCUs, `rows` times; resizes `row` as needed. False where the data is not plainly right, the end of the image behind
  /// the last row included: `row` is then of no use, nor is the scan.
  bool read_row(JpegCoefficients& row);

 private:
  struct Tables;
  struct Component;

  JpegScan(const JpegScanLayout& layout, std::uint32_t side, const ByteReader& reader, std::uint64_t offset);

  template <std::uint32_t kSide>
  bool read_mcus(JpegCoefficients& row);
  template <std::uint32_t kSide>
  bool read_block(Component& component, std::int16_t* block);
  bool restart();
  void refill();
  [[nodiscard]] std::int64_t bits_left() const;

  std::uint32_t side_;
  std::uint32_t columns_;
  std::uint32_t rows_left_;
  std::uint32_t restart_interval_;
  std::uint32_t until_restart_ = 0;
  std::uint8_t next_restart_ = 0;
  std::unique_ptr<std::array<Component, 3>> components_;

  Input input_;
  std::span<const std::byte> raw_;  ///< What of the input's last piece has not been unstuffed.
  bool marker_half_seen_ = false;   ///< The last piece ended with 0xFF.
  bool segment_ended_ = false;      ///< At a marker or the end of the file: `clean_` has all there is before it.
  std::uint8_t marker_ = 0;         ///< That marker; 0 at the end of the file.

  std::vector<std::uint8_t> clean_;      ///< Unstuffed bytes, and zeros behind them.
  const std::uint8_t* next_ = nullptr;   ///< The next byte of `clean_` to load.
  const std::uint8_t* limit_ = nullptr;  ///< Behind the last unstuffed byte.
  std::uint64_t bits_ = 0;               ///< Loaded and not consumed, from the highest bit down.
  std::uint32_t loaded_ = 0;             ///< How many of `bits_` count.
};

}  // namespace media::image
