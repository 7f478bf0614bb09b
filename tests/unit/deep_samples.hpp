// Sources of 16 bits a sample that the image tests make for themselves.
#pragma once

#include <spng.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "catch.hpp"

namespace test {

inline std::vector<std::byte> deep_png(std::uint32_t width, std::uint32_t height, int colour_type, bool interlaced,
                                       std::span<const std::uint16_t> samples, std::span<const std::byte> profile = {}) {
  const std::unique_ptr<spng_ctx, decltype(&spng_ctx_free)> context(spng_ctx_new(SPNG_CTX_ENCODER), spng_ctx_free);
  spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header{};
  header.width = width;
  header.height = height;
  header.bit_depth = 16;
  header.color_type = static_cast<std::uint8_t>(colour_type);
  header.interlace_method = interlaced ? SPNG_INTERLACE_ADAM7 : SPNG_INTERLACE_NONE;
  REQUIRE(spng_set_ihdr(context.get(), &header) == 0);
  std::vector<char> copy(profile.size());
  if (!profile.empty()) {
    std::memcpy(copy.data(), profile.data(), profile.size());
    spng_iccp icc{};
    std::memcpy(icc.profile_name, "test", 5);
    icc.profile_len = profile.size();
    icc.profile = copy.data();
    REQUIRE(spng_set_iccp(context.get(), &icc) == 0);
  }
  REQUIRE(spng_encode_image(context.get(), samples.data(), samples.size_bytes(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE) == 0);
  std::size_t size = 0;
  int code = 0;
  const std::unique_ptr<void, decltype(&std::free)> buffer(spng_get_png_buffer(context.get(), &size, &code), std::free);
  REQUIRE(buffer);
  const auto* bytes = static_cast<const std::byte*>(buffer.get());
  return {bytes, bytes + size};
}

}  // namespace test
