/// The one table of exit codes: what mediactl says to scripts.
#pragma once

#include <array>
#include <string>

#include "media/result.hpp"

namespace mediactl {

enum class Exit : int {
  ok = 0,
  findings = 1,
  usage = 2,
  not_found = 3,
  denied = 4,
  no_space = 5,
  io = 6,
  unsupported = 7,
  unavailable = 8,
  corrupt = 9,
  internal = 10,
  hangup = 129,
  interrupted = 130,
  terminated = 143,
};

struct ExitMeaning {
  Exit code;
  const char* meaning;
};

/// For --help and docs/cli.md; a test compares the two.
inline constexpr std::array kExitMeanings = {
    ExitMeaning{Exit::ok, "everything was done"},
    ExitMeaning{Exit::findings, "done, but verify found faults, or some of the files or ids were refused or failed"},
    ExitMeaning{Exit::usage, "the command line is wrong"},
    ExitMeaning{Exit::not_found, "no store there, or no such media"},
    ExitMeaning{Exit::denied, "permission denied, or a read-only file system"},
    ExitMeaning{Exit::no_space, "disk or quota is full"},
    ExitMeaning{Exit::io, "the operating system reported an input/output error"},
    ExitMeaning{Exit::unsupported, "a store made by a newer version, or a feature that this build lacks"},
    ExitMeaning{Exit::unavailable, "the store is locked or overloaded; the same command may work later"},
    ExitMeaning{Exit::corrupt, "the catalog, or the content asked for, is damaged"},
    ExitMeaning{Exit::internal, "a fault of mediactl's own"},
    ExitMeaning{Exit::hangup, "stopped by SIGHUP; what was in flight was finished or undone"},
    ExitMeaning{Exit::interrupted, "stopped by SIGINT (Ctrl-C); likewise"},
    ExitMeaning{Exit::terminated, "stopped by SIGTERM; likewise"},
};

/// What a command that failed as a whole exits with.
constexpr Exit exit_for(media::Errc code) noexcept {
  using media::Errc;
  switch (code) {
    case Errc::invalid_argument:
      return Exit::usage;
    case Errc::not_found:
    case Errc::expired:
      return Exit::not_found;
    case Errc::denied:
      return Exit::denied;
    case Errc::no_space:
      return Exit::no_space;
    case Errc::io:
      return Exit::io;
    case Errc::unsupported:
    case Errc::too_large:
      return Exit::unsupported;
    case Errc::already_exists:
    case Errc::conflict:
    case Errc::unavailable:
      return Exit::unavailable;
    case Errc::corrupt:
      return Exit::corrupt;
    case Errc::cancelled:
      return Exit::interrupted;
    case Errc::internal:
      return Exit::internal;
  }
  return Exit::internal;
}

/// What a command exits with that a signal stopped.
constexpr Exit exit_for_signal(int signal_number) noexcept { return static_cast<Exit>(128 + signal_number); }

/// The table as the last part of --help.
inline std::string exit_codes_help() {
  std::string text = "Exit codes:\n";
  for (const ExitMeaning& entry : kExitMeanings) {
    std::string code = std::to_string(static_cast<int>(entry.code));
    text += "  " + code + std::string(5 - code.size(), ' ') + entry.meaning + "\n";
  }
  text.pop_back();
  return text;
}

}  // namespace mediactl
