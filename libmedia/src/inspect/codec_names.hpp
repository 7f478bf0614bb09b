/// Names of codecs as people know them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace media::inspect {

/// Of a sample entry's type (MP4 and MOV): "h264" of 'avc1'. The four characters where it has no other name.
std::string codec_of_sample_entry(std::uint32_t type);
/// Of a Matroska CodecID: "vp9" of "V_VP9". The CodecID where it has no other name.
std::string codec_of_matroska(std::string_view id);

}  // namespace media::inspect
