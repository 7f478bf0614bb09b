// Which instructions the loops over pixels run with: asked of Highway in the way in which they ask it.
#include "image/simd.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "image/simd.cpp"
#include <hwy/foreach_target.h>
//
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::image::HWY_NAMESPACE {

const char* name_of_target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace media::image::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace media::image {

HWY_EXPORT(name_of_target);

const char* simd_target() { return HWY_DYNAMIC_DISPATCH(name_of_target)(); }

}  // namespace media::image
#endif
