// Videos that tests make with the ffmpeg command.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace test {

/// The bytes of what `ffmpeg <arguments> <name>` writes; the name's extension says which container.
inline std::vector<std::byte> film(const std::string& name, const std::vector<std::string>& arguments) {
  const TempFolder folder;
  std::vector<std::string> command{"ffmpeg", "-v", "error", "-nostdin"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back((folder / name).string());
  const auto made = run(command);
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  return read_file(folder / name);
}

/// What a filter says of the frames of a film with a high dynamic range. ffmpeg's options say it to the encoder, which up to release 6
/// takes their word and from 7 on the frames'.
inline std::string colours_of(const std::string& transfer) {
  return "setparams=range=tv:color_primaries=bt2020:colorspace=bt2020nc:color_trc=" + transfer;
}

/// An MP4 whose first track is to be shown turned clockwise by 90, 180 or 270 degrees: by its matrix, which each release of ffmpeg has
/// another option for.
inline std::vector<std::byte> turned(std::vector<std::byte> mp4, int degrees) {
  constexpr std::string_view kType = "tkhd";
  constexpr std::size_t kMatrix = 44;  // behind the type, in a header of version 0
  const auto matches = [](std::byte byte, char letter) { return static_cast<char>(byte) == letter; };
  const auto head = std::search(mp4.begin(), mp4.end(), kType.begin(), kType.end(), matches);
  REQUIRE(mp4.end() - head > static_cast<std::ptrdiff_t>(kMatrix + 36));
  REQUIRE(head[4] == std::byte{0});
  // 1 and -1 as 16.16 fixed point: x' = a x + c y, y' = b x + d y.
  const int cosine = degrees == 180 ? -1 : 0;
  const int sine = degrees == 90 ? 1 : degrees == 270 ? -1 : 0;
  const std::array<int, 5> values{cosine, sine, 0, -sine, cosine};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto at = head + static_cast<std::ptrdiff_t>(kMatrix + 4 * i);
    const auto number = static_cast<std::uint32_t>(values[i] * 65536);
    for (std::size_t k = 0; k < 4; ++k) at[static_cast<std::ptrdiff_t>(k)] = static_cast<std::byte>(number >> (24 - 8 * k) & 0xffU);
  }
  return mp4;
}

}  // namespace test
