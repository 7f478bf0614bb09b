#include "image/borders.hpp"

#include <algorithm>

namespace media::image {
namespace {

/// A multiple of one, three and four channels, so that a lane always sees the same one.
constexpr std::size_t kLanes = 48;

/// Inlined where `count` is a constant, this is a few vector instructions.
inline void widen(const std::uint8_t* __restrict in, std::uint8_t* __restrict low, std::uint8_t* __restrict high, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    low[i] = in[i] < low[i] ? in[i] : low[i];
    high[i] = in[i] > high[i] ? in[i] : high[i];
  }
}

}  // namespace

void Borders::Range::add(const Range& other) {
  for (std::size_t c = 0; c < low.size(); ++c) {
    low[c] = std::min(low[c], other.low[c]);
    high[c] = std::max(high[c], other.high[c]);
  }
}

bool Borders::Range::within(std::uint8_t threshold) const {
  for (std::size_t c = 0; c < low.size(); ++c) {
    if (high[c] > low[c] && high[c] - low[c] > threshold) return false;
  }
  return true;
}

Borders::Borders(Size size, Layout layout)
    : size_(size),
      layout_(layout),
      parts_(channels(layout)),
      weighted_(layout == Layout::rgba ? std::size_t{size.width} * parts_ : 0),
      low_(std::size_t{size.width} * parts_, 255),
      high_(std::size_t{size.width} * parts_, 0) {
  rows_.reserve(size.height);
}

void Borders::push_row(std::span<const std::uint8_t> row) {
  if (layout_ == Layout::rgba) {
    for (std::size_t i = 0; i < row.size(); i += 4) {
      const unsigned alpha = row[i + 3];
      for (std::size_t c = 0; c < 3; ++c) weighted_[i + c] = static_cast<std::uint8_t>((row[i + c] * alpha + 127) / 255);
      weighted_[i + 3] = row[i + 3];
    }
    row = weighted_;
  }
  const std::uint8_t* in = row.data();
  const std::size_t samples = row.size();
  std::array<std::uint8_t, kLanes> low{};
  std::array<std::uint8_t, kLanes> high{};
  low.fill(255);
  std::size_t i = 0;
  for (; i + kLanes <= samples; i += kLanes) {
    widen(in + i, low_.data() + i, high_.data() + i, kLanes);
    widen(in + i, low.data(), high.data(), kLanes);
  }
  widen(in + i, low_.data() + i, high_.data() + i, samples - i);
  widen(in + i, low.data(), high.data(), samples - i);
  Range range;
  for (std::size_t lane = 0; lane < std::min(kLanes, samples); ++lane) {
    const std::size_t c = lane % parts_;
    range.low[c] = std::min(range.low[c], low[lane]);
    range.high[c] = std::max(range.high[c], high[lane]);
  }
  rows_.push_back(range);
}

Borders::Range Borders::column(std::uint32_t x) const {
  Range range;
  for (std::size_t c = 0; c < parts_; ++c) {
    range.low[c] = low_[std::size_t{x} * parts_ + c];
    range.high[c] = high_[std::size_t{x} * parts_ + c];
  }
  return range;
}

template <class Line>
std::uint32_t Borders::plain(std::uint32_t count, std::uint8_t threshold, const Line& line) {
  Range all;
  for (std::uint32_t i = 0; i < count; ++i) {
    all.add(line(i));
    if (!all.within(threshold)) return i;
  }
  return count;
}

Box Borders::inner(std::uint8_t threshold) const {
  const auto kept = [&](std::uint32_t count, const auto& line) -> std::pair<std::uint32_t, std::uint32_t> {
    const std::uint32_t before = plain(count, threshold, line);
    const std::uint32_t after = plain(count, threshold, [&](std::uint32_t i) { return line(count - 1 - i); });
    if (std::uint64_t{before} + after >= count) return {0, count};
    return {before, count - before - after};
  };
  const auto [top, height] = kept(size_.height, [&](std::uint32_t y) { return rows_[y]; });
  const auto [left, width] = kept(size_.width, [&](std::uint32_t x) { return column(x); });
  return {left, top, {width, height}};
}

}  // namespace media::image
