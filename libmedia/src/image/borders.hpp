/// Finding the plain border of a picture.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "image/plan.hpp"

namespace media::image {

/// Takes the rows of a picture from top to bottom, and tells then how much of each edge is plain. Two numbers a sample of
/// one row, and eight a row, are all that is kept.
///
/// An edge is as wide as its whole rows (columns) are of one colour within a threshold. What is measured is the spread of
/// each channel over all of the edge, not a distance to one corner: so a picture that is stored lying on its side loses the
/// same edges. Pixels count by their alpha: what nobody sees has one colour.
///
/// Thread-safety: none; it holds the state of one picture.
class Borders {
 public:
  Borders(Size size, Layout layout);
  void push_row(std::span<const std::uint8_t> row);
  /// After the last row. Everything, where the picture is plain as a whole; and both edges stay where they would meet.
  [[nodiscard]] Box inner(std::uint8_t threshold) const;

 private:
  struct Range {
    std::array<std::uint8_t, 4> low{255, 255, 255, 255};
    std::array<std::uint8_t, 4> high{};
    void add(const Range& other);
    [[nodiscard]] bool within(std::uint8_t threshold) const;
  };
  [[nodiscard]] Range column(std::uint32_t x) const;
  /// How many of `count` lines, taken in the order of `line`, are alike.
  template <class Line>
  static std::uint32_t plain(std::uint32_t count, std::uint8_t threshold, const Line& line);

  Size size_;
  Layout layout_;
  std::uint32_t parts_;
  std::vector<std::uint8_t> weighted_;
  std::vector<std::uint8_t> low_;  ///< Of each sample of a row, over all rows.
  std::vector<std::uint8_t> high_;
  std::vector<Range> rows_;
};

}  // namespace media::image
