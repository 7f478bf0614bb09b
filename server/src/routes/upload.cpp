// Direct uploads: a form or a raw body, streamed into the library.

#include "errors.hpp"
#include "media/claim.hpp"
#include "media_json.hpp"
#include "request_json.hpp"
#include "routes.hpp"
#include "upload_rules.hpp"

namespace media::server {
namespace {

/// Boundaries, part heads and the small fields of a form.
constexpr std::uint64_t kFormOverheadBytes = 64U << 10U;

Result<std::string> read_text(ByteSource& source, std::size_t limit) {
  std::string text;
  std::array<std::byte, 256> buffer{};
  for (;;) {
    MEDIA_TRY_ASSIGN(const std::size_t got, source.read(buffer));
    if (got == 0) return text;
    if (text.size() + got > limit) return Error{Errc::invalid_argument, "filename: at most 255 bytes"};
    text.append(reinterpret_cast<const char*>(buffer.data()), got);
  }
}

/// What a client without an opinion sends by itself claims nothing.
std::string claimed_type(std::string_view content_type) {
  if (claims_nothing(content_type) || ascii_lower(std::string(content_type)).starts_with("application/x-www-form-urlencoded")) return {};
  return std::string(content_type);
}

/// A claim that nothing that is let in could keep is refused before the bytes come.
Result<void> check_claim(const std::string& type, const RouteContext& context) {
  if (type.empty()) return {};
  if (const auto accepts = refuse_type(type, context.library.policy()))
    return Error{Errc::unsupported, "Content-Type: accepts " + *accepts};
  return {};
}

Error too_large(std::uint64_t limit) {
  return Error{Errc::too_large, "the file is larger than the limit of " + std::to_string(limit) + " bytes"};
}

/// A file may come without a name. One that has a name keeps to the rules that promised and resumable uploads have.
Result<std::string> checked_name(std::string filename, const RouteContext& context) {
  filename = without_path(std::move(filename));
  if (filename.empty()) return filename;
  if (const auto accepts = refuse_filename(filename, context.config.blocked_extensions)) {
    return Error{Errc::invalid_argument, "filename: accepts " + *accepts};
  }
  return filename;
}

Result<std::unique_ptr<Ingest>> read_form(http::Request& request, RouteContext& context, const std::string& boundary,
                                          IngestRequest wanted) {
  http::MultipartReader form(*request.body, boundary);
  std::unique_ptr<Ingest> ingest;
  std::optional<std::string> name;
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto part, form.next());
    if (!part) break;
    if (part->name == "filename" && !part->file_name) {
      if (name) return Error{Errc::invalid_argument, "filename: once a request"};
      MEDIA_TRY_ASSIGN(std::string text, read_text(form.content(), kMaxFilenameBytes));
      MEDIA_TRY_ASSIGN(name, checked_name(std::move(text), context));
    } else if (part->name == "file") {
      if (ingest) return Error{Errc::invalid_argument, "file: one file a request"};
      MEDIA_TRY_ASSIGN(wanted.filename, checked_name(part->file_name.value_or(""), context));
      wanted.declared_type = claimed_type(part->media_type);
      MEDIA_TRY(check_claim(wanted.declared_type, context));
      const std::uint64_t limit = upload_limit(wanted.declared_type, context.library.policy(), context.config);
      MEDIA_TRY_ASSIGN(ingest, context.library.begin(wanted));
      MEDIA_TRY_ASSIGN(const std::uint64_t received, pour(form.content(), *ingest, limit));
      if (received > limit) return too_large(limit);
    }
  }
  if (!ingest) return Error{Errc::invalid_argument, "file: the form has no part of that name"};
  if (name && !name->empty()) ingest->rename(*name);
  return ingest;
}

Result<std::unique_ptr<Ingest>> read_raw(http::Request& request, RouteContext& context, IngestRequest wanted) {
  wanted.declared_type = claimed_type(request.header("Content-Type").value_or(""));
  MEDIA_TRY(check_claim(wanted.declared_type, context));
  const std::uint64_t limit = upload_limit(wanted.declared_type, context.library.policy(), context.config);
  if (!request.body->limit(limit)) return too_large(limit);
  if (const auto name = request.header("X-Filename")) {
    wanted.filename = *name;
  } else if (const auto disposition = request.header("Content-Disposition")) {
    MEDIA_TRY_ASSIGN(const auto parsed, http::parse_parameterized(*disposition));
    wanted.filename = http::disposition_file_name(parsed).value_or("");
  }
  MEDIA_TRY_ASSIGN(wanted.filename, checked_name(std::move(wanted.filename), context));
  wanted.expected_size = request.content_length;
  MEDIA_TRY_ASSIGN(auto ingest, context.library.begin(wanted));
  MEDIA_TRY(pour(*request.body, *ingest));
  return ingest;
}

http::Response upload(http::Request& request, RouteContext& context) {
  IngestRequest wanted;
  wanted.owner = context.owner_of(request);
  if (const auto key = request.header("Idempotency-Key")) {
    if (key->empty() || key->size() > 255) {
      return error_response(400, "Idempotency-Key: 1 to 255 bytes", request, {"Idempotency-Key", "1 to 255 bytes"});
    }
    wanted.idempotency_key = *key;
  }
  const std::string_view content_type = request.header("Content-Type").value_or("");
  const bool is_form = ascii_lower(std::string(content_type)).starts_with("multipart/");
  const std::uint64_t limit = upload_limit("", context.library.policy(), context.config);
  auto received = [&]() -> Result<std::unique_ptr<Ingest>> {
    if (!is_form) return read_raw(request, context, wanted);
    if (!request.body->limit(limit + kFormOverheadBytes)) return too_large(limit);
    MEDIA_TRY_ASSIGN(const std::string boundary, http::multipart_boundary(content_type));
    return read_form(request, context, boundary, wanted);
  }();
  if (!received) return error_response(received.error(), request, context.log);
  auto outcome = context.library.finish(std::move(received).value());
  if (!outcome) return error_response(outcome.error(), request, context.log);
  context.metrics.count_upload(outcome->status);
  if (outcome->status == IngestStatus::refused) {
    return error_response(status_of(outcome->verdict.refusal), outcome->verdict.message, request,
                          {"file", std::string(to_string(outcome->verdict.refusal))});
  }
  const std::string base = context.base_url(request);
  JsonWriter body;
  body.begin_object();
  write_media(body, outcome->media);
  body.member("media_id", outcome->media.id);
  body.member("upload_url", base + "/media/" + std::to_string(outcome->media.id) + "/download");
  body.member("deduplicated", outcome->deduplicated);
  return http::Response::text(200, body.end_object().take(), "application/json").with("Cache-Control", "no-store");
}

}  // namespace

void add_upload_routes(http::Router& router, RouteContext& context) {
  router.add("POST", std::string(kBasePath) + "/media", [&context](http::Request& request) { return upload(request, context); },
             {.accepts_body = true, .tag = tag_of(Access::by_method, Tier::upload)});
}

}  // namespace media::server
