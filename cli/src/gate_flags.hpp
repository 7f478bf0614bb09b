/// Options of commands that take something in, or let something go: the same variables that mediad reads, so that one environment serves
/// both.
#pragma once

#include <cstdint>
#include <string>

#include "command.hpp"
#include "open_store.hpp"

namespace mediactl {

struct GateFlags {
  std::uint64_t quota_bytes = 0;
  std::uint64_t quota_media = 0;
  std::string clamd;
  std::string unscanned = "refuse";
  std::string polyglots = "refuse";
};

void add_quota_options(CLI::App& command, GateFlags& flags);
/// What is checked of a content: --clamd, --polyglots.
void add_check_options(CLI::App& command, GateFlags& flags);
/// --unscanned RULE.
void add_unscanned_option(CLI::App& command, GateFlags& flags);
/// Errors: `invalid_argument`.
media::Result<void> apply(const GateFlags& flags, OpenStore& how);

}  // namespace mediactl
