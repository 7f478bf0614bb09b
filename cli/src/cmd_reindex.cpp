#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/inspect.hpp"
#include "media/store_location.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

using media::Digest;
using media::Result;

struct ReindexOptions {
  std::string owner = "recovered";
  std::string isolation = "process";
  unsigned jobs = default_jobs();
};

/// Bytes that the catalog does not know.
struct Stray {
  Digest digest;
  std::uint64_t size_bytes = 0;
  std::uint64_t pixels = 0;       ///< 0 where it is no picture.
  bool may_be_rendition = false;  ///< By its format.
};

/// A picture comes before what may have been made of it: that is never of more pixels, and only of some formats. Among equals the larger
/// file is more likely the one that came from outside.
bool comes_first(const Stray& a, const Stray& b) {
  if (a.pixels != b.pixels) return a.pixels > b.pixels;
  if (a.may_be_rendition != b.may_be_rendition) return b.may_be_rendition;
  if (a.size_bytes != b.size_bytes) return a.size_bytes > b.size_bytes;
  return a.digest < b.digest;
}

struct Found {
  std::uint64_t media = 0;
  std::uint64_t renditions = 0;
  std::uint64_t damaged = 0;
};

Result<Stray> look_at(const media::BlobStore& store, const Digest& digest, std::uint64_t size_bytes) {
  Stray stray{digest, size_bytes};
  const auto content = store.open(digest);
  if (!content && media::is_retryable(content.error().code)) return content.error();
  const auto info = content ? media::probe(**content) : Result<media::MediaInfo>(content.error());
  if (!info) return stray;
  stray.pixels = std::uint64_t{info->width} * info->height;
  stray.may_be_rendition = media::encoder_version(info->format).has_value();
  return stray;
}

Result<std::vector<Stray>> list_strays(media::Library& library, const media::BlobStore& store, std::stop_token stop) {
  std::vector<Digest> digests;
  media::VerifyOptions options;
  // Only the lists are compared: what is known is none of this command's business.
  options.unless_verified_since = media::Timestamp::min();
  options.stop = std::move(stop);
  options.on_fault = [&](const media::Fault& fault) {
    if (fault.problem == media::Fault::Problem::stray && fault.digest) digests.push_back(*fault.digest);
  };
  MEDIA_TRY(library.verify(options));
  std::vector<Stray> strays;
  for (const Digest& digest : digests) {
    MEDIA_TRY_ASSIGN(const auto stat, store.stat(digest));
    if (!stat) continue;
    MEDIA_TRY_ASSIGN(Stray stray, look_at(store, digest, stat->size));
    strays.push_back(stray);
  }
  std::sort(strays.begin(), strays.end(), comes_first);
  return strays;
}

std::string name_of(const Digest& digest) { return digest.to_hex().substr(0, 16); }

class Reindexing {
 public:
  Reindexing(media::Library& library, const media::BlobStore& store, Console& console, const ReindexOptions& options)
      : library_(library), store_(store), console_(console), options_(options) {}

  /// Takes one back, unless it has turned out to be a rendition of one that came before.
  Result<void> take(const Stray& stray) {
    if (renditions_.contains(stray.digest)) {
      ++found_.renditions;
      return {};
    }
    const auto content = store_.open(stray.digest);
    auto ingested = content ? ingest(**content, stray.digest) : Result<media::IngestOutcome>(content.error());
    if (!ingested && ingested.error().code == media::Errc::not_found) return {};  // removed since it was listed
    if (!ingested && (ingested.error().code == media::Errc::corrupt || ingested.error().code == media::Errc::io)) {
      ++found_.damaged;
      console_.problem("damaged blob", stray.digest.to_hex(), ingested.error().message);
      return {};
    }
    if (!ingested) return std::move(ingested).error();
    const media::IngestOutcome outcome = std::move(*ingested);
    if (outcome.digest != stray.digest) {
      // What was read is another content: the one of that name is damaged.
      ++found_.damaged;
      MEDIA_TRY(library_.remove(outcome.media.id));
      console_.problem("damaged blob", stray.digest.to_hex(), "its bytes have the digest " + outcome.digest.to_hex());
      return {};
    }
    ++found_.media;
    console_.record(Json{{"digest", stray.digest.to_hex()}, {"id", outcome.media.id}, {"media_type", outcome.media.media_type}});
    // Made again, renditions are the same bytes, and so they are known by their digests.
    MEDIA_TRY(library_.process(outcome.media.id));
    MEDIA_TRY_ASSIGN(const auto made, library_.renditions(outcome.media.id));
    for (const media::Rendition& rendition : made) renditions_.insert(rendition.digest);
    return {};
  }
  [[nodiscard]] const Found& found() const noexcept { return found_; }

 private:
  /// What the policy would refuse today was let in once, and comes back as bytes without a kind.
  Result<media::IngestOutcome> ingest(const media::ByteReader& content, const Digest& digest) {
    media::IngestRequest request;
    request.owner = options_.owner;
    request.filename = name_of(digest);
    MEDIA_TRY_ASSIGN(auto judged, library_.ingest(content, request));
    if (judged.verdict.admitted()) return judged;
    request.any_content = true;
    return library_.ingest(content, request);
  }

  media::Library& library_;
  const media::BlobStore& store_;
  Console& console_;
  const ReindexOptions& options_;
  std::set<Digest> renditions_;
  Found found_;
};

Exit run(Console& console, const Globals& globals, const ReindexOptions& options) {
  const Interrupt interrupt;
  auto library = open_store(globals, {.access = Access::create, .isolation = isolation_from(options.isolation), .workers = options.jobs});
  if (!library) return console.fail(library.error());
  // Opening the library has noted where its blobs are, where they are not in the folder.
  Globals as_noted;
  as_noted.store = globals.store;
  as_noted.blobs = globals.blobs;
  auto store = open_blobs(as_noted, true);
  if (store && !*store) {
    media::StoreAtOptions reading;
    reading.read_only = true;
    store = media::open_store_at(globals.store, reading);
  }
  if (!store) return console.fail(store.error());
  const auto strays = list_strays(**library, **store, interrupt.token());
  if (!strays && interrupt.signal_number() != 0) return exit_for_signal(interrupt.signal_number());
  if (!strays) return console.fail(strays.error());
  Reindexing reindexing(**library, **store, console, options);
  Progress progress(console, "blobs");
  std::uint64_t bytes = 0;
  for (const Stray& stray : *strays) bytes += stray.size_bytes;
  progress.set_total(strays->size(), bytes);
  for (const Stray& stray : *strays) {
    if (interrupt.signal_number() != 0) break;
    if (const auto taken = reindexing.take(stray); !taken) return console.fail(taken.error());
    progress.add(1, stray.size_bytes);
  }
  const Found& found = reindexing.found();
  console.summary(Json{{"strays", strays->size()}, {"media", found.media}, {"renditions", found.renditions}, {"damaged", found.damaged}},
                  "of " + std::to_string(strays->size()) + " blobs that the catalog did not know, " + std::to_string(found.media) +
                      " are media of '" + printable(options.owner) + "' now and " + std::to_string(found.renditions) +
                      " were their renditions" + (found.damaged > 0 ? "; " + std::to_string(found.damaged) + " are damaged" : ""));
  if (interrupt.signal_number() != 0) return exit_for_signal(interrupt.signal_number());
  return found.damaged == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_reindex(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("reindex", "Bring back into the catalog what lies in the store and the catalog does not know");
  auto options = std::make_shared<ReindexOptions>();
  command->add_option("--owner", options->owner, "Whose the media are (default: recovered)")->type_name("NAME");
  add_jobs_option(*command, options->jobs);
  add_isolation_option(*command, options->isolation);
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl
