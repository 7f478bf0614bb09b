/// The worker's side of the conversation.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "cage/wire.hpp"
#include "media/io.hpp"
#include "media/media_info.hpp"
#include "media/processor.hpp"
#include "media/result.hpp"
#include "media/transform.hpp"

namespace media::cage {

/// Takes bytes of a video that is being encoded, at their place in its file; bytes that are there already are written over.
using PutPiece = std::function<Result<void>(std::uint64_t offset, std::span<const std::byte> bytes)>;

/// What a worker does with a source; passed in, so that tests can run workers that misbehave.
struct Work {
  std::function<Result<MediaInfo>(const ByteReader&, const DeriveOptions&)> probe;
  std::function<Result<Derived>(const ByteReader&, std::span<const Transform>, const DeriveOptions&)> derive;
  /// Encodes a video, whose bytes go where the last argument says. Empty: this worker does not.
  std::function<Result<EncodedHead>(const ByteReader&, const Transform&, const DeriveOptions&, const PutPiece&)> encode{};
  /// Called before each job with the address space that it may take beyond what is mapped, and its time; may be empty.
  std::function<Result<void>(std::uint64_t memory_bytes, std::uint64_t deadline_milliseconds)> prepare;
};

/// Address space of one job, beyond what the program itself takes: the decoded and intermediate pixels of the budget, the source,
/// the outputs, and what encoders and allocators need besides.
std::uint64_t job_memory_bytes(const ProcessingBudget& budget, std::uint64_t source_bytes, std::size_t outputs);

/// Says hello and answers requests until the other side is gone. Returns the process's exit code: 0 then, 1 where the other
/// side does not keep to the protocol. Exceptions of the work become errors; running out of memory is `too_large`.
int serve(int socket, const Work& work);

}  // namespace media::cage
