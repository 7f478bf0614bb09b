// Running mediactl as a user does, and the files to feed it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "support.hpp"

namespace cli {

using Json = nlohmann::json;

/// The binary under test.
std::string program();
/// Runs mediactl with these arguments.
test::RunResult mediactl(std::vector<std::string> arguments, const std::vector<std::string>& environment = {});
/// The same as a user who is not root and owns nothing. Absent where that user cannot reach the binary, or cannot be had.
std::optional<test::RunResult> mediactl_as_nobody(std::vector<std::string> arguments);

/// Every line of the output as JSON; throws where one is not. The last one must be the summary.
struct Lines {
  std::vector<Json> objects;  ///< Without the summary.
  Json summary;
};
Lines json_lines(const std::string& output);
/// The object whose `key` is `value`; null where there is none.
Json find(const Lines& lines, const std::string& key, const Json& value);
/// Lines of text, without their ends.
std::vector<std::string> text_lines(const std::string& text);

/// A PNG of smooth colours, 8-bit RGB, another picture for each seed.
std::vector<std::byte> png(unsigned width, unsigned height, unsigned seed = 1);
/// A PNG whose header claims a size that its data does not have, padded to `bytes`.
std::vector<std::byte> hollow_png(unsigned width, unsigned height, std::size_t bytes);
/// A JPEG, made by mediactl itself from a PNG.
std::vector<std::byte> jpeg(unsigned width, unsigned height, unsigned seed = 1);

/// mediactl in the background, its output in files.
class Background {
 public:
  Background(const std::vector<std::string>& arguments, const std::filesystem::path& output, const std::filesystem::path& errors);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  void signal(int number) const;
  /// Waits for the end: exit code, or 128 + signal.
  int wait();
  [[nodiscard]] bool running();

 private:
  pid_t pid_ = -1;
  int status_ = 0;
  bool ended_ = false;
};

/// Waits until the file has at least one line, or half a minute is over.
bool wait_for_output(const std::filesystem::path& file);

}  // namespace cli
