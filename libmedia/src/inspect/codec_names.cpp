#include "inspect/codec_names.hpp"

#include <algorithm>
#include <array>

#include "inspect/bytes.hpp"

namespace media::inspect {
namespace {

struct Name {
  std::string_view container;
  std::string_view codec;
};

constexpr std::array<Name, 41> kSampleEntries{{
    {"avc1", "h264"},      {"avc3", "h264"},      {"hvc1", "hevc"},      {"hev1", "hevc"},       {"dvh1", "hevc"},
    {"dvhe", "hevc"},      {"av01", "av1"},       {"vp08", "vp8"},       {"vp09", "vp9"},        {"mp4v", "mpeg4"},
    {"s263", "h263"},      {"h263", "h263"},      {"H263", "h263"},      {"jpeg", "mjpeg"},      {"mjpa", "mjpeg"},
    {"mjpb", "mjpegb"},    {"png ", "png"},       {"apch", "prores"},    {"apcn", "prores"},     {"apcs", "prores"},
    {"apco", "prores"},    {"ap4h", "prores"},    {"ap4x", "prores"},    {"m1v ", "mpeg1video"}, {"m2v1", "mpeg2video"},
    {"mp4a", "aac"},       {"samr", "amr_nb"},    {"sawb", "amr_wb"},    {"Opus", "opus"},       {"fLaC", "flac"},
    {"ac-3", "ac3"},       {"ec-3", "eac3"},      {"alac", "alac"},      {".mp3", "mp3"},        {"sowt", "pcm_s16le"},
    {"twos", "pcm_s16be"}, {"in24", "pcm_s24be"}, {"fl32", "pcm_f32be"}, {"ulaw", "pcm_mulaw"},  {"alaw", "pcm_alaw"},
    {"dtsc", "dts"},
}};

/// The longer beginnings first.
constexpr std::array<Name, 27> kMatroska{{
    {"V_MPEG4/ISO/AVC", "h264"},
    {"V_MPEGH/ISO/HEVC", "hevc"},
    {"V_MPEG4/ISO/", "mpeg4"},
    {"V_MPEG4/MS/V3", "msmpeg4v3"},
    {"V_MPEG1", "mpeg1video"},
    {"V_MPEG2", "mpeg2video"},
    {"V_AV1", "av1"},
    {"V_VP8", "vp8"},
    {"V_VP9", "vp9"},
    {"V_THEORA", "theora"},
    {"V_MJPEG", "mjpeg"},
    {"V_PRORES", "prores"},
    {"V_FFV1", "ffv1"},
    {"A_OPUS", "opus"},
    {"A_VORBIS", "vorbis"},
    {"A_AAC", "aac"},
    {"A_MPEG/L3", "mp3"},
    {"A_MPEG/L2", "mp2"},
    {"A_FLAC", "flac"},
    {"A_AC3", "ac3"},
    {"A_EAC3", "eac3"},
    {"A_DTS", "dts"},
    {"A_TRUEHD", "truehd"},
    {"A_ALAC", "alac"},
    {"A_PCM/INT/LIT", "pcm_le"},
    {"A_PCM/INT/BIG", "pcm_be"},
    {"A_PCM/FLOAT", "pcm_float"},
}};

}  // namespace

std::string codec_of_sample_entry(std::uint32_t type) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    const auto c = static_cast<char>(type >> shift & 0xffU);
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  const auto* found = std::find_if(kSampleEntries.begin(), kSampleEntries.end(), [&](const Name& name) { return name.container == text; });
  return found == kSampleEntries.end() ? text : std::string(found->codec);
}

std::string codec_of_matroska(std::string_view id) {
  const auto* found = std::find_if(kMatroska.begin(), kMatroska.end(), [&](const Name& name) { return id.starts_with(name.container); });
  if (found != kMatroska.end()) return std::string(found->codec);
  std::string text(id.substr(0, 64));
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

}  // namespace media::inspect
