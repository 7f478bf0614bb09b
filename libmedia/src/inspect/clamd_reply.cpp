#include "inspect/clamd_reply.hpp"

#include <algorithm>
#include <charconv>

namespace media::inspect {
namespace {

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 128;
  std::string out(text.substr(0, kLongest));
  std::replace_if(out.begin(), out.end(), [](char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return out;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool take_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

/// "12: " before an answer within a session. False where there is a number that is none.
bool take_command(std::string_view& line, std::uint32_t& command) {
  const auto digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos || line.substr(digits, 2) != ": ") return digits == 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + digits, command);
  if (error != std::errc() || command == 0) return false;
  line.remove_prefix(digits + 2);
  return end != nullptr;
}

}  // namespace

Result<ClamdReply> parse_clamd_reply(std::string_view line) {
  const Error none{Errc::corrupt, "clamd: its answer is none: \"" + printable(line) + "\""};
  ClamdReply reply;
  if (!take_command(line, reply.command)) return none;
  if (line == "PONG") {
    reply.kind = ClamdReply::Kind::pong;
    return reply;
  }
  if (line == "stream: OK") {
    reply.kind = ClamdReply::Kind::clean;
    return reply;
  }
  std::string_view text = line;
  if (take_prefix(text, "stream: ") && take_suffix(text, " FOUND")) {
    if (text.empty()) return none;
    reply.kind = ClamdReply::Kind::infected;
    reply.text = printable(text);
    return reply;
  }
  text = line;
  if (!take_suffix(text, " ERROR")) return none;
  reply.kind = text.find("size limit exceeded") != std::string_view::npos ? ClamdReply::Kind::size_limit : ClamdReply::Kind::error;
  reply.text = printable(text);
  return reply;
}

}  // namespace media::inspect
