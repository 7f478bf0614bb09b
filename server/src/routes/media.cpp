// The catalog over HTTP: list, one, status, delete.

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "auth/refusal.hpp"
#include "errors.hpp"
#include "listing.hpp"
#include "media/sign.hpp"
#include "media_json.hpp"
#include "request_json.hpp"
#include "routes.hpp"
#include "upload_rules.hpp"
#include "url.hpp"

namespace media::server {
namespace {

using Json = nlohmann::ordered_json;

http::Response json(std::string body) {
  return http::Response::text(200, std::move(body), "application/json").with("Cache-Control", "no-cache");
}

void write_array(JsonWriter& json, const std::vector<Media>& media) {
  json.begin_array();
  for (const Media& each : media) {
    json.begin_object();
    write_media(json, each);
    json.end_object();
  }
  json.end_array();
}

bool read_number(std::string_view text, std::size_t& into) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), into);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// What a listing asks for: the library's query, where it starts, and in which shape it answers.
struct Listing {
  MediaQuery query;
  std::optional<Cursor> cursor;
  bool legacy = false;  ///< With `offset` the answer is a bare array.
};

constexpr std::array<std::string_view, 10> kParameters = {"limit", "offset", "cursor", "status", "order", "type", "q", "tag", "from", "to"};

/// Reads one parameter; false where its value is out of range, with what it accepts in `accepts`.
bool read_parameter(const std::string& name, const std::string& value, Listing& listing, std::string& accepts) {
  MediaQuery& query = listing.query;
  if (name == "limit") {
    accepts = "1 to 100";
    return read_number(value, query.limit) && query.limit >= 1 && query.limit <= 100;
  }
  if (name == "offset") {
    accepts = "0 to 1000000000";
    listing.legacy = true;
    return read_number(value, query.offset) && query.offset <= 1'000'000'000;
  }
  if (name == "cursor") {
    accepts = "a cursor that this service gave out";
    auto cursor = parse_cursor(value);
    if (!cursor) return false;
    listing.cursor = *cursor;
    return true;
  }
  if (name == "status") {
    accepts = "Pending, Processing, Complete or Failed";
    auto status = media_status_from(value);
    if (!status) return false;
    query.status = *status;
    return true;
  }
  if (name == "order") {
    accepts = "asc or desc";
    query.descending = value == "desc";
    return value == "asc" || value == "desc";
  }
  if (name == "type") {
    accepts = "a media type or the beginning of one";
    query.media_type_prefix = value;
    return value.size() <= 127;
  }
  if (name == "q") {
    accepts = "a part of a file name, at most 255 bytes";
    query.filename_contains = value;
    return value.size() <= 255;
  }
  if (name == "tag") {
    accepts = "a tag of 1 to 64 bytes";
    query.tag = value;
    return !value.empty() && value.size() <= kMaxTagBytes;
  }
  if (name == "from" || name == "to") {
    accepts = "a time as 2026-11-25T10:30:00Z";
    auto time = from_rfc3339(value);
    if (!time) return false;
    (name == "from" ? query.uploaded_from : query.uploaded_to) = *time;
    return true;
  }
  return true;  // unknown ones are ignored: clients add cache busters
}

constexpr std::size_t kLongestWaitSeconds = 20;
/// Rows that an older client's `offset` may make us look at.
constexpr std::size_t kLegacyScanLimit = 200'000;

http::Response list_by_offset(http::Request& request, RouteContext& context, MediaQuery query) {
  query.scan_limit = kLegacyScanLimit;
  const auto page = context.library.list(query);
  if (!page) return error_response(page.error(), request, context.log);
  if (page->media.size() < query.limit && page->scanned_to) {
    // An array cannot say that it goes on.
    return error_response(400, "offset: too many media lie before; walk by cursor", request, {"offset", "less, or a cursor instead"});
  }
  JsonWriter body;
  write_array(body, page->media);
  return json(body.take());
}

http::Response list_media(http::Request& request, RouteContext& context) {
  Listing listing;
  listing.query.owner = context.owner_of(request);
  for (const std::string_view name : kParameters) {
    if (request.query_count(name) <= 1) continue;
    return error_response(400, std::string(name) + ": once a request", request, {std::string(name), "one value"});
  }
  for (const auto& parameter : request.query) {
    std::string accepts;
    if (!read_parameter(parameter.name, parameter.value, listing, accepts)) {
      return error_response(400, parameter.name + ": accepts " + accepts, request, {parameter.name, accepts});
    }
  }
  if (listing.legacy && listing.cursor) {
    return error_response(400, "offset: not together with cursor", request, {"offset", "a listing without cursor"});
  }
  if (listing.legacy) return list_by_offset(request, context, std::move(listing.query));
  const auto page = read_page(context.library, listing.query, listing.cursor);
  if (!page) return error_response(page.error(), request, context.log);

  const auto written = [](const std::optional<Cursor>& cursor) { return cursor ? std::optional(to_string(*cursor)) : std::nullopt; };
  JsonWriter body;
  body.begin_object().key("data");
  write_array(body, page->items);
  body.key("pagination").begin_object();
  body.member("next_cursor", written(page->next)).member("prev_cursor", written(page->prev)).member("page_size", page->items.size());
  body.member("has_next", page->next.has_value()).member("has_prev", page->prev.has_value());
  body.end_object().end_object();
  auto response = json(body.take());
  if (page->next) {
    std::string url = context.base_url(request) + "/media?";
    for (const auto& parameter : request.query) {
      if (parameter.name != "cursor") url += percent_encode(parameter.name) + "=" + percent_encode(parameter.value) + "&";
    }
    response.headers.add("Link", "<" + url + "cursor=" + percent_encode(to_string(*page->next)) + ">; rel=\"next\"");
  }
  return response;
}

/// The whole object of one media, and its entity tag. The tag has two halves: of the media itself, and of the whole text, whose signed URLs
/// change from hour to hour and from host to host.
struct Written {
  std::string text;
  std::string etag;
};

constexpr std::size_t kHalfTag = 16;

std::string half_tag(std::string_view text) { return Digest::of(std::as_bytes(std::span(text))).to_hex().substr(0, kHalfTag); }

/// The request with the conditions that it has, for the object that is there: If-Match asks whether somebody else has changed the media,
/// and there a tag holds whatever the URLs were.
http::Request conditions_of(const http::Request& request, const std::string& etag) {
  http::Request conditions;
  conditions.method = request.method;
  const std::string same_media = etag.substr(0, 1 + kHalfTag);
  for (const http::Field& field : request.headers) {
    std::string value = field.value;
    if (http::equal_ignoring_case(field.name, "If-Match")) {
      for (auto at = value.find(same_media); at != std::string::npos; at = value.find(same_media, at + etag.size())) {
        if (at + etag.size() <= value.size() && value[at + etag.size() - 1] == '"') value.replace(at, etag.size(), etag);
      }
    }
    conditions.headers.add(field.name, std::move(value));
  }
  return conditions;
}

Result<Written> write_whole(const http::Request& request, const RouteContext& context, const Media& media) {
  MEDIA_TRY_ASSIGN(const auto renditions, context.library.renditions(media.id));
  JsonWriter body;
  body.begin_object();
  write_media(body, media);
  JsonWriter itself;
  write_media(itself.begin_object(), media);
  write_renditions(body, media, renditions, context.library.presets(), context.signer, context.base_url(request));
  Written written;
  written.text = body.end_object().take();
  written.etag = '"' + half_tag(itself.end_object().take()) + half_tag(written.text) + '"';
  return written;
}

http::Response answer_media(Written written) {
  return http::Response::text(200, std::move(written.text), "application/json")
      .with("ETag", std::move(written.etag))
      .with("Cache-Control", "no-cache");
}

http::Response get_media(http::Request& request, RouteContext& context, const Media& media) {
  auto written = write_whole(request, context, media);
  if (!written) return error_response(written.error(), request, context.log);
  const std::string& etag = written->etag;
  if (const auto status = http::failed_precondition(conditions_of(request, etag), etag)) {
    if (*status == 304) return http::Response::empty(304).with("ETag", etag).with("Cache-Control", "no-cache");
    return error_response(*status, "the media is not as If-Match says", request);
  }
  return answer_media(std::move(*written));
}

/// What would be accepted, where this is not.
std::optional<std::string> read_tags(const Json& value, MediaChanges& changes) {
  static const std::string kAccepts = "an array of at most 32 texts of 1 to 64 bytes, without control characters";
  if (!value.is_array() || value.size() > kMaxTags) return kAccepts;
  std::vector<std::string> tags;
  for (const Json& each : value) {
    if (!each.is_string()) return kAccepts;
    tags.push_back(each.get<std::string>());
    const std::string& tag = tags.back();
    const bool plain = std::none_of(tag.begin(), tag.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (tag.empty() || tag.size() > kMaxTagBytes || !plain) return kAccepts;
  }
  changes.tags = std::move(tags);
  return std::nullopt;
}

std::optional<std::string> read_change(const std::string& name, const Json& value, const RouteContext& context, MediaChanges& changes) {
  if (name == "original_filename") {
    if (!value.is_string()) return "a text";
    changes.filename = value.get<std::string>();
    if (changes.filename->find_first_of("/\\") != std::string::npos) return "a name without folders";
    return refuse_filename(*changes.filename, context.config.blocked_extensions);
  }
  if (name == "visibility") {
    const auto visibility = visibility_from(value.is_string() ? value.get<std::string>() : std::string());
    if (!visibility) return "private, authenticated or public";
    changes.visibility = *visibility;
    return std::nullopt;
  }
  if (name == "tags") return read_tags(value, changes);
  if (name == "expires_at") {
    changes.expires_at = std::optional<Timestamp>();
    if (value.is_null()) return std::nullopt;
    const auto time = from_rfc3339(value.is_string() ? value.get<std::string>() : std::string());
    // The library has the clock: what is past comes back from there.
    if (!time) return "a time to come, as 2026-11-25T10:30:00Z, or null";
    changes.expires_at = *time;
    return std::nullopt;
  }
  return "no value: original_filename, visibility, tags and expires_at may be changed";
}

http::Response patch_media(http::Request& request, RouteContext& context, const Media& media) {
  const auto before = write_whole(request, context, media);
  if (!before) return error_response(before.error(), request, context.log);
  if (request.header("If-Match") && http::failed_precondition(conditions_of(request, before->etag), before->etag)) {
    return error_response(412, "the media is not as If-Match says", request);
  }
  const auto body = read_json_object(request);
  if (!body) return error_response(body.error(), request, context.log);
  MediaChanges changes;
  for (const auto& [name, value] : body->items()) {
    if (const auto accepts = read_change(name, value, context, changes)) {
      return error_response(400, name + ": accepts " + *accepts, request, {name, *accepts});
    }
  }
  if (request.header("If-Match")) changes.expected_updated_at = media.updated_at;
  const auto changed = context.library.update(media.id, changes);
  if (!changed && changed.error().code == Errc::conflict) return error_response(412, "the media is not as If-Match says", request);
  if (!changed && changed.error().code == Errc::invalid_argument && changes.expires_at) {
    return error_response(400, "expires_at: accepts a time to come", request, {"expires_at", "a time to come"});
  }
  if (!changed) return error_response(changed.error(), request, context.log);
  auto written = write_whole(request, context, *changed);
  if (!written) return error_response(written.error(), request, context.log);
  return answer_media(std::move(*written));
}

http::Response delete_many(http::Request& request, RouteContext& context) {
  constexpr std::size_t kAtOnce = 100;
  const auto body = read_json_object(request);
  if (!body) return error_response(body.error(), request, context.log);
  const auto refused = [&] {
    return error_response(400, "ids: accepts an array of 1 to 100 media ids", request, {"ids", "1 to 100 media ids"});
  };
  const auto ids = body->find("ids");
  if (body->size() != 1 || ids == body->end() || !ids->is_array() || ids->empty() || ids->size() > kAtOnce) return refused();
  for (const auto& id : *ids) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() == 0 || id.get<std::uint64_t>() > std::uint64_t{kMaxMediaId}) return refused();
  }
  const Caller& caller = context.caller_of(request);
  std::vector<MediaId> wanted;
  for (const auto& each : *ids) {
    const auto id = each.get<MediaId>();
    if (std::find(wanted.begin(), wanted.end(), id) == wanted.end()) wanted.push_back(id);
  }
  // What others own is not told apart from what is not there: here a caller could ask for a hundred at a time.
  const auto removed =
      context.library.remove(wanted, caller.scopes.has(Scope::admin) ? std::nullopt : std::optional<std::string>(caller.owner));
  if (!removed) return error_response(removed.error(), request, context.log);
  Json answer;
  answer["deleted"] = *removed;
  answer["not_found"] = Json::array();
  for (const MediaId id : wanted) {
    if (std::find(removed->begin(), removed->end(), id) == removed->end()) answer["not_found"].push_back(id);
  }
  return json(dump(answer));
}

/// True where the client wants to be answered only once the media is through, and that time is not over yet.
bool should_wait(const http::Request& request, std::uint64_t seconds, const Media& media) {
  const bool unsettled = media.status == MediaStatus::processing || media.status == MediaStatus::pending;
  return unsettled && request.may_wait && std::chrono::steady_clock::now() - request.begun < std::chrono::seconds(seconds);
}

http::Response get_status(http::Request& request, RouteContext& context, const Media& media) {
  std::size_t wait = 0;
  if (const auto text = request.query_value("wait")) {
    if (request.query_count("wait") != 1 || !read_number(*text, wait) || wait > kLongestWaitSeconds) {
      return error_response(400, "wait: accepts 0 to 20 seconds", request, {"wait", "0 to 20"});
    }
  }
  if (should_wait(request, wait, media)) return http::Response::later(waiting_key(media.id));
  int progress = 0;
  if (media.status == MediaStatus::complete) progress = 100;
  if (media.status == MediaStatus::processing) {
    const auto job = context.library.find_job(media.id);
    if (!job) return error_response(job.error(), request, context.log);
    if (*job) progress = std::clamp(static_cast<int>((*job)->progress * 100), 0, 99);
  }
  Json body;
  body["media_id"] = media.id;
  body["status"] = to_string(media.status);
  body["progress"] = progress;
  body["error_message"] = media.error_message.empty() ? Json(nullptr) : Json(media.error_message);
  body["held"] = media.held == Hold::none ? Json(nullptr) : Json(to_string(media.held));
  body["download_url"] =
      media.digest ? Json(context.base_url(request) + "/media/" + std::to_string(media.id) + "/download") : Json(nullptr);
  body["processing_time_ms"] = media.processing_time_ms ? Json(*media.processing_time_ms) : Json(nullptr);
  body["uploaded_at"] = to_rfc3339(media.uploaded_at);
  body["completed_at"] = media.completed_at ? Json(to_rfc3339(*media.completed_at)) : Json(nullptr);
  return json(dump(body));
}

http::Response delete_media(http::Request& request, RouteContext& context, const Media& media) {
  const auto removed = context.library.remove(media.id);
  if (!removed) return error_response(removed.error(), request, context.log);
  if (!*removed) return error_response(404, "there is no media " + std::to_string(media.id), request);
  return http::Response::empty(204);
}

}  // namespace

namespace {

/// Finds the media of `{id}`, or answers why not.
Result<std::optional<Media>> find_addressed(http::Request& request, const RouteContext& context, std::optional<http::Response>& failure) {
  const auto id = parse_media_id(request.capture("id"));
  if (!id) {
    failure = error_response(400, id.error().message, request, {"id", "1 to 2^53 - 1"});
    return std::optional<Media>();
  }
  return context.library.find(*id);
}

/// What a caller may not see is answered as what is not there, whoever he is.
http::Response no_such_media(const http::Request& request, Scope needed) {
  const Caller& caller = caller_of(request);
  if (caller.is_anonymous() && request.query_count("signature") == 0) return refuse_anonymous(request);
  if (!caller.is_anonymous() && !caller.scopes.has(needed)) return refuse_scope(request, needed);
  return error_response(404, "there is no media " + std::string(request.capture("id")), request);
}

}  // namespace

std::string waiting_key(MediaId id) { return "media/" + std::to_string(id); }

http::Handler with_media(RouteContext& context, MediaHandler handler) {
  return [&context, handler = std::move(handler)](http::Request& request) -> http::Response {
    bool is_signed = false;
    switch (context.signer.check_delivery(request, std::string_view(request.path).substr(kBasePath.size()))) {
      case UrlSigner::Check::absent:
        break;
      case UrlSigner::Check::good:
        is_signed = true;
        break;
      case UrlSigner::Check::malformed:
        return error_response(400, "a signed URL has signature, expires and key, each once", request);
      case UrlSigner::Check::bad:
        return error_response(401, "the signature is wrong, or the URL has expired", request)
            .with("WWW-Authenticate", "Signature realm=\"media\"");
    }
    std::optional<http::Response> failure;
    const auto media = find_addressed(request, context, failure);
    if (failure) return std::move(*failure);
    if (!media) return error_response(media.error(), request, context.log);
    if (!*media || (!is_signed && !context.may_see(request, **media))) return no_such_media(request, Scope::read);
    return handler(request, context, **media);
  };
}

http::Handler with_own_media(RouteContext& context, MediaHandler handler) {
  return [&context, handler = std::move(handler)](http::Request& request) -> http::Response {
    std::optional<http::Response> failure;
    const auto media = find_addressed(request, context, failure);
    if (failure) return std::move(*failure);
    if (!media) return error_response(media.error(), request, context.log);
    const bool may_change = *media && context.may_change(request, **media);
    if (!*media || (!may_change && !context.may_see(request, **media))) return no_such_media(request, Scope::write);
    if (!may_change) return error_response(403, "only its owner may change a media", request);
    return handler(request, context, **media);
  };
}

void add_media_routes(http::Router& router, RouteContext& context) {
  const std::string base(kBasePath);
  router.add("GET", base + "/media", [&context](http::Request& request) { return list_media(request, context); });
  router.add("GET", base + "/media/{id}", with_media(context, get_media), {.tag = tag_of(Access::by_media)});
  router.add("DELETE", base + "/media/{id}", with_own_media(context, delete_media));
  router.add("PATCH", base + "/media/{id}", with_own_media(context, patch_media), {.accepts_body = true});
  router.add("POST", base + "/media/bulk-delete", [&context](http::Request& request) { return delete_many(request, context); },
             {.accepts_body = true});
  router.add("GET", base + "/media/{id}/status", with_media(context, get_status), {.tag = tag_of(Access::by_media)});
}

}  // namespace media::server
