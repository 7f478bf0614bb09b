#include "media/gate_records.hpp"

#include <array>

namespace media {

std::string_view to_string(Hold hold) noexcept {
  static constexpr std::array<std::string_view, 8> kNames = {"none",     "unscanned", "unseen",  "polyglot",
                                                             "infected", "banned",    "damaged", "missing"};
  return kNames[static_cast<std::size_t>(hold)];
}

}  // namespace media
