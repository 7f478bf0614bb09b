/// What `mediactl doctor` looks at: one function a subject, each with its facts and what to do about them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "command.hpp"
#include "console.hpp"

namespace mediactl {

struct Check {
  enum class Status : std::uint8_t {
    good,
    advice,  ///< Works, and could be better.
    wrong,   ///< Does not work, or data is at risk.
  };
  std::string name{};
  Status status = Status::good;
  Json facts = Json::object();
  std::string message{};
  std::vector<std::string> advice{};

  void advise(std::string sentence) {
    if (status == Status::good) status = Status::advice;
    advice.push_back(std::move(sentence));
  }
  void fault(std::string sentence) {
    status = Status::wrong;
    advice.push_back(std::move(sentence));
  }
};

const char* to_string(Check::Status status) noexcept;

Check check_hashing();
Check check_pictures();
Check check_workers();
Check check_clock();
// Of a store:
Check check_disk(const Globals& globals);
Check check_layout(const Globals& globals);
/// Also compares the clock with the newest media.
Check check_catalog(const Globals& globals);

}  // namespace mediactl
