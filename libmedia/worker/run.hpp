/// What the workers' mains have in common.
#pragma once

#include <string>

#include "cage/serve.hpp"

namespace media::worker {

/// A worker program: its name, what it makes ready while it may still open files, map libraries and start threads, and its work.
struct Program {
  const char* name;
  /// Called once, before the process is confined; may be null.
  void (*get_ready)();
  /// `prepare` is set here.
  cage::Work work;
  /// Names the libraries that it decodes with, and their versions; null where it is libmedia's own that do.
  std::string (*libraries)() = nullptr;
};

/// The whole of main: reads the arguments, gets ready, confines the process, serves. Returns the exit code.
int run(int argc, char** argv, Program program);

}  // namespace media::worker
