/// URLs that carry their own permission: to send one upload, or to fetch one thing for a while.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "http/message.hpp"
#include "media/clock.hpp"
#include "media/records.hpp"
#include "media/sign.hpp"

namespace media::server {

/// Thread-safety: every method may be called concurrently; keys and clock do not change.
class UrlSigner {
 public:
  /// The clock outlives the signer.
  UrlSigner(SigningKeys keys, const Clock& clock) : keys_(std::move(keys)), clock_(clock) {}

  /// What stands before the random part of an upload's token: clients rebuild the URL from the token and four parameters, so the name of
  /// the key that signs must travel in the token.
  [[nodiscard]] std::string token_prefix() const { return "upload_" + keys_.key_id() + "_"; }
  /// Is the key that the token names still there? Without it no URL of that token is good.
  [[nodiscard]] bool can_sign(const UploadSession& session) const;
  /// `base_url` + "/media/upload/…", signed by the key that the token names where it is still there.
  [[nodiscard]] std::string upload_url(const std::string& base_url, const UploadSession& session) const;

  enum class Check : std::uint8_t {
    absent,  ///< The request carries no signature.
    good,
    malformed,  ///< A parameter is doubled, unknown or no number.
    bad,        ///< Wrong, missing, or expired.
  };
  /// Judges `PUT media/upload/{token}`; takes as long without a session as with one.
  [[nodiscard]] Check check_upload(const http::Request& request, const std::optional<UploadSession>& session) const;

  /// A URL by which anybody may GET `path` (below the base, "/media/7/download") with these parameters until it expires. The signature
  /// covers all of them by their decoded values, in whatever order they come back.
  [[nodiscard]] std::string delivery_url(const std::string& base_url, const std::string& path, std::vector<QueryParameter> parameters,
                                         Timestamp expires_at) const;
  /// Judges a GET or HEAD; `path` as above.
  [[nodiscard]] Check check_delivery(const http::Request& request, std::string_view path) const;

  /// When a URL that is handed out now should expire: at least `least` from now, and the same for all that ask within an hour, so that
  /// an answer with such URLs in it stays the same answer.
  [[nodiscard]] Timestamp rounded_expiry(std::chrono::seconds least) const;

 private:
  [[nodiscard]] bool expired(std::string_view expires) const;

  SigningKeys keys_;
  const Clock& clock_;
};

}  // namespace media::server
