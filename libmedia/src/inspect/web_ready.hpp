/// The steps of `open_web_ready`, for those who keep what comes between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "media/io.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// How an MP4 is arranged: its index as it is going to be, which takes the place `front`, and the stretch of the file that it had.
struct Arrangement {
  bool moves = false;  ///< False: the file is good as it is, and the rest is empty.
  std::vector<std::byte> index;
  std::uint64_t front = 0;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// Errors: those of `open_web_ready`.
Result<Arrangement> arrange_for_web(const ByteReader& source);
/// The source as it was arranged; the source itself where nothing moves.
std::shared_ptr<const ByteReader> arranged(std::shared_ptr<const ByteReader> source, std::shared_ptr<const Arrangement> arrangement);
/// `unsupported` where an MP4 or a MOV says that frames of it lie in another file. What is damaged, or no MP4, is nobody's business here.
Result<void> refuse_other_files(const ByteReader& source);

}  // namespace media::inspect
