#include "image/planes.hpp"

#include <algorithm>
#include <utility>

#include "image/orient.hpp"

namespace media::image {

Planes orient(Planes planes, std::uint8_t orientation) {
  if (orientation < 2 || orientation > 8) return planes;
  for (std::size_t plane = 0; plane < planes.data.size(); ++plane) {
    Image grey;
    grey.size = planes.plane_size(plane);
    grey.layout = Layout::grey;
    grey.data = std::move(planes.data[plane]);
    planes.data[plane] = orient(grey, orientation).data;
  }
  planes.size = upright(planes.size, orientation);
  return planes;
}

Image to_rgb(const Planes& planes) {
  // ITU-T T.871, 7, in 16 bits of fraction.
  constexpr std::int32_t kRedOfCr = 91881;
  constexpr std::int32_t kGreenOfCb = 22554;
  constexpr std::int32_t kGreenOfCr = 46802;
  constexpr std::int32_t kBlueOfCb = 116130;
  constexpr std::int32_t kHalf = 1 << 15;
  Image out(planes.size, Layout::rgb);
  const std::uint8_t* y = planes.data[0].data();
  const std::uint8_t* cb = planes.data[1].data();
  const std::uint8_t* cr = planes.data[2].data();
  std::uint8_t* to = out.data.data();
  const auto code = [](std::int32_t value) { return static_cast<std::uint8_t>(std::clamp(value >> 16, 0, 255)); };
  for (std::uint64_t i = 0; i < planes.size.pixels(); ++i, to += 3) {
    const std::int32_t light = y[i] * 65536 + kHalf;
    const std::int32_t blue = cb[i] - 128;
    const std::int32_t red = cr[i] - 128;
    to[0] = code(light + kRedOfCr * red);
    to[1] = code(light - kGreenOfCb * blue - kGreenOfCr * red);
    to[2] = code(light + kBlueOfCb * blue);
  }
  return out;
}

Planes halve_chroma(Planes planes) {
  if (planes.chroma == Chroma::half) return planes;
  const Size full = planes.size;
  const Size half = chroma_size(full, Chroma::half);
  for (std::size_t plane = 1; plane < planes.data.size(); ++plane) {
    std::vector<std::uint8_t> out(half.pixels());
    std::uint8_t* to = out.data();
    for (std::uint32_t y = 0; y < half.height; ++y) {
      const std::uint8_t* above = planes.row(plane, 2 * y);
      const std::uint8_t* below = planes.row(plane, std::min(2 * y + 1, full.height - 1));
      for (std::uint32_t x = 0; x < half.width; ++x) {
        const std::uint32_t left = 2 * x;
        const std::uint32_t right = std::min(left + 1, full.width - 1);
        *to++ = static_cast<std::uint8_t>((above[left] + above[right] + below[left] + below[right] + 2) / 4);
      }
    }
    planes.data[plane] = std::move(out);
  }
  planes.chroma = Chroma::half;
  return planes;
}

DeepPlanes to_planes(const DeepImage& image, unsigned bits) {
  // ITU-R BT.601, in 20 bits of fraction; green has what the others leave.
  constexpr std::int64_t kRed = 313'524;
  constexpr std::int64_t kBlue = 119'538;
  constexpr std::int64_t kGreen = (1 << 20) - kRed - kBlue;
  constexpr std::int64_t kOne = std::int64_t{65535} << 20U;
  const std::int64_t most = (1 << bits) - 1;
  const std::int64_t middle = std::int64_t{1} << (bits - 1);
  const Size half = chroma_size(image.size, Chroma::half);
  const std::size_t step = channels(image.layout);
  DeepPlanes out{image.size, bits, {}};
  out.data[0].resize(image.size.pixels());
  out.data[1].resize(half.pixels());
  out.data[2].resize(half.pixels());
  if (image.layout == Layout::rgba) out.data[3].resize(image.size.pixels());
  const auto luma = [](const std::uint16_t* pixel) { return kRed * pixel[0] + kGreen * pixel[1] + kBlue * pixel[2]; };
  // Differences of four pixels, in thousandths of what they come to at most: 1.772 for blue, 1.402 for red.
  const auto chroma = [&](std::int64_t sum, std::int64_t thousandths) {
    const std::int64_t all = 4 * kOne * thousandths;
    return static_cast<std::uint16_t>(std::clamp<std::int64_t>((sum * 1000 * most + middle * all + all / 2) / all, 0, most));
  };
  std::uint16_t* blue = out.data[1].data();
  std::uint16_t* red = out.data[2].data();
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    const std::uint16_t* in = image.row(y).data();
    std::uint16_t* light = out.data[0].data() + std::size_t{y} * image.size.width;
    for (std::uint32_t x = 0; x < image.size.width; ++x, in += step) {
      light[x] = static_cast<std::uint16_t>((luma(in) * most + kOne / 2) / kOne);
      if (step == 4) out.data[3][std::size_t{y} * image.size.width + x] = static_cast<std::uint16_t>((in[3] * most + 32767) / 65535);
    }
    if (y % 2 != 0) continue;
    const std::array<const std::uint16_t*, 2> rows{image.row(y).data(), image.row(std::min(y + 1, image.size.height - 1)).data()};
    for (std::uint32_t x = 0; x < half.width; ++x) {
      std::int64_t blues = 0;
      std::int64_t reds = 0;
      for (const std::uint16_t* row : rows) {
        for (const std::uint32_t column : {2 * x, std::min(2 * x + 1, image.size.width - 1)}) {
          const std::uint16_t* pixel = row + column * step;
          blues += (std::int64_t{pixel[2]} << 20U) - luma(pixel);
          reds += (std::int64_t{pixel[0]} << 20U) - luma(pixel);
        }
      }
      *blue++ = chroma(blues, 1772);
      *red++ = chroma(reds, 1402);
    }
  }
  return out;
}

}  // namespace media::image
