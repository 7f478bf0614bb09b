// Resumable uploads by tus 1.0.0 (core; creation, creation-with-upload, expiration, checksum, termination, concatenation).

#include <algorithm>
#include <array>
#include <memory>
#include <stop_token>

#include "errors.hpp"
#include "http/text.hpp"
#include "routes.hpp"
#include "tus_checksum.hpp"
#include "tus_fields.hpp"
#include "upload_rules.hpp"

namespace media::server {
namespace {

constexpr const char* kVersion = "1.0.0";
constexpr const char* kExtensions = "creation,creation-with-upload,expiration,checksum,termination,concatenation";
constexpr const char* kAlgorithms = "sha1,sha256";
constexpr std::string_view kContentType = "application/offset+octet-stream";
constexpr std::size_t kPieceBytes = 256U << 10U;

/// How long a request waits for the one before it to give way. A client asks with HEAD where to go on, and would rather hear an
/// offset that is a moment old than wait.
constexpr std::chrono::milliseconds kPatience{3000};
constexpr std::chrono::milliseconds kHeadPatience{1000};

std::string uploads_path() { return std::string(kBasePath) + "/uploads"; }
std::string location_of(const std::string& id, const http::Request& request, const RouteContext& context) {
  return context.base_url(request) + "/uploads/" + id;
}

/// All digits; what does not fit counts as the largest number, for it is too large for whatever it is compared with.
std::optional<std::uint64_t> parse_bytes(std::optional<std::string_view> text) {
  if (!text || text->empty() || !std::all_of(text->begin(), text->end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  return http::parse_decimal(*text).value_or(UINT64_MAX);
}

http::Response refuse_field(int status, std::string_view field, const std::string& accepts, const http::Request& request) {
  return error_response(status, std::string(field) + ": accepts " + accepts, request, {std::string(field), accepts});
}

http::Response no_such_upload(const http::Request& request) { return error_response(404, "there is no such upload", request); }

http::Response failure(const Error& error, const http::Request& request, RouteContext& context) {
  if (error.code == Errc::expired) return error_response(410, "the upload has expired", request);
  return error_response(error, request, context.log);
}

/// Of a turn that could not be had.
http::Response no_turn(const Error& error, const http::Request& request, RouteContext& context) {
  if (error.code == Errc::unavailable)
    return error_response(423, "another request is at this upload; try again", request).with("Retry-After", "1");
  return failure(error, request, context);
}

struct Found {
  ResumableUpload upload;
  std::optional<http::Response> refusal;
};

/// The upload that the path names, where it is the caller's: of another's not even its existence is told.
Found find_own(const http::Request& request, RouteContext& context) {
  auto upload = context.library.find_resumable(std::string(request.capture("id")));
  if (!upload) return {{}, error_response(upload.error(), request, context.log)};
  if (!*upload || (*upload)->owner != context.owner_of(request)) return {{}, no_such_upload(request)};
  return {std::move(**upload), std::nullopt};
}

void describe(http::Response& response, const ResumableUpload& upload, std::uint64_t offset) {
  response.headers.set("Upload-Offset", std::to_string(offset));
  if (upload.media_id != 0) {
    response.headers.set("Media-Id", std::to_string(upload.media_id));
  } else {
    response.headers.set("Upload-Expires", http::to_http_date(upload.expires_at));
  }
  response.headers.set("Cache-Control", "no-store");
}

/// Ends a turn at an upload whose bytes may all be there: makes the media then, and notes it in `upload`. The answer where it fails.
std::optional<http::Response> complete(std::unique_ptr<Resumption> turn, ResumableUpload& upload, const http::Request& request,
                                       RouteContext& context) {
  if (upload.media_id != 0 || upload.kind != ResumableKind::whole || turn->settled_offset() != upload.size_bytes) return std::nullopt;
  const auto outcome = context.library.finish(std::move(turn));
  if (!outcome) return failure(outcome.error(), request, context);
  context.metrics.count_upload(outcome->status);
  if (outcome->status == IngestStatus::refused) {
    return error_response(status_of(outcome->verdict.refusal), outcome->verdict.message, request,
                          {"file", std::string(to_string(outcome->verdict.refusal))});
  }
  upload.media_id = outcome->media.id;
  return std::nullopt;
}

/// Reads the body into the upload, and into the checksum where there is one. Ends early where somebody else asks for the turn.
Result<void> pour(http::Body& body, Resumption& turn, RunningChecksum* checksum) {
  const std::stop_callback give_way(turn.asked_to_stop(), [&body] { body.cancel(); });
  const auto buffer = std::make_unique_for_overwrite<std::byte[]>(kPieceBytes);
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, body.read(std::span(buffer.get(), kPieceBytes)));
    if (got == 0) return {};
    const std::span<const std::byte> piece(buffer.get(), got);
    if (checksum != nullptr) checksum->update(piece);
    MEDIA_TRY(turn.write(piece));
  }
}

/// The checksum that a body must have; a refusal where the field cannot be read.
struct Wanted {
  std::optional<UploadChecksum> checksum;
  std::optional<http::Response> refusal;
};

Wanted read_checksum(const http::Request& request, RouteContext& context) {
  const auto field = request.header("Upload-Checksum");
  if (!field) return {};
  auto checksum = parse_upload_checksum(*field);
  if (!checksum) return {std::nullopt, error_response(checksum.error(), request, context.log)};
  return {std::move(checksum).value(), std::nullopt};
}

/// Takes the body at the upload's end and completes the upload if that was its last byte: 204, or what went wrong.
http::Response receive(http::Request& request, RouteContext& context, std::unique_ptr<Resumption> turn,
                       const std::optional<UploadChecksum>& checksum) {
  ResumableUpload upload = turn->upload();
  if (const auto allowed = request.body->limit(upload.size_bytes - turn->offset()); !allowed) {
    return refuse_field(413, "the body", "at most the bytes that are missing, " + std::to_string(upload.size_bytes - turn->offset()),
                        request);
  }
  std::optional<RunningChecksum> running;
  if (checksum) {
    running.emplace(checksum->algorithm);
    turn->hold_back();
  }
  const auto poured = pour(*request.body, *turn, running ? &*running : nullptr);
  if (checksum && (!poured || running->finish() != checksum->digest)) {
    if (const auto discarded = turn->discard(); !discarded) return failure(discarded.error(), request, context);
    if (poured) return error_response(460, "the bytes have another checksum than Upload-Checksum says; none of them was kept", request);
  }
  // What came is kept even if the client is gone: that is what it will ask for.
  const auto settled = turn->settle();
  if (!poured) return failure(poured.error(), request, context);
  if (!settled) return failure(settled.error(), request, context);
  const std::uint64_t offset = turn->settled_offset();
  if (auto failed = complete(std::move(turn), upload, request, context)) return std::move(*failed);
  auto response = http::Response::empty(204);
  describe(response, upload, offset);
  return response;
}

http::Response join_parts(const http::Request& request, RouteContext& context, const ResumableRequest& wanted,
                          const std::vector<std::string>& parts) {
  const auto joined = context.library.join(wanted, parts);
  if (!joined) return failure(joined.error(), request, context);
  context.metrics.count_upload(joined->outcome.status);
  if (joined->outcome.status == IngestStatus::refused) {
    const Verdict& verdict = joined->outcome.verdict;
    return error_response(status_of(verdict.refusal), verdict.message, request, {"file", std::string(to_string(verdict.refusal))});
  }
  auto response = http::Response::empty(201);
  describe(response, joined->upload, joined->upload.size_bytes);
  return std::move(response).with("Location", location_of(joined->upload.id, request, context));
}

/// Fills in what the metadata claims of the file; a refusal where it would not be let in.
std::optional<http::Response> read_metadata(const http::Request& request, RouteContext& context, ResumableRequest& wanted) {
  const auto field = request.header("Upload-Metadata");
  if (!field) return std::nullopt;
  const auto metadata = parse_upload_metadata(*field);
  if (!metadata) return error_response(metadata.error(), request, context.log);
  wanted.metadata = *field;
  for (const char* const key : {"filename", "name"}) {
    if (wanted.filename.empty()) wanted.filename = without_path(metadata->value_of(key));
  }
  for (const char* const key : {"filetype", "type"}) {
    if (wanted.declared_type.empty()) wanted.declared_type = ascii_lower(metadata->value_of(key));
  }
  // What a browser says of a file that it does not know claims nothing.
  if (wanted.declared_type == "application/octet-stream") wanted.declared_type.clear();
  if (!wanted.filename.empty()) {
    if (const auto accepts = refuse_filename(wanted.filename, context.config.blocked_extensions)) {
      return refuse_field(400, "filename", *accepts, request);
    }
  }
  if (!wanted.declared_type.empty()) {
    if (const auto accepts = refuse_type(wanted.declared_type, context.library.policy()))
      return refuse_field(400, "filetype", *accepts, request);
    if (const auto accepts = refuse_mismatch(wanted.filename, wanted.declared_type))
      return refuse_field(400, "filename", *accepts, request);
  }
  return std::nullopt;
}

http::Response create(http::Request& request, RouteContext& context) {
  ResumableRequest wanted;
  wanted.owner = context.owner_of(request);
  wanted.lifetime = context.config.resumable_lifetime;
  if (auto refusal = read_metadata(request, context, wanted)) return std::move(*refusal);
  const std::uint64_t limit = upload_limit(wanted.declared_type, context.library.policy(), context.config);
  if (const auto field = request.header("Upload-Concat")) {
    const auto concat = parse_upload_concat(*field, uploads_path());
    if (!concat) return error_response(concat.error(), request, context.log);
    if (concat->is_final) {
      if (request.header("Upload-Length")) return refuse_field(400, "Upload-Length", "nothing with a final concatenation", request);
      return join_parts(request, context, wanted, concat->parts);
    }
    wanted.is_part = true;
  }
  const auto length = parse_bytes(request.header("Upload-Length"));
  if (!length || *length == 0) return refuse_field(400, "Upload-Length", "a number of bytes, at least 1", request);
  if (*length > limit) return refuse_field(413, "Upload-Length", "at most " + std::to_string(limit) + " bytes", request);
  wanted.size_bytes = *length;
  if (request.has_body && request.header("Content-Type") != kContentType) {
    return refuse_field(415, "Content-Type", std::string(kContentType), request);
  }
  const auto [checksum, refusal] = read_checksum(request, context);
  if (refusal) return *refusal;

  auto turn = context.library.begin_resumable(wanted);
  if (!turn) return failure(turn.error(), request, context);
  const ResumableUpload upload = (*turn)->upload();
  auto response = http::Response::empty(204);
  describe(response, upload, 0);
  if (request.has_body) {
    response = receive(request, context, std::move(turn).value(), checksum);
    if (response.status >= 400) {
      // The client was never told where it is.
      static_cast<void>(context.library.remove_resumable(upload.id, kPatience));  // else it expires
      return response;
    }
  }
  response.status = 201;
  return response.with("Location", location_of(upload.id, request, context));
}

http::Response append(http::Request& request, RouteContext& context) {
  if (request.header("Content-Type") != kContentType) return refuse_field(415, "Content-Type", std::string(kContentType), request);
  const auto offset = parse_bytes(request.header("Upload-Offset"));
  if (!offset) return refuse_field(400, "Upload-Offset", "a number of bytes", request);
  const auto [checksum, refusal] = read_checksum(request, context);
  if (refusal) return *refusal;
  auto [upload, missing] = find_own(request, context);
  if (missing) return std::move(*missing);
  if (upload.kind == ResumableKind::joined) return error_response(403, "an upload made of parts takes no bytes of its own", request);
  auto turn = context.library.resume(upload.id, kPatience);
  if (!turn) return no_turn(turn.error(), request, context);
  if (*offset != (*turn)->offset()) {
    return refuse_field(409, "Upload-Offset", std::to_string((*turn)->offset()), request)
        .with("Upload-Offset", std::to_string((*turn)->offset()));
  }
  return receive(request, context, std::move(turn).value(), checksum);
}

http::Response tell(http::Request& request, RouteContext& context) {
  auto [upload, missing] = find_own(request, context);
  if (missing) return std::move(*missing);
  std::uint64_t offset = upload.size_bytes;
  if (upload.media_id == 0) {
    // Whoever asks is about to go on, so a request that still waits for more of the body is waiting in vain.
    auto turn = context.library.resume(upload.id, kHeadPatience);
    if (turn) {
      upload = (*turn)->upload();
      offset = (*turn)->settled_offset();
      // Completes what a crash kept from being completed.
      if (auto failed = complete(std::move(turn).value(), upload, request, context)) return std::move(*failed);
    } else if (turn.error().code == Errc::unavailable) {
      const auto settled = context.library.settled_offset(upload);
      if (!settled) return failure(settled.error(), request, context);
      offset = *settled;
    } else {
      return failure(turn.error(), request, context);
    }
  }
  auto response = http::Response::empty(200);
  describe(response, upload, offset);
  response.headers.set("Upload-Length", std::to_string(upload.size_bytes));
  if (!upload.metadata.empty()) response.headers.set("Upload-Metadata", upload.metadata);
  if (upload.kind == ResumableKind::partial) response.headers.set("Upload-Concat", "partial");
  if (upload.kind == ResumableKind::joined) {
    std::string parts;
    for (const std::string& part : upload.parts) parts += (parts.empty() ? "" : " ") + location_of(part, request, context);
    response.headers.set("Upload-Concat", "final;" + parts);
  }
  return response;
}

http::Response terminate(http::Request& request, RouteContext& context) {
  auto [upload, missing] = find_own(request, context);
  if (missing) return std::move(*missing);
  const auto removed = context.library.remove_resumable(upload.id, kPatience);
  if (!removed) return no_turn(removed.error(), request, context);
  if (!*removed) return no_such_upload(request);
  return http::Response::empty(204);
}

/// For clients that cannot send the method they mean.
http::Response overridden(http::Request& request, RouteContext& context) {
  const auto method = request.header("X-HTTP-Method-Override").value_or("");
  if (method == "PATCH") return append(request, context);
  if (method == "DELETE") return terminate(request, context);
  return error_response(405, "POST is not offered here but with X-HTTP-Method-Override: PATCH or DELETE", request)
      .with("Allow", "DELETE, HEAD, OPTIONS, PATCH");
}

http::Response offer(const http::Request&, RouteContext& context) {
  return http::Response::empty(204)
      .with("Tus-Version", kVersion)
      .with("Tus-Extension", kExtensions)
      .with("Tus-Max-Size", std::to_string(upload_limit("", context.library.policy(), context.config)))
      .with("Tus-Checksum-Algorithm", kAlgorithms)
      .with("Cache-Control", "no-store");
}

using TusHandler = http::Response (*)(http::Request&, RouteContext&);

http::Handler speaking_tus(RouteContext& context, TusHandler handler) {
  return [&context, handler](http::Request& request) {
    if (request.header("Tus-Resumable") != kVersion) {
      return refuse_field(412, "Tus-Resumable", kVersion, request).with("Tus-Version", kVersion);
    }
    return handler(request, context);
  };
}

}  // namespace

void add_tus_fields(const http::Request& request, http::Response& response) {
  const std::string_view path = request.path;
  if (!path.starts_with(kBasePath)) return;
  const std::string_view below = path.substr(kBasePath.size());
  if (below == "/uploads" || below.starts_with("/uploads/")) response.headers.set("Tus-Resumable", kVersion);
}

void add_tus_routes(http::Router& router, RouteContext& context) {
  const std::string all = uploads_path();
  const std::string one = all + "/{id}";
  // A connection that brings nothing for a while is what tus is for. Most statuses from 400 to 499 end it for its clients, a 503 does not.
  const http::RouteOptions takes_bytes{
      .accepts_body = true, .tag = tag_of(Access::by_method, Tier::upload), .body_optional = true, .slow_body_status = 503};
  // What goes on with an upload comes in as many requests as its client has pieces, and clients take a 429 for the end of it.
  const http::RouteOptions asks{.tag = tag_of(Access::by_method, Tier::delivery)};
  const http::RouteOptions goes_on{
      .accepts_body = true, .tag = tag_of(Access::by_method, Tier::delivery), .body_optional = true, .slow_body_status = 503};
  const auto options = [&context](http::Request& request) { return offer(request, context); };
  router.add("OPTIONS", all, options, asks);
  router.add("OPTIONS", one, options, asks);
  router.add("POST", all, speaking_tus(context, create), takes_bytes);
  router.add("HEAD", one, speaking_tus(context, tell), asks);
  router.add("PATCH", one, speaking_tus(context, append), goes_on);
  router.add("POST", one, speaking_tus(context, overridden), goes_on);
  router.add("DELETE", one, speaking_tus(context, terminate), asks);
}

}  // namespace media::server
