#include <algorithm>
#include <chrono>

#include "media/sign.hpp"

namespace media {
namespace {

constexpr std::string_view kPurpose = "libmedia delivery 1";

/// Sorted, as one list of names and values behind method and path.
std::vector<std::string_view> fields_of(std::string_view path, std::vector<QueryParameter>& parameters) {
  std::sort(parameters.begin(), parameters.end(),
            [](const QueryParameter& a, const QueryParameter& b) { return a.name != b.name ? a.name < b.name : a.value < b.value; });
  std::vector<std::string_view> fields = {"GET", path};
  for (const QueryParameter& parameter : parameters) {
    fields.push_back(parameter.name);
    fields.push_back(parameter.value);
  }
  return fields;
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '.' ||
        byte == '_' || byte == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

std::string sign_delivery(const SigningKeys& keys, std::string_view path, std::vector<QueryParameter> parameters, Timestamp expires_at) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(expires_at.time_since_epoch()).count();
  parameters.push_back({"expires", std::to_string(seconds)});
  parameters.push_back({"key", keys.key_id()});
  const std::string signature = keys.sign(kPurpose, fields_of(path, parameters));
  std::string url = std::string(path) + "?";
  for (const QueryParameter& parameter : parameters) url += percent_encode(parameter.name) + "=" + percent_encode(parameter.value) + "&";
  return url + "signature=" + signature;
}

bool verify_delivery(const SigningKeys& keys, std::string_view path, std::vector<QueryParameter> parameters, std::string_view signature) {
  const auto key = std::find_if(parameters.begin(), parameters.end(), [](const QueryParameter& one) { return one.name == "key"; });
  const std::string id = key == parameters.end() ? std::string() : key->value;
  return keys.verify(id, kPurpose, fields_of(path, parameters), signature);
}

}  // namespace media
