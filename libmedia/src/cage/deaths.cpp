#include "cage/deaths.hpp"

#include <csignal>

namespace media::cage {

void DeathCount::count(const Ending& ending) noexcept {
  if (ending.kind != Ending::Kind::signalled) {
    ++exited_;
    return;
  }
  switch (ending.number) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
    case SIGABRT:
      ++crashed_;
      return;
    default:
      ++killed_;
  }
}

WorkerDeaths DeathCount::sums() const noexcept { return {crashed_, killed_, exited_, late_, nonsense_, not_started_}; }

}  // namespace media::cage
