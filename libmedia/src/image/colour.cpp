#include "image/colour.hpp"

#include <lcms2.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>

namespace media::image {
namespace {

struct DeleteContext {
  void operator()(void* context) const { cmsDeleteContext(static_cast<cmsContext>(context)); }
};
struct CloseProfile {
  void operator()(void* profile) const { cmsCloseProfile(profile); }
};
struct DeleteTransform {
  void operator()(void* transform) const { cmsDeleteTransform(transform); }
};
using Context = std::unique_ptr<std::remove_pointer_t<cmsContext>, DeleteContext>;
using Profile = std::unique_ptr<void, CloseProfile>;
using ColourTransform = std::unique_ptr<void, DeleteTransform>;

/// A context of one's own for each picture: lcms keeps its error handler there, and the default one is shared.
Context make_context() {
  Context context(cmsCreateContext(nullptr, nullptr));
  if (context) cmsSetLogErrorHandlerTHR(context.get(), [](cmsContext, cmsUInt32Number, const char*) {});
  return context;
}

/// Samples of eight bits as lcms names them, or of as many as `Code` has.
template <class Code>
cmsUInt32Number pixel_type(Layout layout) {
  const auto type = [layout]() -> cmsUInt32Number {
    switch (layout) {
      case Layout::grey:
        return TYPE_GRAY_8;
      case Layout::rgb:
        return TYPE_RGB_8;
      case Layout::rgba:
        return TYPE_RGBA_8;
      case Layout::cmyk:
        return TYPE_CMYK_8;
    }
    return TYPE_RGB_8;
  }();
  return (type & ~static_cast<cmsUInt32Number>(BYTES_SH(7))) | BYTES_SH(sizeof(Code));
}

cmsColorSpaceSignature profile_space(Layout layout) {
  if (layout == Layout::grey) return cmsSigGrayData;
  return layout == Layout::cmyk ? cmsSigCmykData : cmsSigRgbData;
}

/// True where the transform moves no colour of a coarse grid by more than one step: the profile is sRGB by another name.
bool changes_nothing(cmsHTRANSFORM transform, Layout layout) {
  constexpr std::array<std::uint8_t, 6> kSteps{0, 51, 102, 153, 204, 255};
  for (const std::uint8_t r : kSteps) {
    for (const std::uint8_t g : kSteps) {
      for (const std::uint8_t b : kSteps) {
        const std::array<std::uint8_t, 4> in{r, g, b, 255};
        std::array<std::uint8_t, 4> out{0, 0, 0, 255};
        cmsDoTransform(transform, in.data(), out.data(), 1);
        for (std::size_t c = 0; c < 3; ++c) {
          const int wanted = layout == Layout::grey ? in[0] : in[c];
          if (std::abs(int{out[c]} - wanted) > 1) return false;
        }
      }
    }
  }
  return true;
}

template <class Code>
Raster<Code> mix_ink(const Raster<Code>& image) {
  constexpr unsigned kMost = kWhite<Code>;
  Raster<Code> out(image.size, Layout::rgb);
  const Code* in = image.data.data();
  Code* to = out.data.data();
  for (std::uint64_t left = image.size.pixels(); left > 0; --left, in += 4, to += 3) {
    const unsigned light = kMost - in[3];
    for (std::size_t c = 0; c < 3; ++c) to[c] = static_cast<Code>(((kMost - in[c]) * light + kMost / 2) / kMost);
  }
  return out;
}

template <class Code>
Raster<Code> without_profile(Raster<Code> image) {
  return image.layout == Layout::cmyk ? mix_ink(image) : std::move(image);
}

/// From the colours of a profile to sRGB, where that is another thing than nothing.
struct Conversion {
  Context context;
  ColourTransform transform;  ///< Null: the pixels stay as they are.
};

template <class Code>
Conversion make_conversion(std::span<const std::byte> profile, Layout layout) {
  Conversion conversion;
  if (profile.empty() || profile.size() > std::numeric_limits<cmsUInt32Number>::max()) return conversion;
  conversion.context = make_context();
  cmsContext context = conversion.context.get();
  if (context == nullptr) return conversion;
  const Profile from(cmsOpenProfileFromMemTHR(context, profile.data(), static_cast<cmsUInt32Number>(profile.size())));
  if (!from || cmsGetColorSpace(from.get()) != profile_space(layout)) return conversion;
  const Profile srgb(cmsCreate_sRGBProfileTHR(context));
  const auto to_srgb = [&]<class Samples>(Samples, cmsUInt32Number flags) {
    const bool alpha = layout == Layout::rgba;
    return ColourTransform(cmsCreateTransformTHR(context, from.get(), pixel_type<Samples>(layout), srgb.get(),
                                                 pixel_type<Samples>(alpha ? Layout::rgba : Layout::rgb), INTENT_PERCEPTUAL,
                                                 flags | (alpha ? cmsFLAGS_COPY_ALPHA : 0)));
  };
  ColourTransform transform = to_srgb(std::uint8_t{}, 0);
  if (!transform || (layout != Layout::cmyk && changes_nothing(transform.get(), layout))) return conversion;
  // What lcms makes of profiles to be faster is a grid of colours, between which 16 bits are not what they should be.
  if constexpr (sizeof(Code) > 1) transform = to_srgb(Code{}, cmsFLAGS_NOOPTIMIZE);
  conversion.transform = std::move(transform);
  return conversion;
}

template <class Code>
Raster<Code> converted(Raster<Code> image, std::span<const std::byte> profile) {
  const Conversion conversion = make_conversion<Code>(profile, image.layout);
  const ColourTransform& transform = conversion.transform;
  if (!transform) return without_profile(std::move(image));
  if (image.layout == Layout::rgb || image.layout == Layout::rgba) {
    for (std::uint32_t y = 0; y < image.size.height; ++y) {
      cmsDoTransform(transform.get(), image.row(y).data(), image.row(y).data(), image.size.width);
    }
    return image;
  }
  Raster<Code> out(image.size, Layout::rgb);
  for (std::uint32_t y = 0; y < image.size.height; ++y) {
    cmsDoTransform(transform.get(), image.row(y).data(), out.row(y).data(), image.size.width);
  }
  return out;
}

}  // namespace

bool is_srgb(std::span<const std::byte> profile) { return !make_conversion<std::uint8_t>(profile, Layout::rgb).transform; }

Image to_srgb(Image image, std::span<const std::byte> profile) { return converted(std::move(image), profile); }
DeepImage to_srgb(DeepImage image, std::span<const std::byte> profile) { return converted(std::move(image), profile); }

bool is_rgb_profile(std::span<const std::byte> profile) {
  constexpr std::size_t kLongest = std::size_t{1} << 20U;
  if (profile.empty() || profile.size() > kLongest) return false;
  const Context context = make_context();
  if (!context) return false;
  const Profile opened(cmsOpenProfileFromMemTHR(context.get(), profile.data(), static_cast<cmsUInt32Number>(profile.size())));
  if (!opened || cmsGetColorSpace(opened.get()) != cmsSigRgbData) return false;
  // A header alone is no profile: it has to lead somewhere.
  const Profile srgb(cmsCreate_sRGBProfileTHR(context.get()));
  const ColourTransform transform(
      cmsCreateTransformTHR(context.get(), opened.get(), TYPE_RGB_8, srgb.get(), TYPE_RGB_8, INTENT_PERCEPTUAL, 0));
  return transform != nullptr;
}

Colour from_srgb(Colour colour, std::span<const std::byte> profile) {
  const Context context = make_context();
  if (!context || profile.size() > std::numeric_limits<cmsUInt32Number>::max()) return colour;
  const Profile to(cmsOpenProfileFromMemTHR(context.get(), profile.data(), static_cast<cmsUInt32Number>(profile.size())));
  const Profile srgb(cmsCreate_sRGBProfileTHR(context.get()));
  if (!to || cmsGetColorSpace(to.get()) != cmsSigRgbData) return colour;
  // Null for profiles that are only good to read with.
  const ColourTransform transform(cmsCreateTransformTHR(context.get(), srgb.get(), TYPE_RGB_8, to.get(), TYPE_RGB_8, INTENT_PERCEPTUAL, 0));
  if (!transform) return colour;
  const std::array<std::uint8_t, 3> in{colour.red, colour.green, colour.blue};
  std::array<std::uint8_t, 3> out{};
  cmsDoTransform(transform.get(), in.data(), out.data(), 1);
  return {out[0], out[1], out[2]};
}

std::vector<std::byte> profile_from_primaries(const std::array<float, 8>& primaries) {
  const Context context = make_context();
  if (!context) return {};
  const auto point = [&](std::size_t i) { return cmsCIExyY{primaries[i], primaries[i + 1], 1.0}; };
  const cmsCIExyY white = point(6);
  const cmsCIExyYTRIPLE colours{point(0), point(2), point(4)};
  // Parametric curve 4 of ICC.1: the transfer function of sRGB.
  const std::array<cmsFloat64Number, 5> srgb{2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
  const std::unique_ptr<cmsToneCurve, decltype(&cmsFreeToneCurve)> curve(cmsBuildParametricToneCurve(context.get(), 4, srgb.data()),
                                                                         cmsFreeToneCurve);
  if (!curve) return {};
  std::array<cmsToneCurve*, 3> curves{curve.get(), curve.get(), curve.get()};
  const Profile profile(cmsCreateRGBProfileTHR(context.get(), &white, &colours, curves.data()));
  cmsUInt32Number size = 0;
  if (!profile || !cmsSaveProfileToMem(profile.get(), nullptr, &size)) return {};
  std::vector<std::byte> out(size);
  if (!cmsSaveProfileToMem(profile.get(), out.data(), &size)) return {};
  return out;
}

}  // namespace media::image
