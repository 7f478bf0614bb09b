// Any bytes as clamd's answer: only the one text that says so is clean, and what is told of it is fit for a log.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "inspect/clamd_reply.hpp"

using media::inspect::ClamdReply;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto reply = media::inspect::parse_clamd_reply(line);
  const std::string& told = reply ? reply->text : reply.error().message;
  require(std::all_of(told.begin(), told.end(), [](char c) { return c >= 0x20 && c < 0x7f; }));
  if (!reply) return 0;
  require(reply->text.size() <= 128);
  if (reply->kind == ClamdReply::Kind::clean) require(line.ends_with("stream: OK") && line.size() <= 10 + 10 + 2);
  if (reply->kind == ClamdReply::Kind::infected) require(line.ends_with(" FOUND") && !reply->text.empty());
  if (reply->kind == ClamdReply::Kind::size_limit || reply->kind == ClamdReply::Kind::error) require(line.ends_with(" ERROR"));
  require((reply->command != 0) == (!line.empty() && line[0] >= '0' && line[0] <= '9'));
  return 0;
}
