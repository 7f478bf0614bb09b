/// Tells another service what became of a media, by HTTP, as Standard Webhooks 1.0 has it.
#pragma once

#include <chrono>
#include <string>

#include "media/clock.hpp"
#include "media/library.hpp"
#include "web_client.hpp"

namespace media::server {

/// `{"type": "media.completed", "timestamp": …, "data": {the media object}}`; the types are media.completed, media.failed, media.deleted.
/// For `LibraryOptions::describe_event`.
std::string webhook_body(MediaEvent event, const Media& media, Timestamp now);

/// Posts notifications to one URL, signed: `webhook-id`, `webhook-timestamp` and `webhook-signature: v1,<base64 of the HMAC-SHA-256 over
/// "id.timestamp.body">`.
///
/// Thread-safety: `send` may be called concurrently.
class Webhook {
 public:
  struct Options {
    std::string url;
    std::string secret;  ///< As it is; "whsec_…" stands for the bytes that its base64 means.
    std::chrono::milliseconds timeout{std::chrono::seconds(10)};
  };
  /// The clock outlives it.
  Webhook(Options options, const Clock& clock);

  /// 2xx: told. `denied`: the receiver is gone for good (410). `unavailable`: anything else; try again.
  Result<void> send(const Notification& notification);

 private:
  Options options_;
  std::string key_;
  const Clock& clock_;
  WebClient web_;
};

}  // namespace media::server
