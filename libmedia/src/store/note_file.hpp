/// Short texts beside a catalog that say where things are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "media/result.hpp"

namespace media::store {

/// Absent where there is none; `corrupt` where it is no short text. Without the line break at its end.
Result<std::optional<std::string>> read_note(const std::filesystem::path& path);
/// Durably, whole or not at all; the folder is made where it is missing.
Result<void> write_note(const std::filesystem::path& base_path, const char* name, const std::string& note);

}  // namespace media::store
