// Bytes out: originals and renditions.

#include <algorithm>
#include <charconv>

#include "base64.hpp"
#include "errors.hpp"
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
  auto reader = context.library.read(media);
  if (!reader) return error_response(reader.error(), request, context.log);
  // What was let in unjudged, and what could run as a page, is never shown in place.
  const bool passive = media.info.format != Format::unknown && media.info.format != Format::svg;
  if (!passive) disposition = "attachment";
  http::Content content;
  content.reader = std::move(reader).value();
  content.media_type = passive ? media.media_type : "application/octet-stream";
  content.etag = '"' + media.digest->to_hex() + '"';
  content.last_modified = media.uploaded_at;
  content.cache_control = "private, no-cache";
  auto response = serve(request, content);
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

/// A place among those that make pictures while a client waits; the threads that only read must not all end up there.
class DerivationSlot {
 public:
  DerivationSlot(std::atomic<int>& running, int limit) : running_(running), held_(running.fetch_add(1) < limit) {
    if (!held_) --running_;
  }
  ~DerivationSlot() {
    if (held_) --running_;
  }
  DerivationSlot(const DerivationSlot&) = delete;
  DerivationSlot& operator=(const DerivationSlot&) = delete;
  explicit operator bool() const noexcept { return held_; }

 private:
  std::atomic<int>& running_;
  bool held_;
};

http::Response derive_failure(const Error& error, const Media& media, http::Request& request, RouteContext& context) {
  if (error.code == Errc::unsupported) return error_response(404, error.message, request);
  const bool undecodable = error.code == Errc::corrupt || error.code == Errc::too_large;
  // `corrupt` may be the file as it was sent, or our copy of it: only the first is the sender's.
  if (undecodable && context.library.read(media)) return error_response(422, error.message, request);
  return error_response(error, request, context.log);
}

http::Response serve_picture(http::Request& request, RouteContext& context, const Media& media, const Transform& transform,
                             bool negotiated) {
  const std::string spelling = to_string(transform);
  const auto encoder = encoder_version(transform.format);
  if (!encoder) return error_response(400, encoder.error().message, request, {"format", "a format that this build can write"});
  const auto stored = context.library.renditions(media.id);
  if (!stored) return error_response(stored.error(), request, context.log);
  const bool ready = std::any_of(stored->begin(), stored->end(), [&](const Rendition& candidate) {
    return candidate.transform == spelling && candidate.encoder == *encoder;
  });
  const DerivationSlot slot(context.derivations,
                            static_cast<int>(ready ? context.config.reader_threads : context.config.reader_threads / 2));
  if (!slot) {
    return error_response(503, "too many pictures are being made at this moment; try again shortly", request).with("Retry-After", "1");
  }
  auto picture = context.library.derive(media.id, transform);
  if (!picture) return derive_failure(picture.error(), media, request, context);

  const std::string digest = picture->rendition.digest.to_hex();
  http::Content content;
  content.reader = picture->content;
  content.media_type = std::string(mime_type(transform.format));
  content.etag = '"' + digest + '"';
  content.last_modified = picture->rendition.created_at;
  // What only some may see is kept by browsers, not by what stands between: a cache there would serve it beyond the URL's expiry.
  const std::string audience = media.visibility == Visibility::is_public ? "public" : "private";
  content.cache_control = request.query_value("v") == digest ? audience + ", max-age=31536000, immutable" : audience + ", no-cache";
  auto response = serve(request, content);
  if (negotiated) response.headers.set("Vary", "Accept");
  if (response.status >= 400) return response;
  count_download(DownloadKind::rendition, request, response, context);
  harden(response);
  response.headers.set("Content-Disposition", content_disposition("inline", with_extension(media.filename, transform.format)));
  return response;
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
    if (auto set = set_transform_key(transform, "format", *wanted); !set || transform.format == Format::gif) {
      return error_response(400, "format: accepts avif, webp, jpeg or png", request, {"format", "avif, webp, jpeg or png"});
    }
  } else {
    transform.format = negotiate(request.header("Accept"), preset->formats, media.info.has_alpha);
  }

  return serve_picture(request, context, media, transform, !wanted);
}

/// Parameters of a URL that say nothing of the picture.
bool is_about_the_url(const std::string& name) { return name == "signature" || name == "expires" || name == "key" || name == "v"; }

/// What anybody may ask for: else each number in a URL would be another picture to make and to keep.
bool is_free(const http::Parameter& parameter, const std::vector<std::uint32_t>& sizes) {
  if (parameter.name == "fit" || (parameter.name == "format" && parameter.value != "gif")) return true;
  if (parameter.name != "w" && parameter.name != "h") return false;
  return std::any_of(sizes.begin(), sizes.end(), [&](std::uint32_t size) { return std::to_string(size) == parameter.value; });
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
    if (request.query_count("signature") == 0 && !is_free(parameter, context.config.free_sizes)) {
      std::string sizes;
      for (const std::uint32_t size : context.config.free_sizes) sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
      return error_response(
                 401,
                 parameter.name + ": without a signature, w and h accept " + sizes + ", beside fit and a format of avif, webp, jpeg or png",
                 request, {parameter.name, sizes})
          .with("WWW-Authenticate", "Signature realm=\"media\"");
    }
  }
  if (!sized) return error_response(400, "w, h: at least one of them", request, {"w", "pixels"});
  const bool negotiated = request.query_count("format") == 0;
  if (negotiated) {
    static const std::vector<Format> kFormats = {Format::avif, Format::webp, Format::jpeg, Format::png};
    transform.format = negotiate(request.header("Accept"), kFormats, media.info.has_alpha);
    // Everybody can show a GIF; and what was asked for is that it moves.
    const bool moves = transform.frames == Frames::all && media.info.frames > 1;
    if (moves && !can_animate(transform.format)) transform.format = Format::gif;
  }
  return serve_picture(request, context, media, transform, negotiated);
}

}  // namespace

void add_content_routes(http::Router& router, RouteContext& context) {
  const std::string base(kBasePath);
  router.add("GET", base + "/media/{id}/download", with_media(context, download), {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/renditions/{preset}", with_media(context, rendition),
             {.tag = tag_of(Access::by_media, Tier::delivery)});
  router.add("GET", base + "/media/{id}/image", with_media(context, image), {.tag = tag_of(Access::by_media, Tier::delivery)});
}

}  // namespace media::server
