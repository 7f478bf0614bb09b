// Which media look like one.

#include <charconv>
#include <optional>

#include "errors.hpp"
#include "media_json.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

constexpr std::size_t kMaxLimit = 100;

/// A parameter that may be left out, and stands once; false where it is not a number from `least` to `most`.
template <class Number>
bool read_number(const http::Request& request, std::string_view name, Number least, Number most, Number& into) {
  const auto text = request.query_value(name);
  if (!text) return true;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), into);
  return request.query_count(name) == 1 && error == std::errc{} && end == text->data() + text->size() && into >= least && into <= most;
}

/// Among which media is looked: those that this caller may see, as RouteContext::may_see has it.
void narrow(SimilarQuery& query, const Caller& caller) {
  if (caller.scopes.has(Scope::admin)) return;
  const bool may_read = !caller.is_anonymous() && caller.scopes.has(Scope::read);
  query.owner = may_read ? caller.owner : std::string();  // which nobody is
  query.others = may_read ? Visibility::authenticated : Visibility::is_public;
}

http::Response list_similar(http::Request& request, RouteContext& context, const Media& media) {
  SimilarQuery query;
  if (!read_number(request, "distance", 0U, kMaxSimilarDistance, query.max_distance)) {
    return error_response(400, "distance: accepts 0 to 32 bits", request, {"distance", "0 to 32"});
  }
  if (!read_number(request, "limit", std::size_t{1}, kMaxLimit, query.limit)) {
    return error_response(400, "limit: accepts 1 to 100", request, {"limit", "1 to 100"});
  }
  narrow(query, context.caller_of(request));
  const auto similar = context.library.similar(media.id, query);
  if (!similar) return error_response(similar.error(), request, context.log);
  JsonWriter body;
  body.begin_object();
  const bool is_told = media.appearance.perceptual_hash && media.held == Hold::none;
  body.member("perceptual_hash", is_told ? std::optional(to_string(*media.appearance.perceptual_hash)) : std::nullopt);
  body.key("data").begin_array();
  for (const SimilarMedia& each : *similar) {
    body.begin_object().member("distance", each.distance).key("media").begin_object();
    write_media(body, each.media);
    body.end_object().end_object();
  }
  body.end_array().end_object();
  return http::Response::text(200, body.take(), "application/json").with("Cache-Control", "no-cache");
}

}  // namespace

void add_similar_routes(http::Router& router, RouteContext& context) {
  router.add("GET", std::string(kBasePath) + "/media/{id}/similar", with_media(context, list_similar), {.tag = tag_of(Access::by_media)});
}

}  // namespace media::server
