/// Which pictures `derive` makes, and what they are called.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "media/transform.hpp"

namespace mediactl {

/// An option that sets one key of every transform.
struct KeyOption {
  std::string option;  ///< "--gravity"
  std::string key;     ///< "gravity"
  std::string about;
  std::string value;  ///< As it was typed; empty: not given.
};

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
  /// What goes for presets as well as for sizes. What a key accepts only the transform knows.
  std::vector<KeyOption> edits = {
      {"--gravity", "gravity", "What to keep when cutting: centre, north, southeast, …, smart, or X:Y (shares from the upper left)", {}},
      {"--dpr", "dpr", "Multiplies width and height: 1 to 4", {}},
      {"--rotate", "rotate", "Clockwise: 0, 90, 180 or 270", {}},
      {"--flip", "flip", "Mirror: h (left and right exchanged), v or hv", {}},
      {"--trim", "trim", "Cut off a plain border, within so many code values: 1 to 100", {}},
      {"--sharpen", "sharpen", "Amount 0.01 to 5, or AMOUNT:SIGMA", {}},
      {"--blur", "blur", "Sigma in pixels of the output: 0.3 to 100", {}},
      {"--depth", "depth", "Bits a sample: 8 (default), or 10 of an AVIF", {}},
      {"--score",
       "score",
       "Instead of a quality: the smallest file that is so like the picture, 1 to 99.9 (95 is near what the usual qualities reach)",
       {}},
      {"--max-bytes", "max_bytes", "Lower the quality until the file has no more bytes than this", {}},
      {"--icc", "icc", "srgb (default), or keep: the source's own colours and profile", {}},
      {"--at", "at", "Of a video: the frame shown so many seconds from its beginning, 12.5 or 12.5s (default: one that stands for it)", {}},
      {"--codecs",
       "codecs",
       "Of an mp4: web (default: H.264 and AAC), or keep: the same tracks, arranged to be played while they come",
       {}},
      {"--meta", "meta", "none (default), or copyright: copyright and creator of the source's EXIF", {}},
  };
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
