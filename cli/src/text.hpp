/// Bytes, sizes and times as people read and write them on a command line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "media/result.hpp"

namespace mediactl {

/// The bytes with everything that a terminal could obey, or that is not UTF-8, written as \xNN: a file's name must
/// neither move the cursor nor fake a second line.
std::string printable(std::string_view bytes);

/// "4.2 MB" (powers of 1000).
std::string human_bytes(std::uint64_t count);
/// "0:07", "12:34", "1:02:03".
std::string human_duration(std::chrono::seconds duration);

/// "90", "90s", "10m", "24h", "7d"; absent where it is none of these.
std::optional<std::chrono::seconds> parse_duration(std::string_view text);

/// RFC 4648, section 4, padded.
std::string base64(std::span<const std::byte> bytes);

/// Splits at commas; empty pieces are kept, so that they can be refused.
std::vector<std::string> split_list(std::string_view text);

/// Why a call on the file failed, without the file's name where the message has it: the line that shows the reason names the file.
std::string reason_of(const media::Error& error, std::string_view path);

}  // namespace mediactl
