// Uploads by signed URL: asked for with a name, a type and a size, then sent by whoever holds the URL.

#include <nlohmann/json.hpp>

#include "errors.hpp"
#include "media_json.hpp"
#include "request_json.hpp"
#include "routes.hpp"
#include "upload_rules.hpp"

namespace media::server {
namespace {

using Json = nlohmann::ordered_json;

struct Wanted {
  UploadPromise promise;
  std::optional<http::Response> refusal;
};

/// Reads what is asked for; a refusal names the field and what it accepts.
Wanted read_wanted(const Json& body, const http::Request& request, const RouteContext& context) {
  Wanted wanted;
  const auto refuse = [&](std::string_view field, const std::string& accepts) {
    wanted.refusal = error_response(400, std::string(field) + ": accepts " + accepts, request, {std::string(field), accepts});
    return std::move(wanted);
  };
  UploadPromise& promise = wanted.promise;
  for (const auto& [name, value] : body.items()) {
    if (name == "filename" && value.is_string()) {
      promise.filename = value.get<std::string>();
    } else if (name == "content_type" && value.is_string()) {
      promise.media_type = ascii_lower(value.get<std::string>());
    } else if (name == "file_size" && value.is_number_unsigned()) {
      promise.size_bytes = value.get<std::uint64_t>();
    } else if (name == "sha256" && value.is_string()) {
      const auto digest = Digest::from_hex(value.get_ref<const std::string&>());
      if (!digest) return refuse("sha256", "64 hexadecimal digits");
      promise.digest = *digest;
    }
  }
  if (body.contains("sha256") && !promise.digest) return refuse("sha256", "64 hexadecimal digits");
  promise.filename = without_path(std::move(promise.filename));
  const auto& policy = context.library.policy();
  if (const auto accepts = refuse_filename(promise.filename, context.config.blocked_extensions)) return refuse("filename", *accepts);
  if (const auto accepts = refuse_type(promise.media_type, policy)) return refuse("content_type", *accepts);
  if (const auto accepts = refuse_mismatch(promise.filename, promise.media_type)) return refuse("filename", *accepts);
  const std::uint64_t limit = upload_limit(promise.media_type, policy, context.config);
  if (promise.size_bytes == 0 || promise.size_bytes > limit)
    return refuse("file_size", "a size of 1 to " + std::to_string(limit) + " bytes");
  return wanted;
}

http::Response request_upload(http::Request& request, RouteContext& context) {
  auto body = read_json_object(request);
  if (!body) return error_response(body.error(), request, context.log);
  auto wanted = read_wanted(*body, request, context);
  if (wanted.refusal) return std::move(*wanted.refusal);
  UploadPromise& promise = wanted.promise;
  promise.owner = context.owner_of(request);
  promise.lifetime = context.config.upload_url_lifetime;
  promise.token_prefix = context.signer.token_prefix();
  if (const auto key = request.header("Idempotency-Key")) {
    if (key->empty() || key->size() > 255) {
      return error_response(400, "Idempotency-Key: 1 to 255 bytes", request, {"Idempotency-Key", "1 to 255 bytes"});
    }
    promise.idempotency_key = *key;
  }
  auto session = context.library.promise(promise);
  if (session && !context.signer.can_sign(*session)) {
    // Promised under a key that was taken out since.
    promise.renew = true;
    session = context.library.promise(promise);
  }
  if (!session) return error_response(session.error(), request, context.log);
  const auto media = context.library.find(session->media_id);
  if (!media) return error_response(media.error(), request, context.log);
  Json answer;
  answer["media_id"] = session->media_id;
  answer["upload_url"] = context.signer.upload_url(context.base_url(request), *session);
  answer["upload_token"] = session->token;
  answer["expires_at"] = to_rfc3339(session->expires_at);
  answer["status"] = to_string(*media ? (*media)->status : MediaStatus::pending);
  return http::Response::text(200, dump(answer), "application/json").with("Cache-Control", "no-store");
}

http::Response unauthorized(const http::Request& request) {
  return error_response(401, "the signature is wrong, or the URL has expired", request)
      .with("WWW-Authenticate", "Signature realm=\"media\"");
}

http::Response wrong_size(const http::Request& request, std::uint64_t size) {
  const std::string accepts = "exactly " + std::to_string(size) + " bytes";
  return error_response(400, "size: accepts " + accepts, request, {"size", accepts});
}

http::Response receive_upload(http::Request& request, RouteContext& context) {
  const std::string token(request.capture("token"));
  const auto session = context.library.find_upload(token);
  if (!session) return error_response(session.error(), request, context.log);
  switch (context.signer.check_upload(request, *session)) {
    case UrlSigner::Check::good:
      break;
    case UrlSigner::Check::malformed:
    case UrlSigner::Check::absent:
      return error_response(400, "accepts exactly the parameters signature, expires, size and type, each once, as they were given out",
                            request);
    case UrlSigner::Check::bad:
      return unauthorized(request);
  }
  const std::uint64_t size = (*session)->size_bytes;
  if (request.content_length && *request.content_length != size) return wrong_size(request, size);
  // Counted here, beyond any piece: the body's own limit would answer a body of chunks that goes on with 413.
  if (const auto allowed = request.body->limit(UINT64_MAX); !allowed) return error_response(allowed.error(), request, context.log);

  IngestRequest wanted;
  wanted.upload_token = token;
  auto received = context.library.begin(wanted);
  if (!received && received.error().code == Errc::expired) return unauthorized(request);
  if (!received) return error_response(received.error(), request, context.log);
  if (auto poured = pour(*request.body, **received, size); !poured) return error_response(poured.error(), request, context.log);
  if (request.body->received() != size) return wrong_size(request, size);
  auto outcome = context.library.finish(std::move(received).value());
  if (!outcome && outcome.error().code == Errc::expired) return unauthorized(request);
  if (!outcome) return error_response(outcome.error(), request, context.log);
  context.metrics.count_upload(outcome->status);
  if (outcome->status == IngestStatus::refused) {
    // The type was promised and allowed: what is something else breaks the promise, not the list of types.
    const Refusal refusal = outcome->verdict.refusal;
    const int status = refusal == Refusal::not_media || refusal == Refusal::type_not_allowed ? 422 : status_of(refusal);
    return error_response(status, outcome->verdict.message, request, {"type", std::string(to_string(outcome->verdict.refusal))});
  }
  Json answer;
  answer["media_id"] = outcome->media.id;
  answer["content_hash"] = outcome->media.digest->to_hex();
  answer["processing_status"] = to_string(outcome->media.status);
  answer["upload_url"] = nullptr;
  return http::Response::text(200, dump(answer), "application/json").with("Cache-Control", "no-store");
}

}  // namespace

void add_promised_upload_routes(http::Router& router, RouteContext& context) {
  const std::string base(kBasePath);
  router.add("POST", base + "/media/upload-request", [&context](http::Request& request) { return request_upload(request, context); },
             {.accepts_body = true, .tag = tag_of(Access::by_method, Tier::upload)});
  router.add("PUT", base + "/media/upload/{token}", [&context](http::Request& request) { return receive_upload(request, context); },
             {.accepts_body = true, .tag = tag_of(Access::by_signature, Tier::upload)});
}

}  // namespace media::server
