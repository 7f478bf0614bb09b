// Videos that tests make with the ffmpeg command.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

namespace test {

/// The bytes of what `ffmpeg <arguments> <name>` writes; the name's extension says which container.
inline std::vector<std::byte> film(const std::string& name, const std::vector<std::string>& arguments) {
  const TempFolder folder;
  std::vector<std::string> command{"ffmpeg", "-v", "error", "-nostdin"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  command.push_back((folder / name).string());
  const auto made = run(command);
  INFO(made.err);
  REQUIRE(made.exit_code == 0);
  return read_file(folder / name);
}

}  // namespace test
