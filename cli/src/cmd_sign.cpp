#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include "command.hpp"
#include "media/sign.hpp"
#include "media_id.hpp"
#include "open_store.hpp"
#include "signing.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

using media::Errc;
using media::Error;
using media::Result;

constexpr std::string_view kApiPath = "/api/v1/media-management";
constexpr std::chrono::hours kLongest{24 * 366};

struct SignOptions {
  std::vector<media::MediaId> ids;
  std::string preset;
  std::string image;
  std::string format;
  bool inline_download = false;
  std::string expires = "1h";
  std::string base_url;
};

/// What to add to "/media/7", and the parameters that are signed along.
struct Target {
  std::string path = "/download";
  std::vector<media::QueryParameter> parameters;
};

Result<Target> target_of(const SignOptions& options, const media::Library& library) {
  Target target;
  if (!options.preset.empty() && !options.image.empty()) return Error{Errc::invalid_argument, "--preset and --image exclude each other"};
  if (options.inline_download && (!options.preset.empty() || !options.image.empty())) {
    return Error{Errc::invalid_argument, "--inline is for the original; pictures are shown in place anyway"};
  }
  if (options.inline_download) target.parameters.push_back({"disposition", "inline"});
  media::Transform transform;
  if (!options.preset.empty()) {
    const auto& presets = library.presets();
    const bool known = std::any_of(presets.begin(), presets.end(), [&](const media::Preset& one) { return one.name == options.preset; });
    if (!known) {
      std::string names;
      for (const media::Preset& preset : presets) names += (names.empty() ? "" : ", ") + preset.name;
      return Error{Errc::invalid_argument, "--preset: accepts " + names};
    }
    target.path = "/renditions/" + options.preset;
  }
  if (!options.image.empty()) {
    target.path = "/image";
    std::set<std::string> seen;
    std::istringstream words(options.image);
    for (std::string word; std::getline(words, word, ',');) {
      const auto equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string value = equals == std::string::npos ? std::string() : word.substr(equals + 1);
      if (!seen.insert(name).second) return Error{Errc::invalid_argument, "--image: " + name + " stands twice"};
      if (auto set = media::set_transform_key(transform, name, value); !set) {
        return Error{Errc::invalid_argument, "--image: " + set.error().message};
      }
      target.parameters.push_back({name, value});
    }
    if (!seen.contains("w") && !seen.contains("h")) return Error{Errc::invalid_argument, "--image: w=PIXELS or h=PIXELS is wanted"};
  }
  if (!options.format.empty()) {
    if (target.path == "/download") return Error{Errc::invalid_argument, "--format: needs --preset or --image"};
    if (auto set = media::set_transform_key(transform, "format", options.format); !set) {
      return Error{Errc::invalid_argument, "--format: " + set.error().message};
    }
    std::erase_if(target.parameters, [](const media::QueryParameter& parameter) { return parameter.name == "format"; });
    target.parameters.push_back({"format", options.format});
  }
  return target;
}

Result<std::string> base_of(const SignOptions& options) {
  std::string base = options.base_url.empty() ? environment("MEDIA_SERVICE_SERVER_PUBLIC_URL") : options.base_url;
  if (!base.empty() && !base.starts_with("http://") && !base.starts_with("https://")) {
    return Error{Errc::invalid_argument, "--base-url: accepts http://… or https://…"};
  }
  while (base.ends_with('/')) base.pop_back();
  return base + std::string(kApiPath);
}

Exit run(Console& console, const Globals& globals, const SignOptions& options) {
  const auto lifetime = parse_duration(options.expires);
  if (!lifetime || lifetime->count() < 1 || *lifetime > kLongest) {
    return console.fail({Errc::invalid_argument, "--expires: a time such as 15m, 24h or 90d is wanted, at most 366d"});
  }
  auto base = base_of(options);
  if (!base) return console.fail(base.error());
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  const auto target = target_of(options, **library);
  if (!target) return console.fail(target.error());
  const auto keys = open_signing_keys(globals);
  if (!keys) return console.fail(keys.error());
  const media::Timestamp expires_at = media::SystemClock().now() + *lifetime;
  std::uint64_t failed = 0;
  for (const media::MediaId id : options.ids) {
    const auto found = (*library)->find(id);
    if (!found) return console.fail(found.error());
    if (!*found) {
      ++failed;
      console.record(Json{{"id", id}, {"status", "not_found"}});
      console.complain(no_such_media(id).message);
      continue;
    }
    const std::string url =
        *base + media::sign_delivery(*keys, "/media/" + std::to_string(id) + target->path, target->parameters, expires_at);
    console.record(Json{{"id", id}, {"status", "signed"}, {"url", url}, {"expires_at", media::to_rfc3339(expires_at)}});
    console.text(url);
  }
  console.summary(Json{{"signed", options.ids.size() - failed}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_sign(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("sign", "Print URLs by which anybody may fetch a media until they expire");
  auto options = std::make_shared<SignOptions>();
  command->add_option("ID", options->ids, "The media")->required()->check(CLI::Range(media::MediaId{1}, media::kMaxMediaId));
  command->add_option("--preset", options->preset, "A rendition instead of the original: thumb, medium, …");
  command->add_option("--image", options->image, "A picture on the fly instead: w=640,h=480,fit=cover,gravity=smart")
      ->type_name("KEY=VALUE,…");
  command->add_option("--format", options->format, "avif, webp, jpeg, png or (with --image) gif, instead of what the client takes");
  command->add_flag("--inline", options->inline_download, "The original to be shown in place, not saved");
  command->add_option("--expires", options->expires, "How long the URL works: 15m, 24h, 90d (default: 1h)")->type_name("TIME");
  command->add_option("--base-url", options->base_url,
                      "What stands before /api/v1/… (default: MEDIA_SERVICE_SERVER_PUBLIC_URL, else nothing: a path)");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl
