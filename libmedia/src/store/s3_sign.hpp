/// AWS Signature Version 4, as S3 has it: in a header, and in a query for whoever gets a URL.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "media/clock.hpp"
#include "media/s3_store.hpp"
#include "store/s3_text.hpp"

namespace media::store::s3 {

struct SigningScope {
  const S3Credentials& credentials;
  std::string_view region;
  Timestamp time;
};

/// What is signed. The path is percent-encoded already; names of headers are in lower case, in any order.
struct Signable {
  std::string_view method;
  std::string_view path;
  const Fields& query;
  const Fields& headers;
  std::string_view payload_hash;  ///< 64 hex, or "UNSIGNED-PAYLOAD".
};

/// The value of the header Authorization. All of `headers` are signed: "host" and "x-amz-date" have to be among them.
std::string authorization(const Signable& request, const SigningScope& scope);

/// The query, encoded, with which a URL is a credential for `lifetime`. Only "host" is signed beside it.
std::string presigned_query(std::string_view method, std::string_view path, const Fields& query, std::string_view host,
                            std::chrono::seconds lifetime, const SigningScope& scope);

/// SHA-256 of nothing, as a payload's hash.
inline constexpr std::string_view kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

}  // namespace media::store::s3
