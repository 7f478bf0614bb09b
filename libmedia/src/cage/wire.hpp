/// What the library and a worker say to each other, as bytes. Both sides are one build on one machine; the parsers
/// are strict all the same, because whoever has taken over a worker writes what he likes.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "media/media_info.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::cage {

/// Goes up whenever a message changes its shape.
inline constexpr std::uint32_t kProtocol = 6;
/// Bytes of one message at most; outputs follow their message and have their own limit.
inline constexpr std::size_t kMaxMessageBytes = 64U << 10U;
inline constexpr std::size_t kMaxTransforms = 256;
inline constexpr std::size_t kMaxErrorText = 4096;

/// What a message is. The number is part of the protocol.
enum class MessageKind : std::uint32_t {
  hello = 1,     ///< worker: its version, once, before anything else
  probe = 2,     ///< library: a Request, with the source's descriptor
  derive = 3,    ///< library: likewise
  progress = 4,  ///< worker: the share done
  failed = 5,    ///< worker: the Error; ends the job
  info = 6,      ///< worker: the MediaInfo; ends a probe
  derived = 7,   ///< worker: a DerivedHead, then the bytes of each output, nothing between them; ends a derive
  piece = 8,     ///< worker: a Piece of a video that is being encoded; in any order, and over each other
  encoded = 9,   ///< worker: an EncodedHead; ends an encode
  encode = 10,   ///< library: a Request of the one transform that encodes a video, likewise
};

/// Before every message: 4 bytes of magic, 4 of kind, 4 of length; all numbers are little-endian.
inline constexpr std::size_t kHeadBytes = 12;
struct MessageHead {
  MessageKind kind = MessageKind::hello;
  std::uint32_t length = 0;
};
std::array<std::byte, kHeadBytes> write_head(const MessageHead& head);
/// `corrupt` where magic, kind or length are none of ours.
Result<MessageHead> parse_head(std::span<const std::byte, kHeadBytes> bytes);

struct Hello {
  std::uint32_t protocol = kProtocol;
  std::string version;
};
std::vector<std::byte> write_hello(const Hello& hello);
Result<Hello> parse_hello(std::span<const std::byte> payload);

struct Request {
  std::uint64_t source_bytes = 0;
  ProcessingBudget budget;
  std::optional<std::chrono::milliseconds> search_time;
  std::vector<Transform> transforms;
};
std::vector<std::byte> write_request(const Request& request);
Result<Request> parse_request(std::span<const std::byte> payload);

std::vector<std::byte> write_progress(double share);
/// A finite share from 0 to 1; `corrupt` otherwise.
Result<double> parse_progress(std::span<const std::byte> payload);

std::vector<std::byte> write_error(const Error& error);
/// Reads a worker's complaint into `into`. Of the codes only those stand that a decoder can honestly say (invalid_argument,
/// unsupported, corrupt, too_large); others become `internal`. Everything but printable ASCII is replaced in the text.
Result<void> parse_error(std::span<const std::byte> payload, Error& into);

std::vector<std::byte> write_info(const MediaInfo& info);
Result<MediaInfo> parse_info(std::span<const std::byte> payload);

/// A Derived without its outputs' bytes.
struct DerivedHead {
  struct Output {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    std::uint8_t quality = 0;
    double score = 0;
    std::uint64_t size_bytes = 0;
  };
  MediaInfo source;
  std::string placeholder;
  Appearance appearance;
  std::vector<Output> outputs;
};
std::vector<std::byte> write_derived(const Derived& derived);
/// `corrupt` unless there is exactly one output for each of `transforms`, none empty or above `max_output_bytes`, and the appearance is
/// whole, or there is none.
Result<DerivedHead> parse_derived(std::span<const std::byte> payload, std::size_t transforms, std::uint64_t max_output_bytes);

/// Bytes of a video, and where in its file they belong: a container's head is written last.
struct Piece {
  std::uint64_t offset = 0;
  std::span<const std::byte> bytes;
};
/// Bytes of one at most, so that it fits into a message.
inline constexpr std::size_t kMaxPieceBytes = kMaxMessageBytes - sizeof(std::uint64_t);
std::vector<std::byte> write_piece(const Piece& piece);
/// Refers to the payload. `corrupt` where it has no bytes, or would reach beyond `max_bytes`.
Result<Piece> parse_piece(std::span<const std::byte> payload, std::uint64_t max_bytes);

/// A video that was encoded, whose bytes came before.
struct EncodedHead {
  MediaInfo source;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::chrono::milliseconds lost_sound{0};
};
std::vector<std::byte> write_encoded(const EncodedHead& head);
Result<EncodedHead> parse_encoded(std::span<const std::byte> payload);

}  // namespace media::cage
