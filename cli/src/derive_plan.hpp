/// Which pictures `derive` makes, and what they are called.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "media/transform.hpp"

namespace mediactl {

/// The options of `derive` as they were typed.
struct DeriveText {
  std::vector<std::string> widths;   ///< Each may be a list: "320,800".
  std::vector<std::string> formats;  ///< Likewise.
  std::string height;
  std::string fit;
  std::string quality;
  std::string background;
  std::string frames;
  bool enlarge = false;
  std::vector<std::string> presets;
  std::string output;  ///< -o: a file, or "-". Empty: none.
  std::string out_dir;
};

/// One picture to make of each operand.
struct PlannedOutput {
  media::Transform transform;
  std::string suffix;  ///< What follows the stem: "-320.avif".
};

/// Reads the options. `invalid_argument` names the option and what it accepts; no two outputs have one suffix.
media::Result<std::vector<PlannedOutput>> plan_outputs(const DeriveText& text);

/// "photo" of "a/photo.jpg"; the whole name where there is no extension.
std::string stem_of(const std::string& path);

/// Who writes which file, so that two operands of equal stems do not overwrite each other's pictures.
///
/// Thread-safety: may be called concurrently; a mutex guards the map.
class OutputClaims {
 public:
  /// The operand that has the path already, where it is another one.
  std::optional<std::string> claim(const std::string& path, const std::string& operand);

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> owners_;
};

}  // namespace mediactl
