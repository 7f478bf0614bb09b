#include "webhook.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base64.hpp"
#include "media_json.hpp"

namespace media::server {
namespace {

constexpr std::string_view kSecretMark = "whsec_";

std::string_view type_of(MediaEvent event) {
  switch (event) {
    case MediaEvent::completed:
      return "media.completed";
    case MediaEvent::failed:
      return "media.failed";
    case MediaEvent::removed:
      break;
  }
  return "media.deleted";
}

std::string key_of(const std::string& secret) {
  if (!secret.starts_with(kSecretMark)) return secret;
  return base64_decode(std::string_view(secret).substr(kSecretMark.size())).value_or(secret);
}

std::string sign(const std::string& key, const std::string& text) {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         code.data(), &size);
  return base64_encode(std::span(code.data(), size));
}

}  // namespace

std::string webhook_body(MediaEvent event, const Media& media, Timestamp now) {
  JsonWriter body;
  body.begin_object().member("type", type_of(event)).member("timestamp", to_rfc3339(now)).key("data").begin_object();
  write_media(body, media);
  return body.end_object().end_object().take();
}

Webhook::Webhook(Options options, const Clock& clock) : options_(std::move(options)), key_(key_of(options_.secret)), clock_(clock) {}

Result<void> Webhook::send(const Notification& notification) {
  const std::string id = "media_" + std::to_string(notification.id);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(clock_.now().time_since_epoch()).count();
  const std::string time = std::to_string(seconds);
  WebRequest request;
  request.url = options_.url;
  request.body = notification.payload;
  request.body_type = "application/json";
  request.fields = {"webhook-id: " + id, "webhook-timestamp: " + time,
                    "webhook-signature: v1," + sign(key_, id + "." + time + "." + notification.payload)};
  request.timeout = options_.timeout;
  MEDIA_TRY_ASSIGN(const auto reply, web_.ask(request));
  if (reply.status >= 200 && reply.status < 300) return {};
  const bool gone = reply.status == 410;
  return Error{gone ? Errc::denied : Errc::unavailable, "the webhook's receiver answered " + std::to_string(reply.status)};
}

}  // namespace media::server
