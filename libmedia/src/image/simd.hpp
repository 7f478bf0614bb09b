/// The instructions that were chosen for this processor.
#pragma once

namespace media::image {

/// As Highway names them: "AVX2".
const char* simd_target();

}  // namespace media::image
