#include "url_signer.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace media::server {
namespace {

constexpr std::string_view kUploadPurpose = "libmedia upload 1";
constexpr std::array<std::string_view, 4> kUploadParameters = {"signature", "expires", "size", "type"};

std::int64_t unix_seconds(Timestamp time) { return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count(); }

/// Digits alone, none to spare: one value has one spelling.
bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 15 && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
         (text.size() == 1 || text.front() != '0');
}

/// Of "upload_<key>_<random>".
std::string_view key_id_of(std::string_view token) {
  const auto from = token.find('_');
  const auto to = token.rfind('_');
  return from == std::string_view::npos || to <= from ? std::string_view() : token.substr(from + 1, to - from - 1);
}

}  // namespace

bool UrlSigner::expired(std::string_view expires) const {
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(expires.data(), expires.data() + expires.size(), seconds);
  return error != std::errc{} || end != expires.data() + expires.size() || unix_seconds(clock_.now()) >= seconds;
}

bool UrlSigner::can_sign(const UploadSession& session) const { return keys_.knows(key_id_of(session.token)); }

std::string UrlSigner::upload_url(const std::string& base_url, const UploadSession& session) const {
  const std::string id = std::to_string(session.media_id);
  const std::string expires = std::to_string(unix_seconds(session.expires_at));
  const std::string size = std::to_string(session.size_bytes);
  const std::array<std::string_view, 5> fields = {session.token, id, expires, size, session.media_type};
  const std::string signature = keys_.sign_as(key_id_of(session.token), kUploadPurpose, fields);
  return base_url + "/media/upload/" + session.token + "?signature=" + signature + "&expires=" + expires + "&size=" + size +
         "&type=" + percent_encode(session.media_type);
}

UrlSigner::Check UrlSigner::check_upload(const http::Request& request, const std::optional<UploadSession>& session) const {
  for (const http::Parameter& parameter : request.query) {
    const bool known = std::find(kUploadParameters.begin(), kUploadParameters.end(), parameter.name) != kUploadParameters.end();
    if (!known) return Check::malformed;
  }
  bool complete = true;
  for (const std::string_view name : kUploadParameters) {
    if (request.query_count(name) > 1) return Check::malformed;
    complete = complete && request.query_count(name) == 1;
  }
  if (!complete) return Check::bad;
  const std::string_view expires = *request.query_value("expires");
  const std::string_view size = *request.query_value("size");
  if (!is_number(expires) || !is_number(size)) return Check::malformed;
  const std::string_view token = request.capture("token");
  const std::string id = std::to_string(session ? session->media_id : 0);
  const std::array<std::string_view, 5> fields = {token, id, expires, size, *request.query_value("type")};
  const bool right = keys_.verify(key_id_of(token), kUploadPurpose, fields, *request.query_value("signature"));
  return right && session && !expired(expires) ? Check::good : Check::bad;
}

std::string UrlSigner::delivery_url(const std::string& base_url, const std::string& path, std::vector<QueryParameter> parameters,
                                    Timestamp expires_at) const {
  return base_url + sign_delivery(keys_, path, std::move(parameters), expires_at);
}

UrlSigner::Check UrlSigner::check_delivery(const http::Request& request, std::string_view path) const {
  if (request.query_count("signature") == 0) return Check::absent;
  bool complete = true;
  for (const std::string_view name : {"signature", "expires", "key"}) {
    if (request.query_count(name) > 1) return Check::malformed;
    complete = complete && request.query_count(name) == 1;
  }
  if (!complete) return Check::bad;
  const std::string_view expires = *request.query_value("expires");
  if (!is_number(expires)) return Check::malformed;
  std::vector<QueryParameter> parameters;
  for (const http::Parameter& parameter : request.query) {
    if (parameter.name != "signature") parameters.push_back({parameter.name, parameter.value});
  }
  const bool right = verify_delivery(keys_, path, std::move(parameters), *request.query_value("signature"));
  return right && !expired(expires) ? Check::good : Check::bad;
}

Timestamp UrlSigner::rounded_expiry(std::chrono::seconds least) const {
  return std::chrono::ceil<std::chrono::hours>(clock_.now() + least);
}

}  // namespace media::server
