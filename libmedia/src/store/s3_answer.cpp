#include "store/s3_answer.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>

#include "store/s3_xml.hpp"

namespace media::store::s3 {
namespace {

constexpr std::chrono::minutes kMostSkew{15};

/// What others wrote goes into a message only where it can do nothing there.
bool is_plain(std::string_view text) {
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
         });
}

/// How far this clock is from the answer's; absent where it does not tell, or where the two are close.
std::optional<std::string> skew_of(const HttpAnswer& answer, Timestamp now) {
  const auto theirs = time_of_http_date(answer.header("date"));
  if (!theirs) return std::nullopt;
  const auto ahead = std::chrono::round<std::chrono::minutes>(now - *theirs);
  if (std::chrono::abs(ahead) < kMostSkew) return std::nullopt;
  return std::to_string(std::abs(ahead.count())) + " minutes " + (ahead.count() > 0 ? "ahead of" : "behind") + " the object store's";
}

struct Meaning {
  std::string_view code;
  Errc errc;
  std::string_view words;
};

constexpr std::array kMeanings = {
    Meaning{"InvalidAccessKeyId", Errc::denied, "the object store does not know the access key"},
    Meaning{"SignatureDoesNotMatch", Errc::denied, "the secret key does not fit the access key"},
    Meaning{"ExpiredToken", Errc::denied, "the session token has expired"},
    Meaning{"InvalidToken", Errc::denied, "the session token is not accepted"},
    Meaning{"QuotaExceeded", Errc::no_space, "the quota of the bucket or of its owner is full"},
    Meaning{"XMinioStorageFull", Errc::no_space, "the object store is full"},
    Meaning{"EntityTooLarge", Errc::too_large, "larger than the object store takes"},
    Meaning{"BadDigest", Errc::unavailable, "the bytes arrived damaged"},
    Meaning{"XAmzContentSHA256Mismatch", Errc::unavailable, "the bytes arrived damaged"},
    Meaning{"IncompleteBody", Errc::unavailable, "not all bytes arrived"},
    Meaning{"RequestTimeout", Errc::unavailable, "the bytes arrived too slowly"},
    Meaning{"OperationAborted", Errc::unavailable, "somebody else is changing the same"},
    Meaning{"ConditionalRequestConflict", Errc::unavailable, "somebody else is changing the same"},
};

bool speaks_of_region(std::string_view code, long status) {
  return code == "PermanentRedirect" || code == "TemporaryRedirect" || code == "AuthorizationHeaderMalformed" ||
         code == "IllegalLocationConstraintException" || status == 301 || status == 307 || status == 308;
}

Error of_status(long status, const std::string& shown) {
  switch (status) {
    case 404:
      return {Errc::not_found, "not in the store"};
    case 412:
      return {Errc::conflict, "it is not, or no longer, as was expected"};
    case 507:
      return {Errc::no_space, "the object store is full"};
    case 501:
      return {Errc::unsupported, "the object store cannot do that (" + shown + ")"};
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return {Errc::unavailable, "the object store is overloaded or unwell (" + shown + ")"};
    default:
      return {Errc::io, "the object store answered " + shown};
  }
}

}  // namespace

std::string error_code_of(const HttpAnswer& answer) {
  if (answer.text.empty()) return {};
  std::string code = parse_error(answer.text).code;
  return is_plain(code) ? code : std::string();
}

Error error_of(const HttpAnswer& answer, const Place& place, std::string_view what, Timestamp now) {
  const auto say = [&](Errc errc, const std::string& words) { return Error{errc, std::string(what) + ": " + words}; };
  const ErrorDocument document = parse_error(answer.text);
  const std::string code = is_plain(document.code) ? document.code : std::string();
  const std::string shown = std::to_string(answer.status) + (code.empty() ? "" : " " + code);

  if (code == "NoSuchBucket") return say(Errc::io, "there is no bucket '" + place.bucket + "' at " + place.endpoint);
  std::string region = answer.header("x-amz-bucket-region");
  if (region.empty()) region = document.region;
  if (speaks_of_region(code, answer.status) || (answer.status == 400 && !region.empty() && region != place.region)) {
    const std::string where = region.empty() || !is_plain(region) ? "another region" : "region '" + region + "'";
    return say(Errc::invalid_argument, "bucket '" + place.bucket + "' is in " + where + ", not in '" + place.region + "'");
  }
  for (const Meaning& meaning : kMeanings) {
    if (code == meaning.code) return say(meaning.errc, std::string(meaning.words));
  }
  if (code == "RequestTimeTooSkewed" || answer.status == 403) {
    if (const auto skew = skew_of(answer, now)) return say(Errc::denied, "this machine's clock is " + *skew);
  }
  if (code == "RequestTimeTooSkewed") return say(Errc::denied, "this machine's clock is too far from the object store's");
  if (answer.status == 401 || answer.status == 403) {
    return say(Errc::denied, "the credentials do not open bucket '" + place.bucket + "' for it (" + shown + ")");
  }
  const Error rest = of_status(answer.status, shown);
  return say(rest.code, rest.message);
}

}  // namespace media::store::s3
