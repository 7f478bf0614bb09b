// Videos that are encoded of a media: ordered, and how far they are. Their bytes are routes/content.cpp's.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "errors.hpp"
#include "media/sign.hpp"
#include "media/video.hpp"
#include "media_json.hpp"
#include "request_json.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::hours kUrlLifetime{1};
/// Of a queue that is worked off in minutes.
constexpr std::string_view kRetryAfter = "60";

http::Response json(int status, const Json& body) {
  return http::Response::text(status, dump(body), "application/json").with("Cache-Control", "no-cache");
}

std::string_view state_of(const Video& video) noexcept {
  if (video.rendition) return "ready";
  switch (video.job ? video.job->state : JobState::queued) {
    case JobState::queued:
      return "queued";
    case JobState::running:
      return "running";
    case JobState::dead:
      break;
  }
  return "failed";
}

/// 100 only where it is there.
int progress_of(const Video& video) noexcept {
  if (video.rendition) return 100;
  return video.job ? std::clamp(static_cast<int>(video.job->progress * 100), 0, 99) : 0;
}

Json video_json(const Video& video, const Media& media, const RouteContext& context, const http::Request& request) {
  const auto parsed = parse_transform(video.transform);
  const Transform transform = parsed ? *parsed : Transform{};
  Json object;
  object["transform"] = video.transform;
  object["format"] = to_string(transform.format);
  object["media_type"] = mime_type(transform.format);
  object["state"] = state_of(video);
  object["progress"] = progress_of(video);
  const bool failed = video.job && video.job->state == JobState::dead;
  object["error_message"] = failed ? Json(video.job->last_error) : Json(nullptr);
  object["remark"] = video.remark.empty() ? Json(nullptr) : Json(video.remark);
  object["job_id"] = video.job ? Json(video.job->id) : Json(nullptr);
  object["width"] = video.rendition ? Json(video.rendition->width) : Json(nullptr);
  object["height"] = video.rendition ? Json(video.rendition->height) : Json(nullptr);
  object["size"] = video.rendition ? Json(video.rendition->size_bytes) : Json(nullptr);
  object["url"] = nullptr;
  if (video.rendition) {
    std::vector<QueryParameter> query{{"format", std::string(to_string(transform.format))}};
    if (transform.width != 0) query.push_back({"w", std::to_string(transform.width)});
    if (transform.height != 0) query.push_back({"h", std::to_string(transform.height)});
    if (transform.keep_codecs) query.push_back({"codecs", "keep"});
    query.push_back({"v", video.rendition->digest.to_hex()});
    object["url"] = context.signer.delivery_url(context.base_url(request), "/media/" + std::to_string(media.id) + "/video", query,
                                                context.signer.rounded_expiry(kUrlLifetime));
  }
  return object;
}

http::Response list_videos(http::Request& request, RouteContext& context, const Media& media) {
  const auto videos = context.library.videos(media);
  if (!videos) return error_response(videos.error(), request, context.log);
  Json body;
  body["data"] = Json::array();
  for (const Video& video : *videos) body["data"].push_back(video_json(video, media, context, request));
  return json(200, body);
}

http::Response order(http::Request& request, RouteContext& context, const Media& media) {
  const auto body = read_json_object(request);
  if (!body) return error_response(body.error(), request, context.log);
  Transform transform;
  transform.format = Format::mp4;
  for (const auto& [name, value] : body->items()) {
    if (name != "format" && name != "w" && name != "h") {
      return error_response(400, name + ": a video takes format, w and h", request, {name, "format, w or h"});
    }
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    if (auto set = set_transform_key(transform, name, text); !set) return error_response(400, set.error().message, request, {name, ""});
  }
  if (!encodes_video(transform)) return error_response(400, "format: accepts mp4 or webm", request, {"format", "mp4 or webm"});
  if (!context.library.encodes()) return error_response(501, "no videos are encoded here", request);
  const auto video = context.library.order_video(media, transform);
  if (!video && is_full_encoding_queue(video.error())) {
    context.log.write(LogLevel::debug, "video put off", {{"request_id", request.request_id}, {"reason", video.error().message}});
    return error_response(503, "too many videos wait to be encoded; try again later", request)
        .with("Retry-After", std::string(kRetryAfter));
  }
  if (!video && video.error().code == Errc::unsupported) return error_response(422, video.error().message, request);
  if (!video && video.error().code == Errc::denied) {
    const std::string reason(to_string(media.held));
    return error_response(409, "media " + std::to_string(media.id) + " is kept back: " + reason, request, {"held", reason});
  }
  if (!video) return error_response(video.error(), request, context.log);
  return json(video->rendition ? 200 : 202, video_json(*video, media, context, request));
}

}  // namespace

void add_video_routes(http::Router& router, RouteContext& context) {
  const std::string path = std::string(kBasePath) + "/media/{id}/videos";
  router.add("GET", path, with_media(context, list_videos), {.tag = tag_of(Access::by_media)});
  router.add("POST", path, with_own_media(context, order), {.accepts_body = true});
}

}  // namespace media::server
