#include "video/container.hpp"

extern "C" {
#include <libavutil/display.h>
#include <libavutil/mathematics.h>
}

#include <algorithm>
#include <array>
#include <cmath>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "inspect/orientation.hpp"
#include "media/details.hpp"
#include "media/inspect.hpp"
#include "video/byte_io.hpp"

namespace media::video {
namespace {

constexpr int kBufferBytes = 64 << 10;
/// In milliseconds.
constexpr std::int64_t kLongestTime = 1'000'000'000'000'000;
/// More streams than this no camera and no editor makes.
constexpr int kMaxStreams = 128;
/// Bytes that may be read in all: a file without an index is searched by reading it, again and again.
constexpr std::uint64_t kMaxReads = 16;
constexpr std::uint64_t kMaxReadsBase = 64ULL << 20U;
constexpr std::uint32_t kMaxSide = 16'384;
/// Pixels less square than this are nobody's intention.
constexpr double kMostStretched = 10;

/// What is decoded here. A decoder that nobody needs is one more that strangers can reach.
constexpr std::array kCodecs{AV_CODEC_ID_H264,  AV_CODEC_ID_HEVC,   AV_CODEC_ID_AV1,        AV_CODEC_ID_VP8,        AV_CODEC_ID_VP9,
                             AV_CODEC_ID_MPEG4, AV_CODEC_ID_H263,   AV_CODEC_ID_MPEG1VIDEO, AV_CODEC_ID_MPEG2VIDEO, AV_CODEC_ID_MJPEG,
                             AV_CODEC_ID_PNG,   AV_CODEC_ID_THEORA, AV_CODEC_ID_PRORES};

constexpr std::array kSoundCodecs{
    AV_CODEC_ID_AAC,       AV_CODEC_ID_MP3,       AV_CODEC_ID_OPUS,      AV_CODEC_ID_VORBIS,    AV_CODEC_ID_FLAC,
    AV_CODEC_ID_ALAC,      AV_CODEC_ID_AC3,       AV_CODEC_ID_EAC3,      AV_CODEC_ID_AMR_NB,    AV_CODEC_ID_PCM_S16LE,
    AV_CODEC_ID_PCM_S16BE, AV_CODEC_ID_PCM_S24LE, AV_CODEC_ID_PCM_S24BE, AV_CODEC_ID_PCM_F32LE, AV_CODEC_ID_PCM_F32BE,
    AV_CODEC_ID_PCM_S32LE, AV_CODEC_ID_PCM_S32BE, AV_CODEC_ID_PCM_U8,    AV_CODEC_ID_PCM_S8,    AV_CODEC_ID_PCM_MULAW,
    AV_CODEC_ID_PCM_ALAW,  AV_CODEC_ID_MP2,       AV_CODEC_ID_AMR_WB,    AV_CODEC_ID_DTS,       AV_CODEC_ID_ADPCM_IMA_QT};

const char* demuxer_of(Format format) noexcept {
  switch (format) {
    case Format::mp4:
    case Format::mov:
      return "mov";
    case Format::webm:
    case Format::mkv:
      return "matroska";
    case Format::ogg:
      return "ogg";
    default:
      return nullptr;
  }
}

std::string codec_name(AVCodecID id) { return avcodec_get_name(id); }

int sign(std::int32_t fixed) noexcept { return fixed == 0 ? 0 : fixed < 0 ? -1 : 1; }

std::span<const std::uint8_t> side_data(const AVStream& stream, AVPacketSideDataType type) noexcept {
#if LIBAVCODEC_VERSION_MAJOR >= 61
  const AVCodecParameters& coding = *stream.codecpar;
  const auto* const found = av_packet_side_data_get(coding.coded_side_data, coding.nb_coded_side_data, type);
  return found != nullptr ? std::span<const std::uint8_t>(found->data, found->size) : std::span<const std::uint8_t>();
#else
  std::size_t size = 0;
  const std::uint8_t* const bytes = av_stream_get_side_data(&stream, type, &size);
  return {bytes, bytes != nullptr ? size : 0};
#endif
}

std::uint8_t orientation_of(const AVStream& stream) noexcept {
  const auto bytes = side_data(stream, AV_PKT_DATA_DISPLAYMATRIX);
  std::array<std::int32_t, 9> matrix{};
  if (bytes.size() < sizeof matrix) return 1;
  std::copy_n(bytes.begin(), sizeof matrix, reinterpret_cast<std::uint8_t*>(matrix.data()));
  return inspect::exif_number({sign(matrix[0]), sign(matrix[1]), sign(matrix[3]), sign(matrix[4])});
}

/// FFmpeg does not say it of every way of encrypting; what it says of Matroska our own probe does not.
bool is_encrypted(const ByteReader& source, const AVStream& stream) {
  const auto details = probe_details(source);
  if (details && !details->video.empty() && details->video.front().encrypted) return true;
  return stream.codecpar->codec_tag == MKTAG('e', 'n', 'c', 'v') || av_dict_get(stream.metadata, "enc_key_id", nullptr, 0) != nullptr ||
         !side_data(stream, AV_PKT_DATA_ENCRYPTION_INIT_INFO).empty();
}

}  // namespace

/// The bytes, for FFmpeg's callbacks, through which nothing may be thrown.
struct Container::Source {
  const ByteReader& reader;
  const image::Control& control;
  std::uint64_t position = 0;
  std::uint64_t left = 0;  ///< Of the budget.
  std::optional<Error> error{};

  static int read(void* opaque, std::uint8_t* into, int size) noexcept {
    auto& self = *static_cast<Source*>(opaque);
    if (self.control.must_stop()) return AVERROR_EXIT;
    const auto wanted = static_cast<std::size_t>(std::max(size, 0));
    if (self.left < wanted) return AVERROR_EXIT;
    try {
      const auto got = self.reader.read_at(self.position, {reinterpret_cast<std::byte*>(into), wanted});
      if (!got) {
        self.error = got.error();
        return AVERROR(EIO);
      }
      if (*got == 0) return AVERROR_EOF;
      self.position += *got;
      self.left -= *got;
      return static_cast<int>(*got);
    } catch (const std::bad_alloc&) {
      return AVERROR(ENOMEM);
    }
  }

  static std::int64_t seek(void* opaque, std::int64_t offset, int whence) noexcept {
    auto& self = *static_cast<Source*>(opaque);
    return seek_to(self.position, self.reader.size(), offset, whence);
  }

  static int must_stop(void* opaque) noexcept { return static_cast<Source*>(opaque)->control.must_stop() ? 1 : 0; }
};

Container::Container(const image::Control& control) : control_(control) {}
Container::~Container() = default;

Error Container::failure(int code, const char* what) const {
  if (auto stopped = control_.check(); !stopped) return std::move(stopped).error();
  if (source_->error) return *source_->error;
  if (code == AVERROR_EXIT) return Error{Errc::too_large, std::string(what) + ": finding it takes more reading than is reasonable"};
  if (code == AVERROR(ENOMEM)) return Error{Errc::too_large, std::string(what) + ": it takes more memory than the budget allows"};
  const bool missing = code == AVERROR_PATCHWELCOME || code == AVERROR_DECODER_NOT_FOUND;
  std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
  av_strerror(code, text.data(), text.size());
  return Error{missing ? Errc::unsupported : Errc::corrupt, std::string(what) + ": " + text.data()};
}

Result<std::unique_ptr<Container>> Container::open(const ByteReader& source, const image::Control& control, Track track) {
  MEDIA_TRY(control.check());
  if (source.size() > control.budget().max_source_bytes) {
    return Error{Errc::too_large, "the source has " + std::to_string(source.size()) + " bytes, more than " +
                                      std::to_string(control.budget().max_source_bytes)};
  }
  std::array<std::byte, kSniffBytes> head{};
  MEDIA_TRY_ASSIGN(const std::size_t got, source.read_at(0, head));
  const Format format = sniff(std::span(head).first(got));
  if (demuxer_of(format) == nullptr) return Error{Errc::unsupported, "the source is of no video format that this build decodes"};
  std::unique_ptr<Container> container(new Container(control));
  container->source_ = std::make_unique<Source>(Source{source, control, 0, source.size() * kMaxReads + kMaxReadsBase});
  MEDIA_TRY(container->open_format(format));
  if (track == Track::sound) {
    MEDIA_TRY(container->choose_sound(source));
    return container;
  }
  MEDIA_TRY(container->choose_stream(source));
  MEDIA_TRY(container->describe(format, source));
  return container;
}

Result<void> Container::open_format(Format format) {
  auto* const buffer = static_cast<std::uint8_t*>(av_malloc(kBufferBytes));
  if (buffer == nullptr) return failure(AVERROR(ENOMEM), "the video");
  avio_.reset(avio_alloc_context(buffer, kBufferBytes, 0, source_.get(), Source::read, nullptr, Source::seek));
  if (!avio_) {
    av_free(buffer);
    return failure(AVERROR(ENOMEM), "the video");
  }
  AVFormatContext* context = avformat_alloc_context();
  if (context == nullptr) return failure(AVERROR(ENOMEM), "the video");
  context->pb = avio_.get();
  context->flags |= AVFMT_FLAG_CUSTOM_IO;
  context->io_open = refuse_to_open;
  context->interrupt_callback = {Source::must_stop, source_.get()};
  context->max_streams = kMaxStreams;
  context->max_index_size = 32U << 20U;
  // Refused already by io_open; said once more to FFmpeg's own gate.
  context->protocol_whitelist = av_strdup("");
  context->format_whitelist = av_strdup("mov,matroska,ogg,mp4,m4a,3gp,3g2,mj2,webm");
  AVDictionary* options = nullptr;
  if (demuxer_of(format) == std::string_view("mov")) {
    av_dict_set(&options, "enable_drefs", "0", 0);
    av_dict_set(&options, "use_absolute_path", "0", 0);
  }
  const int opened = avformat_open_input(&context, nullptr, av_find_input_format(demuxer_of(format)), &options);
  const std::unique_ptr<AVDictionary, FreeDictionary> unused(options);
  if (opened < 0) return failure(opened, "the video cannot be read");  // The context is gone.
  format_.reset(context);
  return {};
}

Result<void> Container::choose_stream(const ByteReader& source) {
  const std::span streams(format_->streams, format_->nb_streams);
  for (AVStream* const stream : streams) {
    stream->discard = AVDISCARD_ALL;
    const bool is_cover = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    if (stream_ == nullptr && stream->codecpar->codec_type == AVMEDIA_TYPE_VIDEO && !is_cover) stream_ = stream;
  }
  if (stream_ == nullptr) return Error{Errc::unsupported, "the source has no video track: there is nothing to be seen"};
  stream_->discard = AVDISCARD_DEFAULT;
  if (is_encrypted(source, *stream_)) return Error{Errc::unsupported, "the video is encrypted"};
  const AVCodecID id = stream_->codecpar->codec_id;
  if (std::find(kCodecs.begin(), kCodecs.end(), id) == kCodecs.end() || (decoder_ = avcodec_find_decoder(id)) == nullptr) {
    return Error{Errc::unsupported, "the video's codec (" + codec_name(id) + ") is not decoded here"};
  }
  return {};
}

Result<void> Container::choose_sound(const ByteReader& source) {
  const std::span streams(format_->streams, format_->nb_streams);
  std::string missing = "none";
  for (AVStream* const stream : streams) {
    stream->discard = AVDISCARD_ALL;
    if (stream_ != nullptr || stream->codecpar->codec_type != AVMEDIA_TYPE_AUDIO) continue;
    const AVCodecID id = stream->codecpar->codec_id;
    missing = codec_name(id);
    if (std::find(kSoundCodecs.begin(), kSoundCodecs.end(), id) == kSoundCodecs.end()) continue;
    if ((decoder_ = avcodec_find_decoder(id)) != nullptr) stream_ = stream;
  }
  if (stream_ == nullptr) return Error{Errc::unsupported, "the video's sound (" + missing + ") is not decoded here"};
  const auto details = probe_details(source);
  const bool told =
      details && std::any_of(details->audio.begin(), details->audio.end(), [](const AudioTrack& each) { return each.encrypted; });
  if (told || stream_->codecpar->codec_tag == MKTAG('e', 'n', 'c', 'a') ||
      av_dict_get(stream_->metadata, "enc_key_id", nullptr, 0) != nullptr ||
      !side_data(*stream_, AV_PKT_DATA_ENCRYPTION_INIT_INFO).empty()) {
    return Error{Errc::unsupported, "the video's sound is encrypted"};
  }
  stream_->discard = AVDISCARD_DEFAULT;
  return {};
}

bool Container::has_sound() const noexcept {
  const std::span streams(format_->streams, format_->nb_streams);
  return std::any_of(streams.begin(), streams.end(), [](const AVStream* each) { return each->codecpar->codec_type == AVMEDIA_TYPE_AUDIO; });
}

double Container::share_read() const noexcept {
  const std::uint64_t size = source_->reader.size();
  return size == 0 ? 0 : std::min(1.0, static_cast<double>(source_->position) / static_cast<double>(size));
}

Result<void> Container::describe(Format format, const ByteReader& source) {
  const AVCodecParameters& coding = *stream_->codecpar;
  info_.format = format;
  info_.width = static_cast<std::uint32_t>(std::max(coding.width, 0));
  info_.height = static_cast<std::uint32_t>(std::max(coding.height, 0));
  if (info_.width == 0 || info_.height == 0) {
    // Of some codecs FFmpeg believes the decoder alone; the file has said it all the same.
    MEDIA_TRY_ASSIGN(const MediaInfo stated, media::probe(source));
    info_.width = stated.width;
    info_.height = stated.height;
  }
  if (info_.width == 0 || info_.height == 0) return Error{Errc::corrupt, "the video track has no width or no height"};
  if (info_.width > kMaxSide || info_.height > kMaxSide) {
    return Error{Errc::too_large, "the video has " + std::to_string(info_.width) + " x " + std::to_string(info_.height) +
                                      " pixels, and a side has at most " + std::to_string(kMaxSide)};
  }
  MEDIA_TRY(control_.check_pixels({info_.width, info_.height}, "the video"));
  info_.orientation = orientation_of(*stream_);
  info_.frames = static_cast<std::uint32_t>(std::clamp<std::int64_t>(stream_->nb_frames, 0, UINT32_MAX));
  std::int64_t duration = AV_NOPTS_VALUE;
  if (stream_->duration > 0) {
    duration = av_rescale_q(stream_->duration, stream_->time_base, {1, 1000});
  } else if (format_->duration > 0) {
    duration = av_rescale_q(format_->duration, AV_TIME_BASE_Q, {1, 1000});
  }
  // Thirty thousand years; what claims more is lying, and would overflow what is added to it.
  if (duration > 0 && duration < kLongestTime) info_.duration = std::chrono::milliseconds(duration);
  return {};
}

std::int64_t Container::timestamp_of(std::chrono::milliseconds time) const noexcept {
  const std::int64_t start = stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
  return av_sat_add64(start, av_rescale_q(time.count(), {1, 1000}, stream_->time_base));
}

std::chrono::milliseconds Container::time_of(std::int64_t timestamp) const noexcept {
  if (timestamp == AV_NOPTS_VALUE) return std::chrono::milliseconds(0);
  const std::int64_t start = stream_->start_time == AV_NOPTS_VALUE ? 0 : stream_->start_time;
  const std::int64_t time = av_rescale_q(av_sat_sub64(timestamp, start), stream_->time_base, {1, 1000});
  return std::chrono::milliseconds(std::clamp(time, -kLongestTime, kLongestTime));
}

Result<bool> Container::seek(std::int64_t timestamp) {
  const int sought = av_seek_frame(format_.get(), stream_->index, timestamp, AVSEEK_FLAG_BACKWARD);
  if (sought >= 0) return true;
  MEDIA_TRY(control_.check());
  if (source_->error) return *source_->error;
  return false;
}

Result<bool> Container::read(AVPacket& packet) {
  for (;;) {
    MEDIA_TRY(control_.check());
    av_packet_unref(&packet);
    const int got = av_read_frame(format_.get(), &packet);
    if (got >= 0 && packet.stream_index != stream_->index) continue;
    if (got >= 0) return true;
    // The end, or damage: what came before it is what there is.
    if (source_->error) return *source_->error;
    if (got == AVERROR_EXIT || got == AVERROR(ENOMEM)) return failure(got, "the video's frames");
    return false;
  }
}

image::Size displayed(image::Size coded, AVRational pixel_aspect) noexcept {
  if (pixel_aspect.num <= 0 || pixel_aspect.den <= 0) return coded;
  const double aspect = static_cast<double>(pixel_aspect.num) / pixel_aspect.den;
  if (aspect > kMostStretched || aspect < 1 / kMostStretched) return coded;
  image::Size size = coded;
  if (aspect > 1) size.width = static_cast<std::uint32_t>(std::lround(coded.width * aspect));
  if (aspect < 1) size.height = static_cast<std::uint32_t>(std::lround(coded.height / aspect));
  return size.width > kMaxSide || size.height > kMaxSide ? coded : size;
}

}  // namespace media::video
