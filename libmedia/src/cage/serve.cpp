#include "cage/serve.hpp"

#include <malloc.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include "cage/channel.hpp"
#include "cage/saturating.hpp"
#include "cage/source_file.hpp"
#include "cage/wire.hpp"
#include "media/version.hpp"

namespace media::cage {
namespace {

/// libaom's and lcms2's tables, thread stacks, the allocator's slack.
constexpr std::uint64_t kCodecBytes = 256ULL << 20U;
/// Freed memory that stays with a warm worker; more goes back to the system after the job.
constexpr std::size_t kKeptFreeBytes = 32U << 20U;
/// Progress is for people: more often than this only costs.
constexpr auto kProgressInterval = std::chrono::milliseconds(50);

/// Runs the work and makes an error of whatever it throws.
template <class Call>
auto guarded(const Call& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Error{Errc::too_large, "the work needs more memory than its budget allows"};
  } catch (const std::exception& exception) {
    return Error{Errc::internal, std::string("the work failed: ") + exception.what()};
  }
}

DeriveOptions options_of(const Request& request, const Channel& channel) {
  DeriveOptions options;
  options.budget = request.budget;
  options.search_time = request.search_time;
  options.progress = [&channel, last = std::chrono::steady_clock::time_point{}](double share) mutable {
    const auto now = std::chrono::steady_clock::now();
    // The end is always told; the beginning tells nothing.
    if (!(share > 0 && share <= 1) || (share < 1 && now - last < kProgressInterval)) return;
    last = now;
    // A failure shows when the answer is sent.
    static_cast<void>(channel.send(MessageKind::progress, write_progress(share)));
  };
  return options;
}

Received<void> answer_probe(const Channel& channel, const Work& work, const ByteReader& source, const DeriveOptions& options) {
  const Result<MediaInfo> info = guarded([&] { return work.probe(source, options); });
  return info ? channel.send(MessageKind::info, write_info(*info)) : channel.send(MessageKind::failed, write_error(info.error()));
}

Received<void> answer_derive(const Channel& channel, const Work& work, const ByteReader& source, const Request& request,
                             const DeriveOptions& options) {
  const Result<Derived> derived = guarded([&] { return work.derive(source, request.transforms, options); });
  if (!derived) return channel.send(MessageKind::failed, write_error(derived.error()));
  if (auto sent = channel.send(MessageKind::derived, write_derived(*derived)); !sent) return sent;
  for (const Encoded& output : derived->outputs) {
    if (auto sent = channel.send_raw(output.bytes); !sent) return sent;
  }
  return {};
}

Received<void> answer_encode(const Channel& channel, const Work& work, const ByteReader& source, const Transform& transform,
                             const DeriveOptions& options) {
  if (!work.encode) return channel.send(MessageKind::failed, write_error({Errc::unsupported, "this worker encodes no videos"}));
  const PutPiece put = [&](std::uint64_t offset, std::span<const std::byte> bytes) -> Result<void> {
    while (!bytes.empty()) {
      const auto some = bytes.first(std::min(bytes.size(), kMaxPieceBytes));
      if (!channel.send(MessageKind::piece, write_piece({offset, some}))) return Error{Errc::io, "nobody takes the video's bytes"};
      offset += some.size();
      bytes = bytes.subspan(some.size());
    }
    return {};
  };
  const Result<EncodedHead> encoded = guarded([&] { return work.encode(source, transform, options, put); });
  if (!encoded) return channel.send(MessageKind::failed, write_error(encoded.error()));
  return channel.send(MessageKind::encoded, write_encoded(*encoded));
}

Received<void> answer(const Channel& channel, const Work& work, MessageKind kind, const Request& request, const UniqueFd& descriptor) {
  if (work.prepare) {
    const auto memory = job_memory_bytes(request.budget, request.source_bytes, request.transforms.size());
    const auto prepared = work.prepare(memory, static_cast<std::uint64_t>(request.budget.deadline.count()));
    if (!prepared) return channel.send(MessageKind::failed, write_error(prepared.error()));
  }
  // Read in place: it is sealed, or has no name and no other writer. Not mapped: codecs copy what they read into buffers anyway, and the
  // page faults of a mapping cost more than the reads (2.2 MB: 0.4 ms against 1.2 ms).
  const DescriptorReader source(descriptor.get(), request.source_bytes, "the source");
  const DeriveOptions options = options_of(request, channel);
  if (kind == MessageKind::probe) return answer_probe(channel, work, source, options);
  if (kind == MessageKind::encode) return answer_encode(channel, work, source, request.transforms.front(), options);
  return answer_derive(channel, work, source, request, options);
}

}  // namespace

std::uint64_t job_memory_bytes(const ProcessingBudget& budget, std::uint64_t source_bytes, std::size_t outputs) {
  // Twice the source: for codecs that want it in a buffer of their own, and grow that.
  const std::uint64_t pixels_and_source = saturating_add(budget.max_memory_bytes, saturating_multiply(source_bytes, 2));
  const std::uint64_t outputs_and_codecs = saturating_add(saturating_multiply(budget.max_output_bytes, outputs), kCodecBytes);
  return saturating_add(pixels_and_source, outputs_and_codecs);
}

int serve(int socket, const Work& work) {
  const Channel channel(socket);
  if (!channel.send(MessageKind::hello, write_hello({kProtocol, MEDIA_VERSION}))) return 0;
  for (;;) {
    UniqueFd descriptor;
    const auto message = channel.receive({}, &descriptor);
    if (!message) return message.error() == Trouble::closed ? 0 : 1;
    const bool encodes = message->kind == MessageKind::encode;
    if (!encodes && message->kind != MessageKind::probe && message->kind != MessageKind::derive) return 1;
    const auto request = parse_request(message->payload);
    if (!request || !descriptor || (encodes && request->transforms.size() != 1)) return 1;
    if (const auto sent = answer(channel, work, message->kind, *request, descriptor); !sent) {
      return sent.error() == Trouble::closed ? 0 : 1;
    }
    if (::mallinfo2().fordblks > kKeptFreeBytes) ::malloc_trim(0);
  }
}

}  // namespace media::cage
