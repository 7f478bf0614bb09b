/// Elements of Matroska and WebM by their IDs (RFC 8794, section 11; RFC 9559, section 5).
#pragma once

#include <cstdint>

namespace media::inspect::matroska {

inline constexpr std::uint32_t kEbml = 0x1a45dfa3;
inline constexpr std::uint32_t kDocType = 0x4282;
inline constexpr std::uint32_t kVoid = 0xec;
inline constexpr std::uint32_t kSegment = 0x18538067;
inline constexpr std::uint32_t kSeekHead = 0x114d9b74;

inline constexpr std::uint32_t kInfo = 0x1549a966;
inline constexpr std::uint32_t kTimestampScale = 0x2ad7b1;
inline constexpr std::uint32_t kDuration = 0x4489;
inline constexpr std::uint32_t kMuxingApp = 0x4d80;
inline constexpr std::uint32_t kWritingApp = 0x5741;

inline constexpr std::uint32_t kTracks = 0x1654ae6b;
inline constexpr std::uint32_t kTrackEntry = 0xae;
inline constexpr std::uint32_t kTrackNumber = 0xd7;
inline constexpr std::uint32_t kTrackType = 0x83;
inline constexpr std::uint64_t kVideoTrack = 1;  ///< A value of `kTrackType`.
inline constexpr std::uint64_t kAudioTrack = 2;  ///< Another.
inline constexpr std::uint32_t kCodecId = 0x86;
inline constexpr std::uint32_t kDefaultDuration = 0x23e383;
inline constexpr std::uint32_t kContentEncodings = 0x6d80;
inline constexpr std::uint32_t kContentEncoding = 0x6240;
inline constexpr std::uint32_t kContentEncryption = 0x5035;
inline constexpr std::uint32_t kVideo = 0xe0;
inline constexpr std::uint32_t kPixelWidth = 0xb0;
inline constexpr std::uint32_t kPixelHeight = 0xba;
inline constexpr std::uint32_t kAlphaMode = 0x53c0;
inline constexpr std::uint32_t kDisplayWidth = 0x54b0;
inline constexpr std::uint32_t kDisplayHeight = 0x54ba;
inline constexpr std::uint32_t kDisplayUnit = 0x54b2;
inline constexpr std::uint32_t kColour = 0x55b0;
inline constexpr std::uint32_t kTransferCharacteristics = 0x55ba;
inline constexpr std::uint32_t kAudio = 0xe1;
inline constexpr std::uint32_t kSamplingFrequency = 0xb5;
inline constexpr std::uint32_t kChannels = 0x9f;

inline constexpr std::uint32_t kTags = 0x1254c367;
inline constexpr std::uint32_t kCues = 0x1c53bb6b;
inline constexpr std::uint32_t kCluster = 0x1f43b675;
inline constexpr std::uint32_t kTimestamp = 0xe7;
inline constexpr std::uint32_t kPosition = 0xa7;
inline constexpr std::uint32_t kPreviousSize = 0xab;
inline constexpr std::uint32_t kSimpleBlock = 0xa3;
inline constexpr std::uint32_t kBlockGroup = 0xa0;
inline constexpr std::uint32_t kBlock = 0xa1;

}  // namespace media::inspect::matroska
