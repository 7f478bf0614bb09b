// Bytes out: originals and renditions.

#include <algorithm>
#include <any>
#include <charconv>
#include <chrono>
#include <memory>
#include <optional>

#include "base64.hpp"
#include "errors.hpp"
#include "media/file_naming.hpp"
#include "media/video.hpp"
#include "negotiate.hpp"
#include "routes.hpp"

namespace media::server {
namespace {

void harden(http::Response& response) {
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
  response.headers.set("Cross-Origin-Resource-Policy", "cross-origin");
}

/// The bytes, or what `serve_content` refuses in words of ours.
http::Response serve(const http::Request& request, const http::Content& content) {
  auto response = http::serve_content(request, content);
  if (response.status < 400) return response;
  const std::uint64_t size = content.reader->size();
  auto refusal = response.status == 416
                     ? error_response(416, "Range: the content has " + std::to_string(size) + " bytes", request,
                                      {"Range", size == 0 ? std::string("nothing") : "bytes 0 to " + std::to_string(size - 1)})
                     : error_response(response.status, "the content is not as If-Match or If-Unmodified-Since says", request);
  response.headers.remove("Cache-Control");  // of the content, not of the refusal
  for (const http::Field& field : response.headers) refusal.headers.set(field.name, field.value);
  return refusal;
}

void count_download(DownloadKind kind, const http::Request& request, const http::Response& response, RouteContext& context) {
  if (request.method != "HEAD" && (response.status == 200 || response.status == 206)) context.metrics.count_download(kind);
}

/// By the object store itself, where that is wanted and can be: the whole of it, and nothing is asked of it.
std::optional<http::Response> hand_off(const http::Request& request, RouteContext& context, const Media& media, PresignOptions wanted) {
  constexpr std::chrono::seconds kLifetime{300};
  const PresigningStore* const store = context.config.s3_redirect ? context.library.presigning() : nullptr;
  if (store == nullptr || request.method == "HEAD") return std::nullopt;
  for (const char* const condition : {"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}) {
    if (request.header(condition)) return std::nullopt;
  }
  wanted.lifetime = kLifetime;
  auto url = store->presign_get(*media.digest, wanted);
  if (!url) return error_response(url.error(), request, context.log);
  return http::Response::empty(302).with("Location", std::move(*url)).with("Cache-Control", "no-store");
}

/// By the proxy in front, which is told of the file and knows ranges by itself. Not one that depends on the content's state, of which the
/// proxy knows nothing.
std::optional<http::Response> hand_to_proxy(const http::Request& request, RouteContext& context, const Digest& digest,
                                            const http::Content& content, const http::Response& ours) {
  const Config& config = context.config;
  const bool is_wanted = !config.sendfile_header.empty() && contains(config.trusted_proxies, request.remote_address);
  const FileNamingStore* const store = context.library.file_naming();
  if (!is_wanted || store == nullptr || request.method != "GET" || request.header("If-Range")) return std::nullopt;
  // Where the file cannot even be looked at, the bytes that were opened go out.
  const auto file = store->file_of(digest);
  if (!file || !*file) return std::nullopt;
  auto response = http::Response::empty(200);
  response.headers = ours.headers;
  response.headers.set("Content-Type", content.media_type);
  for (const char* const of_the_proxy : {"Content-Range", "Accept-Ranges"}) response.headers.remove(of_the_proxy);
  response.headers.set(config.sendfile_header, config.sendfile_target(**file));
  return response;
}

/// The bytes, from here or from the proxy in front.
http::Response send(const http::Request& request, RouteContext& context, const Digest& digest, const http::Content& content) {
  auto response = serve(request, content);
  if (response.status != 200 && response.status != 206) return response;
  auto handed = hand_to_proxy(request, context, digest, content, response);
  return handed ? std::move(*handed) : std::move(response);
}

http::Response download(http::Request& request, RouteContext& context, const Media& media) {
  std::string_view disposition = "attachment";
  if (const auto asked = request.query_value("disposition")) {
    if (request.query_count("disposition") != 1 || (*asked != "inline" && *asked != "attachment")) {
      return error_response(400, "disposition: accepts inline or attachment", request, {"disposition", "inline or attachment"});
    }
    disposition = *asked;
  }
  // The row that was found decides: one that was Pending then may have been filled by now.
  if (!media.digest) return error_response(404, "media " + std::to_string(media.id) + " has no content yet", request);
  // What was let in unjudged, and what could run as a page, is never shown in place.
  const bool passive = media.info.format != Format::unknown && media.info.format != Format::svg;
  if (!passive) disposition = "attachment";
  const std::string media_type = passive ? media.media_type : "application/octet-stream";
  PresignOptions elsewhere;
  elsewhere.content_type = media_type;
  elsewhere.content_disposition = content_disposition(disposition, media.filename);
  elsewhere.cache_control = "private, no-cache";
  if (auto response = hand_off(request, context, media, std::move(elsewhere))) {
    if (response->status < 400) context.metrics.count_download(DownloadKind::original);
    return std::move(*response);
  }
  auto reader = context.library.read(media);
  if (!reader) return error_response(reader.error(), request, context.log);
  http::Content content;
  content.reader = std::move(reader).value();
  content.media_type = media_type;
  content.etag = '"' + media.digest->to_hex() + '"';
  content.last_modified = media.uploaded_at;
  content.cache_control = "private, no-cache";
  auto response = send(request, context, *media.digest, content);
  if (response.status >= 400) return response;
  count_download(DownloadKind::original, request, response, context);
  harden(response);
  response.headers.set("Repr-Digest", "sha-256=:" + base64_encode(media.digest->bytes()) + ":");
  response.headers.set("Content-Disposition", content_disposition(disposition, media.filename));
  return response;
}

std::string with_extension(const std::string& filename, Format format) {
  const auto dot = filename.find_last_of('.');
  return (dot == std::string::npos || dot == 0 ? filename : filename.substr(0, dot)) + "." + std::string(file_extension(format));
}

/// Too much is asked for: in good time it will be there.
http::Response busy(const Error& error, const http::Request& request, RouteContext& context) {
  constexpr std::chrono::seconds kLatest{30};
  const auto wait = std::chrono::ceil<std::chrono::seconds>(context.library.derivation_stats().expected_wait);
  context.log.write(LogLevel::debug, "picture put off", {{"request_id", request.request_id}, {"reason", error.message}});
  return error_response(503, "too many pictures are being made at this moment; try again shortly", request)
      .with("Retry-After", std::to_string(std::clamp(wait, std::chrono::seconds(1), kLatest).count()));
}

http::Response derive_failure(const Error& error, const Media& media, http::Request& request, RouteContext& context) {
  if (error.code == Errc::unavailable) return busy(error, request, context);
  if (error.code == Errc::unsupported) return error_response(404, error.message, request);
  const bool undecodable = error.code == Errc::corrupt || error.code == Errc::too_large;
  // `corrupt` may be the file as it was sent, or our copy of it: only the first is the sender's.
  if (undecodable && context.library.read(media)) return error_response(422, error.message, request);
  return error_response(error, request, context.log);
}

std::string picture_key(const Media& media, const Transform& transform) {
  return "picture/" + (media.digest ? media.digest->to_hex() : std::string()) + " " + to_string(transform);
}

/// The picture, or why there is none; nothing where the request shall wait for it. It waits without a thread, and its client may go: what
/// the request keeps goes with it, and so does its place in the library's queue.
std::optional<Result<Picture>> find_or_begin(http::Request& request, RouteContext& context, const Media& media,
                                             const Transform& transform) {
  using Pending = std::shared_ptr<PendingPicture>;
  if (!request.kept.has_value()) {
    auto begun = context.library.begin_derive(media, transform, [&context, key = picture_key(media, transform)] { context.wake(key); });
    if (!begun) return std::move(begun).error();
    if (begun->picture) return std::move(*begun->picture);
    request.kept = Pending(std::move(begun->pending));
  }
  auto done = std::any_cast<const Pending&>(request.kept)->poll();
  if (done || request.may_wait) return done;
  return Error{Errc::unavailable, "no more requests may wait"};
}

http::Response serve_rendition(const http::Request& request, RouteContext& context, const Media& media, const Transform& transform,
                               const Picture& picture, bool negotiated) {
  const std::string digest = picture.rendition.digest.to_hex();
  http::Content content;
  content.reader = picture.content;
  content.media_type = std::string(mime_type(transform.format));
  content.etag = '"' + digest + '"';
  content.last_modified = picture.rendition.created_at;
  // What only some may see is kept by browsers, not by what stands between: a cache there would serve it beyond the URL's expiry.
  const std::string audience = media.visibility == Visibility::is_public ? "public" : "private";
  content.cache_control = request.query_value("v") == digest ? audience + ", max-age=31536000, immutable" : audience + ", no-cache";
  auto response = send(request, context, picture.rendition.digest, content);
  if (negotiated) response.headers.set("Vary", "Accept");
  if (response.status >= 400) return response;
  count_download(DownloadKind::rendition, request, response, context);
  harden(response);
  response.headers.set("Content-Disposition", content_disposition("inline", with_extension(media.filename, transform.format)));
  return response;
}

http::Response serve_picture(http::Request& request, RouteContext& context, const Media& media, const Transform& transform,
                             bool negotiated) {
  if (const auto encoder = encoder_version(transform.format); !encoder) {
    return error_response(400, encoder.error().message, request, {"format", "a format that this build can write"});
  }
  const auto answer = find_or_begin(request, context, media, transform);
  if (!answer) return http::Response::later(picture_key(media, transform));
  const Result<Picture>& picture = *answer;
  if (!picture) return derive_failure(picture.error(), media, request, context);

  return serve_rendition(request, context, media, transform, *picture, negotiated);
}

http::Response rendition(http::Request& request, RouteContext& context, const Media& media) {
  const std::string_view name = request.capture("preset");
  const auto& presets = context.library.presets();
  const auto preset = std::find_if(presets.begin(), presets.end(), [&](const Preset& candidate) { return candidate.name == name; });
  if (preset == presets.end()) {
    std::string names;
    for (const Preset& known : presets) names += (names.empty() ? "" : ", ") + known.name;
    return error_response(404, "there is no such preset; there are " + names, request, {"preset", names});
  }
  Transform transform = preset->transform;
  const auto wanted = request.query_value("format");
  if (wanted) {
    if (request.query_count("format") != 1) return error_response(400, "format: once", request, {"format", "one value"});
    // Presets are stills, for which GIF is worse than all of these.
    if (auto set = set_transform_key(transform, "format", *wanted); !set || transform.format == Format::gif || makes_video(transform)) {
      return error_response(400, "format: accepts avif, webp, jpeg or png", request, {"format", "avif, webp, jpeg or png"});
    }
  } else {
    transform.format = negotiate(accepted_by(request), preset->formats, media.info.has_alpha);
  }

  return serve_picture(request, context, media, transform, !wanted);
}

/// Parameters of a URL that say nothing of the picture.
bool is_about_the_url(const std::string& name) { return name == "signature" || name == "expires" || name == "key" || name == "v"; }

constexpr std::string_view kFreeParameters = "w, h, dpr, fit, gravity and format";

/// What anybody may ask for: else each number in a URL would be another picture to make and to keep.
bool is_free(const std::string& name) {
  return name == "w" || name == "h" || name == "dpr" || name == "fit" || name == "gravity" || name == "format";
}

/// The parameter whose value is not among those that anybody may ask for; empty where there is none. A box counts by the
/// pixels it comes to, and a gravity is free at the nine points of the compass: looking for the subject is work, and points
/// there are without number.
std::string_view costly_parameter(const Transform& transform, const std::vector<std::uint32_t>& sizes) {
  const Transform meant = canonical(transform);
  const auto is_free_size = [&](std::uint32_t side) { return side == 0 || std::find(sizes.begin(), sizes.end(), side) != sizes.end(); };
  if (!is_free_size(meant.width)) return "w";
  if (!is_free_size(meant.height)) return "h";
  // Of an animation it makes many pictures, and of a still one that is larger than need be.
  if (meant.format == Format::gif || makes_video(meant)) return "format";
  if (meant.gravity.smart || meant.gravity.x % 500 != 0 || meant.gravity.y % 500 != 0) return "gravity";
  return {};
}

http::Response signature_wanted(std::string_view parameter, const http::Request& request, const RouteContext& context) {
  std::string sizes;
  for (const std::uint32_t size : context.config.free_sizes) sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
  const bool is_side = parameter == "w" || parameter == "h";
  const std::string accepted = is_side                  ? sizes
                               : parameter == "gravity" ? "a point of the compass"
                               : parameter == "format"  ? "avif, webp, jpeg or png"
                                                        : "a signed URL";
  return error_response(401,
                        std::string(parameter) + ": without a signature there are " + std::string(kFreeParameters) +
                            " only; w and h, times dpr, accept " + sizes +
                            ", gravity the points of the compass, and format avif, webp, jpeg and png",
                        request, {std::string(parameter), accepted})
      .with("WWW-Authenticate", "Signature realm=\"media\"");
}

http::Response image(http::Request& request, RouteContext& context, const Media& media) {
  Transform transform;
  bool sized = false;
  for (const http::Parameter& parameter : request.query) {
    if (is_about_the_url(parameter.name)) continue;
    if (request.query_count(parameter.name) != 1) {
      return error_response(400, parameter.name + ": once", request, {parameter.name, "one value"});
    }
    if (auto set = set_transform_key(transform, parameter.name, parameter.value); !set) {
      return error_response(400, set.error().message, request, {parameter.name, ""});
    }
    sized = sized || parameter.name == "w" || parameter.name == "h";
    // A signature that was wrong has not come as far as this.
    if (request.query_count("signature") == 0 && !is_free(parameter.name)) return signature_wanted(parameter.name, request, context);
  }
  if (request.query_count("signature") == 0) {
    const std::string_view costly = costly_parameter(transform, context.config.free_sizes);
    if (!costly.empty()) return signature_wanted(costly, request, context);
  }
  if (makes_video(transform)) {
    return error_response(400, "format: accepts avif, webp, jpeg, png or gif; videos are at /media/{id}/video", request,
                          {"format", "avif, webp, jpeg, png or gif"});
  }
  if (!sized) return error_response(400, "w, h: at least one of them", request, {"w", "pixels"});
  const bool negotiated = request.query_count("format") == 0;
  if (negotiated) {
    static const std::vector<Format> kFormats = {Format::avif, Format::webp, Format::jpeg, Format::png};
    transform.format = negotiate(accepted_by(request), kFormats, media.info.has_alpha);
    // Everybody can show a GIF; and what was asked for is that it moves.
    const bool moves = (transform.frames == Frames::all && media.info.frames > 1) || transform.frames == Frames::clip;
    if (moves && !can_animate(transform.format)) transform.format = Format::gif;
  }
  return serve_picture(request, context, media, transform, negotiated);
}

}  // namespace

/// Who may see the sheet may see its index: the cues hold a URL of the sheet that is signed for a while.
constexpr std::chrono::hours kSheetUrlLifetime{1};

http::Response sheet_index_of(http::Request& request, RouteContext& context, const Media& media) {
  Transform transform;
  transform.frames = Frames::sheet;
  transform.format = Format::webp;
  for (const http::Parameter& parameter : request.query) {
    if (is_about_the_url(parameter.name)) continue;
    if (request.query_count(parameter.name) != 1) {
      return error_response(400, parameter.name + ": once", request, {parameter.name, "one value"});
    }
    if (parameter.name != "w" && parameter.name != "format") {
      return error_response(400, parameter.name + ": an index takes w and format", request, {parameter.name, "w or format"});
    }
    if (auto set = set_transform_key(transform, parameter.name, parameter.value); !set) {
      return error_response(400, set.error().message, request, {parameter.name, ""});
    }
  }
  if (transform.format == Format::gif || makes_video(transform)) {
    return error_response(400, "format: a sheet takes avif, webp, jpeg or png", request, {"format", "avif, webp, jpeg or png"});
  }
  const bool is_usual = canonical(transform).width == canonical(Transform{.frames = Frames::sheet}).width;
  if (request.query_count("signature") == 0 && !is_usual) {
    const std::string_view costly = costly_parameter(transform, context.config.free_sizes);
    if (!costly.empty()) return signature_wanted(costly, request, context);
  }
  const auto layout = sheet_layout(media.info);
  if (!layout) return error_response(404, layout.error().message, request);
  const auto answer = find_or_begin(request, context, media, transform);
  if (!answer) return http::Response::later(picture_key(media, transform));
  const Result<Picture>& picture = *answer;
  if (!picture) return derive_failure(picture.error(), media, request, context);

  const Transform meant = canonical(transform);
  const std::string url = context.signer.delivery_url(context.base_url(request), "/media/" + std::to_string(media.id) + "/image",
                                                      {{"w", std::to_string(meant.width)},
                                                       {"frames", "sheet"},
                                                       {"format", std::string(to_string(meant.format))},
                                                       {"v", picture->rendition.digest.to_hex()}},
                                                      context.signer.rounded_expiry(kSheetUrlLifetime));
  auto index = sheet_index(*layout, picture->rendition.width, picture->rendition.height, url);
  if (!index) return error_response(index.error(), request, context.log);
  auto response = http::Response::text(200, std::move(*index), "text/vtt; charset=utf-8");
  response.headers.set("Cache-Control", "private, max-age=600");
  harden(response);
  return response;
}

/// Not there, or not there yet.
http::Response no_video_yet(const Error& error, const Transform& transform, const Media& media, http::Request& request,
                            RouteContext& context) {
  constexpr std::string_view kRetryAfter = "5";
  const auto videos = context.library.videos(media);
  if (!videos) return error_response(videos.error(), request, context.log);
  const std::string spelling = to_string(transform);
  const auto video = std::find_if(videos->begin(), videos->end(), [&](const Video& each) { return each.transform == spelling; });
  if (video == videos->end() || !video->job) return error_response(404, error.message, request);
  if (video->job->state == JobState::dead) return error_response(422, video->job->last_error, request);
  return error_response(503, "the video is being encoded: GET /media/{id}/videos says how far it is", request)
      .with("Retry-After", std::string(kRetryAfter));
}

http::Response serve_video(http::Request& request, RouteContext& context, const Media& media) {
  Transform transform;
  transform.format = Format::mp4;
  for (const http::Parameter& parameter : request.query) {
    const std::string& name = parameter.name;
    if (is_about_the_url(name)) continue;
    if (request.query_count(name) != 1) return error_response(400, name + ": once", request, {name, "one value"});
    if (name != "format" && name != "w" && name != "h" && name != "codecs") {
      return error_response(400, name + ": a video takes format, w, h and codecs", request, {name, "format, w, h or codecs"});
    }
    if (auto set = set_transform_key(transform, name, parameter.value); !set) {
      return error_response(400, set.error().message, request, {name, ""});
    }
  }
  if (!makes_video(transform)) return error_response(400, "format: accepts mp4 or webm", request, {"format", "mp4 or webm"});
  const auto answer = find_or_begin(request, context, media, transform);
  if (!answer) return http::Response::later(picture_key(media, transform));
  if (!*answer && answer->error().code == Errc::not_found && encodes_video(transform)) {
    return no_video_yet(answer->error(), transform, media, request, context);
  }
  if (!*answer) return derive_failure(answer->error(), media, request, context);
  return serve_rendition(request, context, media, transform, **answer, false);
}

/// Of what the gate keeps back there are no bytes, whoever asks, signed URL or not.
MediaHandler unless_held(MediaHandler handler) {
  return [handler = std::move(handler)](http::Request& request, RouteContext& context, const Media& media) {
    if (media.held == Hold::none) return handler(request, context, media);
    const std::string reason(to_string(media.held));
    return error_response(409, "media " + std::to_string(media.id) + " is kept back: " + reason, request, {"held", reason});
  };
}

void add_content_routes(http::Router& router, RouteContext& context) {
  const std::string base(kBasePath);
  router.add("GET", base + "/media/{id}/download", with_media(context, unless_held(download)),
             {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/renditions/{preset}", with_media(context, unless_held(rendition)),
             {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/sheet.vtt", with_media(context, unless_held(sheet_index_of)),
             {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/video", with_media(context, unless_held(serve_video)),
             {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/image", with_media(context, unless_held(image)), {.tag = tag_of(Access::by_media, Tier::delivery)});
}

}  // namespace media::server
