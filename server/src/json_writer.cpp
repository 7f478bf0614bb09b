#include "json_writer.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "media_json.hpp"

namespace media::server {
namespace {

/// Written as it is between quotation marks. DEL is, too.
bool is_plain(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

}  // namespace

JsonWriter& JsonWriter::begin(char bracket) {
  separate();
  text_ += bracket;
  follows_ = false;
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  text_ += bracket;
  follows_ = true;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  text_ += '"';
  text_ += name;
  text_ += "\":";
  follows_ = false;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) {
  // The library knows how to escape, and what UTF-8 is.
  if (!std::all_of(text.begin(), text.end(), is_plain)) return plain(dump(nlohmann::ordered_json(text)));
  separate();
  text_ += '"';
  text_ += text;
  text_ += '"';
  follows_ = true;
  return *this;
}

JsonWriter& JsonWriter::plain(std::string_view token) {
  separate();
  text_ += token;
  follows_ = true;
  return *this;
}

void JsonWriter::separate() {
  if (follows_) text_ += ',';
}

}  // namespace media::server
