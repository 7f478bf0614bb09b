// Pictures out: the stored rendition, or made, kept and handed out.

#include <algorithm>

#include "library/library_impl.hpp"

namespace media {
namespace {

/// Looks this often whether a job still has its lease while it waits for a place.
constexpr std::chrono::seconds kPlaceTick{1};

}  // namespace

Result<std::optional<Picture>> LibraryImpl::find_picture(const Digest& source, const std::string& transform,
                                                         const std::string& encoder) const {
  MEDIA_TRY_ASSIGN(auto rendition, repository_->find_rendition(source, transform, encoder));
  if (!rendition) return std::optional<Picture>{};
  auto content = open_verified(rendition->digest);
  if (content) {
    note_use(*rendition);
    return std::optional<Picture>(Picture{std::move(*rendition), std::move(content).value()});
  }
  const Errc code = content.error().code;
  // A rendition is disposable: where it is lost or damaged, it is made again.
  if (code == Errc::corrupt || code == Errc::not_found) return std::optional<Picture>{};
  return std::move(content).error();
}

bool LibraryImpl::is_preset(const Transform& transform) const {
  return std::any_of(options_.presets.begin(), options_.presets.end(), [&](const Preset& preset) {
    return std::any_of(preset.formats.begin(), preset.formats.end(), [&](Format format) {
      Transform made = preset.transform;
      made.format = format;
      return to_string(made) == to_string(transform);
    });
  });
}

Result<std::vector<Rendition>> LibraryImpl::keep_outputs(const Digest& source, const Derived& derived, const Repository::Closure& more) {
  std::vector<Rendition> renditions;
  std::vector<Keeping> keepings;
  for (const Encoded& output : derived.outputs) {
    MEDIA_TRY_ASSIGN(auto writer, store_->begin(output.bytes.size()));
    MEDIA_TRY(writer->write(output.bytes));
    Keeping keeping;
    MEDIA_TRY_ASSIGN(keeping.staged, writer->finish());
    keeping.digest = keeping.staged->digest();
    keeping.size_bytes = keeping.staged->size();

    Rendition rendition;
    rendition.source = source;
    rendition.transform = to_string(output.transform);
    MEDIA_TRY_ASSIGN(rendition.encoder, encoder_version(output.transform.format));
    rendition.digest = keeping.digest;
    rendition.format = output.transform.format;
    rendition.width = output.width;
    rendition.height = output.height;
    rendition.size_bytes = keeping.size_bytes;
    rendition.created_at = clock_->now();
    rendition.on_demand = !is_preset(output.transform);
    rendition.used_at = rendition.created_at;
    renditions.push_back(std::move(rendition));
    keepings.push_back(std::move(keeping));
  }
  std::vector<Keeping*> pointers;
  for (Keeping& keeping : keepings) pointers.push_back(&keeping);
  MEDIA_TRY(keep(pointers, [&](Transaction& transaction) -> Result<void> {
    for (const Rendition& rendition : renditions) MEDIA_TRY(transaction.put_rendition(rendition));
    return more(transaction);
  }));
  return renditions;
}

Result<Picture> LibraryImpl::make_picture(const Media& media, const Transform& transform, const std::string& encoder,
                                          const std::stop_token& stop, DerivationQueue::Place& place) {
  const Digest& source = *media.digest;
  const std::string spelling = to_string(transform);
  // By a making that ended, here or in another process, since this one was asked for.
  MEDIA_TRY_ASSIGN(auto stored, find_picture(source, spelling, encoder));
  if (stored) return std::move(*stored);
  MEDIA_TRY_ASSIGN(const auto content, read(media));
  DeriveOptions options;
  options.budget = options_.budget;
  options.stop = stop;
  MEDIA_TRY_ASSIGN(const Derived derived, processor_->derive(*content, std::span(&transform, 1), options));
  place.release();  // What is left is the disk's work.
  MEDIA_TRY_ASSIGN(auto renditions, keep_outputs(source, derived, [](Transaction&) { return Result<void>{}; }));
  Picture picture{std::move(renditions.front()), nullptr};
  // By its bytes, not by its row, which may have been dropped already for the sake of others.
  auto opened = open_verified(picture.rendition.digest);
  if (!opened) return Error{Errc::unavailable, "the rendition went away as soon as it was made; try again"};
  picture.content = std::move(opened).value();
  if (picture.rendition.on_demand) keep_within_budget(picture.rendition.size_bytes);
  return picture;
}

Result<Derivation> LibraryImpl::begin_derive(const Media& media, const Transform& transform, std::function<void()> on_ready) {
  if (!media.digest) return Error{Errc::not_found, "there is no media " + std::to_string(media.id) + " with content"};
  const std::string spelling = to_string(transform);
  MEDIA_TRY_ASSIGN(std::string encoder, encoder_version(transform.format));
  Derivation derivation;
  MEDIA_TRY_ASSIGN(derivation.picture, find_picture(*media.digest, spelling, encoder));
  if (derivation.picture) return derivation;
  // What another process made of it is handed out all the same.
  if (!processor_->handles(media.info.format)) {
    return Error{Errc::unsupported, "no picture can be made of media " + std::to_string(media.id) + " (" + media.media_type + ")"};
  }
  if (options_.read_only) return Error{Errc::denied, "derive: the library is open for reading only"};
  auto work = [this, media, transform, encoder = std::move(encoder)](const std::stop_token& stop, DerivationQueue::Place& place) {
    return make_picture(media, transform, encoder, stop, place);
  };
  MEDIA_TRY_ASSIGN(derivation.pending, derivations_.join(media.digest->to_hex() + ' ' + spelling, std::move(work), std::move(on_ready)));
  return derivation;
}

DerivationStats LibraryImpl::derivation_stats() const {
  DerivationStats stats = derivations_.stats();
  stats.evicted = evicted_;
  return stats;
}

Result<Derived> LibraryImpl::derive_in_turn(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options,
                                            const std::function<void()>& while_waiting) {
  std::optional<DerivationQueue::Place> place;
  while (!(place = derivations_.enter_background(options.stop, kPlaceTick))) {
    if (options.stop.stop_requested()) return Error{Errc::cancelled, "stopped by the caller"};
    while_waiting();
  }
  return processor_->derive(content, transforms, options);
}

Result<Derived> LibraryImpl::derive_from(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) {
  return processor_->derive(content, transforms, options);
}

}  // namespace media
