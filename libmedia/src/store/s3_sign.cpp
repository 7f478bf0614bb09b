#include "store/s3_sign.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <span>

#include "media/digest.hpp"

namespace media::store::s3 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t kDateLength = 8;

using Mac = std::array<unsigned char, Digest::kSize>;

Mac hmac(std::span<const unsigned char> key, std::string_view text) {
  Mac mac{};
  unsigned int length = mac.size();
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         mac.data(), &length);
  return mac;
}

std::string sha256_hex(std::string_view text) { return Digest::of(std::as_bytes(std::span(text))).to_hex(); }

std::string scope_text(const SigningScope& scope) {
  return basic_time(scope.time).substr(0, kDateLength) + '/' + std::string(scope.region) + "/s3/aws4_request";
}

/// Lower-case names in order, and values without spaces around them.
Fields sorted(const Fields& headers) {
  Fields ordered = headers;
  for (auto& [name, value] : ordered) {
    const auto first = value.find_first_not_of(' ');
    const auto last = value.find_last_not_of(' ');
    value = first == std::string::npos ? std::string() : value.substr(first, last - first + 1);
  }
  std::sort(ordered.begin(), ordered.end());
  return ordered;
}

std::string names_of(const Fields& ordered) {
  std::string names;
  for (const auto& [name, value] : ordered) names += (names.empty() ? "" : ";") + name;
  return names;
}

std::string signature(std::string_view method, std::string_view path, std::string_view query, const Fields& ordered,
                      std::string_view payload_hash, const SigningScope& scope) {
  std::string canonical;
  canonical.append(method).append("\n").append(path).append("\n").append(query).append("\n");
  for (const auto& [name, value] : ordered) canonical.append(name).append(":").append(value).append("\n");
  canonical.append("\n").append(names_of(ordered)).append("\n").append(payload_hash);

  const std::string time = basic_time(scope.time);
  const std::string text = std::string(kAlgorithm) + '\n' + time + '\n' + scope_text(scope) + '\n' + sha256_hex(canonical);
  const std::string secret = "AWS4" + scope.credentials.secret_access_key;
  const auto* const secret_bytes = reinterpret_cast<const unsigned char*>(secret.data());
  const Mac of_date = hmac({secret_bytes, secret.size()}, std::string_view(time).substr(0, kDateLength));
  const Mac key = hmac(hmac(hmac(of_date, scope.region), "s3"), "aws4_request");
  return Digest(hmac(key, text)).to_hex();
}

}  // namespace

std::string authorization(const Signable& request, const SigningScope& scope) {
  const Fields ordered = sorted(request.headers);
  std::string value(kAlgorithm);
  value.append(" Credential=").append(scope.credentials.access_key_id).append("/").append(scope_text(scope));
  value.append(",SignedHeaders=").append(names_of(ordered));
  value.append(",Signature=")
      .append(signature(request.method, request.path, query_text(request.query), ordered, request.payload_hash, scope));
  return value;
}

std::string presigned_query(std::string_view method, std::string_view path, const Fields& query, std::string_view host,
                            std::chrono::seconds lifetime, const SigningScope& scope) {
  Fields all = query;
  all.emplace_back("X-Amz-Algorithm", kAlgorithm);
  all.emplace_back("X-Amz-Credential", scope.credentials.access_key_id + '/' + scope_text(scope));
  all.emplace_back("X-Amz-Date", basic_time(scope.time));
  all.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  all.emplace_back("X-Amz-SignedHeaders", "host");
  if (!scope.credentials.session_token.empty()) all.emplace_back("X-Amz-Security-Token", scope.credentials.session_token);
  const std::string text = query_text(all);
  const Fields headers = {{"host", std::string(host)}};
  return text + "&X-Amz-Signature=" + signature(method, path, text, headers, "UNSIGNED-PAYLOAD", scope);
}

}  // namespace media::store::s3
