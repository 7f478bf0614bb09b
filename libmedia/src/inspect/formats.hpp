/// The contract of a format: what one file of this area says about its format, and the list of all of them.
#pragma once

#include <span>

#include "inspect/bytes.hpp"
#include "inspect/cursor.hpp"
#include "media/details.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media::inspect {

/// One file format, or a family that shares a container.
struct FormatReader {
  /// Names the format where `head`, the first bytes of a content (kSniffBytes or all of them), begins like one.
  Format (*sniff)(Bytes head) noexcept;
  /// Fills in what the headers state, as soon as they state it: after an error, `info` keeps what was read till then.
  /// `info.format` is what `sniff` said. Errors: `corrupt`, and the reader's own.
  Result<void> (*read)(Cursor& cursor, MediaInfo& info);
  /// Adds the tracks of a video, as far as they can be read; null for pictures. Errors as `read`'s.
  Result<void> (*read_tracks)(Cursor& cursor, MediaDetails& details) = nullptr;
};

/// All formats, the most telling signatures first.
std::span<const FormatReader* const> formats() noexcept;

/// The reader and the format that `head` names; null and `unknown` where none does.
struct Recognised {
  const FormatReader* reader = nullptr;
  Format format = Format::unknown;
};
Recognised recognise(Bytes head) noexcept;

/// What a probe found: facts as far as they could be read, and whether the structure held. I/O failures are not here.
struct Finding {
  MediaInfo info;
  Result<void> structure;
};
Result<Finding> examine(const ByteReader& content, const Recognised& recognised);

/// The first kSniffBytes of a content, or all of them.
Result<std::vector<std::byte>> read_head(const ByteReader& content);

}  // namespace media::inspect
