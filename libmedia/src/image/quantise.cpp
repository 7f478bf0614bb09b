#include "image/quantise.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

namespace media::image {
namespace {

/// Colours are counted by the upper 5, 6 and 5 bits of red, green and blue.
constexpr std::size_t kBins = std::size_t{1} << 16U;
/// Nearest colours are remembered by the upper 6 bits of each.
constexpr std::size_t kRemembered = std::size_t{1} << 18U;
constexpr std::uint16_t kNotYet = 0xFFFF;

struct Bin {
  std::uint64_t count = 0;
  std::array<std::uint64_t, 3> sums{};
};

/// The average of the pixels that fell into a bin.
struct Sample {
  std::array<float, 3> colour{};
  float weight = 0;
};

std::size_t bin_of(const std::uint8_t* pixel) {
  return static_cast<std::size_t>(pixel[0] >> 3U) << 11U | static_cast<std::size_t>(pixel[1] >> 2U) << 5U | pixel[2] >> 3U;
}

std::vector<Sample> sample(const Image& image, std::span<const std::uint8_t> wanted) {
  std::vector<Bin> bins(kBins);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0) continue;
    const std::uint8_t* pixel = image.data.data() + i * 4;
    Bin& bin = bins[bin_of(pixel)];
    ++bin.count;
    for (std::size_t c = 0; c < 3; ++c) bin.sums[c] += pixel[c];
  }
  std::vector<Sample> out;
  for (const Bin& bin : bins) {
    if (bin.count == 0) continue;
    Sample made;
    made.weight = static_cast<float>(bin.count);
    for (std::size_t c = 0; c < 3; ++c) made.colour[c] = static_cast<float>(bin.sums[c]) / made.weight;
    out.push_back(made);
  }
  return out;
}

/// A stretch of the samples.
struct Box {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t axis = 0;  ///< The one that errs most.
  double error = 0;      ///< Squared, on that axis, all pixels together.
  std::array<double, 3> mean{};
};

Box measure(std::span<const Sample> samples, std::size_t begin, std::size_t end) {
  Box box{begin, end};
  double weight = 0;
  std::array<double, 3> sums{};
  std::array<double, 3> squares{};
  for (const Sample& each : samples.subspan(begin, end - begin)) {
    weight += each.weight;
    for (std::size_t c = 0; c < 3; ++c) {
      sums[c] += double{each.weight} * each.colour[c];
      squares[c] += double{each.weight} * each.colour[c] * each.colour[c];
    }
  }
  for (std::size_t c = 0; c < 3; ++c) {
    box.mean[c] = sums[c] / weight;
    const double error = end - begin < 2 ? 0 : squares[c] - sums[c] * box.mean[c];
    if (error > box.error) {
      box.error = error;
      box.axis = c;
    }
  }
  return box;
}

PaletteColour rounded(const std::array<double, 3>& colour) {
  PaletteColour out{};
  for (std::size_t c = 0; c < 3; ++c) out[c] = static_cast<std::uint8_t>(std::clamp(colour[c] + 0.5, 0.0, 255.0));
  return out;
}

std::vector<PaletteColour> split(std::vector<Sample>& samples, std::size_t most) {
  std::vector<Box> boxes{measure(samples, 0, samples.size())};
  while (boxes.size() < most) {
    const auto worst = std::max_element(boxes.begin(), boxes.end(), [](const Box& a, const Box& b) { return a.error < b.error; });
    if (worst->error <= 0) break;
    const Box box = *worst;
    const auto first = samples.begin() + static_cast<std::ptrdiff_t>(box.begin);
    const auto last = samples.begin() + static_cast<std::ptrdiff_t>(box.end);
    const auto middle = std::partition(first, last, [&](const Sample& each) { return each.colour[box.axis] <= box.mean[box.axis]; });
    // Rounding can put all of them on one side of their own average.
    if (middle == first || middle == last) {
      worst->error = 0;
      continue;
    }
    const auto at = static_cast<std::size_t>(middle - samples.begin());
    *worst = measure(samples, box.begin, at);
    boxes.push_back(measure(samples, at, box.end));
  }
  std::vector<PaletteColour> palette;
  for (const Box& box : boxes) palette.push_back(rounded(box.mean));
  return palette;
}

/// Finds the nearest colour of a palette that it keeps in order of green, in which it looks no further than the best so far.
class Nearest {
 public:
  explicit Nearest(std::vector<PaletteColour> palette) : palette_(std::move(palette)) {
    std::sort(palette_.begin(), palette_.end(), [](const PaletteColour& a, const PaletteColour& b) { return a[1] < b[1]; });
    palette_.erase(std::unique(palette_.begin(), palette_.end()), palette_.end());
  }

  [[nodiscard]] const std::vector<PaletteColour>& palette() const noexcept { return palette_; }

  [[nodiscard]] std::size_t find(int red, int green, int blue) const {
    const auto start = static_cast<std::size_t>(
        std::lower_bound(palette_.begin(), palette_.end(), green, [](const PaletteColour& a, int value) { return a[1] < value; }) -
        palette_.begin());
    std::size_t best = 0;
    int least = std::numeric_limits<int>::max();
    // False where this one and all beyond it are too far away.
    const auto look = [&](std::size_t i) {
      const int g = palette_[i][1] - green;
      if (g * g >= least) return false;
      const int r = palette_[i][0] - red;
      const int b = palette_[i][2] - blue;
      const int distance = r * r + g * g + b * b;
      if (distance < least) {
        least = distance;
        best = i;
      }
      return true;
    };
    for (std::size_t i = start; i < palette_.size() && look(i); ++i) {
    }
    for (std::size_t i = start; i > 0 && look(i - 1); --i) {
    }
    return best;
  }

 private:
  std::vector<PaletteColour> palette_;
};

/// Moves each colour into the middle of the samples that it stands for.
Nearest bettered(const Nearest& nearest, std::span<const Sample> samples) {
  struct Sum {
    double weight = 0;
    std::array<double, 3> colour{};
  };
  std::vector<Sum> sums(nearest.palette().size());
  for (const Sample& each : samples) {
    const auto whole = [&](std::size_t c) { return static_cast<int>(each.colour[c] + 0.5F); };
    Sum& sum = sums[nearest.find(whole(0), whole(1), whole(2))];
    sum.weight += each.weight;
    for (std::size_t c = 0; c < 3; ++c) sum.colour[c] += double{each.weight} * each.colour[c];
  }
  std::vector<PaletteColour> palette;
  for (const Sum& sum : sums) {
    if (sum.weight <= 0) continue;
    palette.push_back(rounded({sum.colour[0] / sum.weight, sum.colour[1] / sum.weight, sum.colour[2] / sum.weight}));
  }
  return Nearest(std::move(palette));
}

/// True, and `out` filled, where there are few enough colours for each to have its own.
bool keep_all(const Image& image, std::span<const std::uint8_t> wanted, std::size_t most, Indexed& out) {
  std::unordered_map<std::uint32_t, std::uint8_t> known;
  std::uint32_t last = 0xFFFFFFFF;  // No colour.
  std::uint8_t index = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0) continue;
    const std::uint8_t* pixel = image.data.data() + i * 4;
    const std::uint32_t colour = std::uint32_t{pixel[0]} << 16U | std::uint32_t{pixel[1]} << 8U | pixel[2];
    if (colour != last) {
      const auto found = known.find(colour);
      if (found == known.end()) {
        if (known.size() == most) return false;
        index = static_cast<std::uint8_t>(known.size());
        known.emplace(colour, index);
        out.palette.push_back({pixel[0], pixel[1], pixel[2]});
      } else {
        index = found->second;
      }
      last = colour;
    }
    out.indices[i] = index;
  }
  return true;
}

/// What is still owed to the pixels of this row and the next, in sixteenths; with a pixel beyond either edge.
class Owed {
 public:
  explicit Owed(std::uint32_t width) : now_((width + 2) * std::size_t{3}), next_(now_.size()) {}

  [[nodiscard]] int at(std::uint32_t x, std::size_t c) const { return now_[(x + std::size_t{1}) * 3 + c]; }
  void pass_on(std::uint32_t x, bool leftwards, std::size_t c, int error) {
    const std::size_t here = (x + std::size_t{1}) * 3 + c;
    const std::size_t ahead = leftwards ? here - 3 : here + 3;
    const std::size_t behind = leftwards ? here + 3 : here - 3;
    now_[ahead] += error * 7;
    next_[behind] += error * 3;
    next_[here] += error * 5;
    next_[ahead] += error;
  }
  void next_row() {
    now_.swap(next_);
    std::fill(next_.begin(), next_.end(), 0);
  }

 private:
  std::vector<int> now_;
  std::vector<int> next_;
};

void spread(const Image& image, std::span<const std::uint8_t> wanted, const Nearest& nearest, Indexed& out) {
  std::vector<std::uint16_t> remembered(kRemembered, kNotYet);
  const auto find = [&](const std::array<int, 3>& colour) {
    std::uint16_t& known = remembered[static_cast<std::size_t>((colour[0] >> 2) << 12 | (colour[1] >> 2) << 6 | colour[2] >> 2)];
    if (known == kNotYet) {
      const auto middle = [](int value) { return (value & ~3) + 2; };
      known = static_cast<std::uint16_t>(nearest.find(middle(colour[0]), middle(colour[1]), middle(colour[2])));
    }
    return known;
  };
  Owed owed(image.size.width);
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    const bool leftwards = y % 2 != 0;
    for (std::uint32_t i = 0; i < image.size.width; ++i) {
      const std::uint32_t x = leftwards ? image.size.width - 1 - i : i;
      const std::size_t at = std::size_t{y} * image.size.width + x;
      if (wanted[at] == 0) continue;
      const std::uint8_t* pixel = image.data.data() + at * 4;
      std::array<int, 3> colour{};
      for (std::size_t c = 0; c < 3; ++c) colour[c] = std::clamp(pixel[c] + owed.at(x, c) / 16, 0, 255);
      const std::uint16_t index = find(colour);
      out.indices[at] = static_cast<std::uint8_t>(index);
      for (std::size_t c = 0; c < 3; ++c) owed.pass_on(x, leftwards, c, (colour[c] - int{nearest.palette()[index][c]}) * 3 / 4);
    }
    owed.next_row();
  }
}

}  // namespace

Indexed quantise(const Image& image, std::span<const std::uint8_t> wanted, std::size_t most) {
  Indexed out;
  out.indices.resize(wanted.size());
  if (!keep_all(image, wanted, most, out)) {
    std::vector<Sample> samples = sample(image, wanted);
    const Nearest nearest = bettered(Nearest(split(samples, most)), samples);
    out.palette = nearest.palette();
    spread(image, wanted, nearest, out);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0) out.indices[i] = static_cast<std::uint8_t>(out.palette.size());
  }
  return out;
}

}  // namespace media::image
