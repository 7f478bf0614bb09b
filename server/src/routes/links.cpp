// What is attached to a recipe, to one of its ingredients or to one of its steps.

#include <charconv>
#include <nlohmann/json.hpp>

#include "cursor.hpp"
#include "errors.hpp"
#include "media_json.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

/// The captures that name a subject, in its spelling: "recipe/42/step/7".
struct SubjectPattern {
  std::string path;                ///< Of the route, below "/media".
  std::vector<std::string> words;  ///< "recipe", "step".
};

const std::vector<SubjectPattern>& patterns() {
  static const std::vector<SubjectPattern> kPatterns = {
      {"/recipe/{recipe}", {"recipe"}},
      {"/recipe/{recipe}/ingredient/{ingredient}", {"recipe", "ingredient"}},
      {"/recipe/{recipe}/step/{step}", {"recipe", "step"}},
  };
  return kPatterns;
}

Result<std::string> subject_of(const http::Request& request, const SubjectPattern& pattern) {
  std::string subject;
  for (const std::string& word : pattern.words) {
    const auto id = parse_media_id(request.capture(word));
    if (!id) return Error{Errc::invalid_argument, word + ": accepts 1 to 2^53 - 1"};
    subject += (subject.empty() ? "" : "/") + word + "/" + std::to_string(*id);
  }
  return subject;
}

http::Response list_links(const http::Request& request, RouteContext& context, const SubjectPattern& pattern) {
  const auto subject = subject_of(request, pattern);
  if (!subject) return error_response(subject.error(), request, context.log);
  const auto links = context.library.links(*subject);
  if (!links) return error_response(links.error(), request, context.log);
  auto ids = nlohmann::ordered_json::array();
  for (const Link& link : *links) {
    const auto media = context.library.find(link.media_id);
    if (!media) return error_response(media.error(), request, context.log);
    if (*media && context.may_see(request, **media)) ids.push_back(link.media_id);
  }
  return http::Response::text(200, dump(ids), "application/json").with("Cache-Control", "no-cache");
}

http::Response put_link(http::Request& request, RouteContext& context, const Media& media, const SubjectPattern& pattern) {
  const auto subject = subject_of(request, pattern);
  if (!subject) return error_response(subject.error(), request, context.log);
  Link link{*subject, media.id, 0};
  if (const auto position = request.query_value("position")) {
    const auto [end, error] = std::from_chars(position->data(), position->data() + position->size(), link.position);
    if (request.query_count("position") != 1 || error != std::errc{} || end != position->data() + position->size() || link.position < 0 ||
        link.position > kMaxMediaId) {
      return error_response(400, "position: accepts 0 to 2^53 - 1", request, {"position", "0 to 2^53 - 1"});
    }
  }
  const auto linked = context.library.link(link);
  if (!linked) return error_response(linked.error(), request, context.log);
  return http::Response::empty(204);
}

http::Response delete_link(http::Request& request, RouteContext& context, const Media& media, const SubjectPattern& pattern) {
  const auto subject = subject_of(request, pattern);
  if (!subject) return error_response(subject.error(), request, context.log);
  const auto removed = context.library.unlink(*subject, media.id);
  if (!removed) return error_response(removed.error(), request, context.log);
  if (!*removed) return error_response(404, "media " + std::to_string(media.id) + " is not attached there", request);
  return http::Response::empty(204);
}

}  // namespace

void add_link_routes(http::Router& router, RouteContext& context) {
  const std::string base = std::string(kBasePath) + "/media";
  for (const SubjectPattern& pattern : patterns()) {
    router.add("GET", base + pattern.path, [&context, &pattern](http::Request& request) { return list_links(request, context, pattern); });
    const std::string one = base + pattern.path + "/media/{id}";
    router.add("PUT", one, with_own_media(context, [&pattern](http::Request& request, RouteContext& where, const Media& media) {
                 return put_link(request, where, media, pattern);
               }));
    router.add("DELETE", one, with_own_media(context, [&pattern](http::Request& request, RouteContext& where, const Media& media) {
                 return delete_link(request, where, media, pattern);
               }));
  }
}

}  // namespace media::server
