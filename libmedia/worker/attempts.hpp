/// What a worker that was taken over would try. Each is to fail.
#pragma once

#include <span>
#include <string_view>

namespace media::cage {

struct Attempt {
  std::string_view what;  ///< As in "refused: read a file".
  /// 0 where it came off, else what errno says. What it did is undone, but for the process that made it.
  int (*make)() noexcept;
  /// It comes off in a process without locks, whoever runs it. Of the others some kernels know nothing, or allow them to root alone.
  bool works_unlocked = true;
};

std::span<const Attempt> attempts() noexcept;

}  // namespace media::cage
