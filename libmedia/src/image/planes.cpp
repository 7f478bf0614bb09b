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

}  // namespace media::image
