// Pictures out: the stored rendition, or made, kept and answered now.

#include "library/library_impl.hpp"

namespace media {

Result<std::optional<Picture>> LibraryImpl::find_picture(const Digest& source, const std::string& transform,
                                                         const std::string& encoder) const {
  MEDIA_TRY_ASSIGN(auto rendition, repository_->find_rendition(source, transform, encoder));
  if (!rendition) return std::optional<Picture>{};
  auto content = open_verified(rendition->digest);
  if (content) return std::optional<Picture>(Picture{std::move(*rendition), std::move(content).value()});
  const Errc code = content.error().code;
  // A rendition is disposable: where it is lost or damaged, it is made again.
  if (code == Errc::corrupt || code == Errc::not_found) return std::optional<Picture>{};
  return std::move(content).error();
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

Result<Picture> LibraryImpl::make_picture(const Media& media, const Digest& source, const Transform& transform, const std::string& encoder,
                                          std::stop_token stop) {
  MEDIA_TRY_ASSIGN(const auto content, read(media));
  DeriveOptions options;
  options.budget = options_.budget;
  options.stop = std::move(stop);
  MEDIA_TRY_ASSIGN(const Derived derived, processor_->derive(*content, std::span(&transform, 1), options));
  MEDIA_TRY_ASSIGN(const auto renditions, keep_outputs(source, derived, [](Transaction&) { return Result<void>{}; }));
  MEDIA_TRY_ASSIGN(auto picture, find_picture(source, renditions.front().transform, encoder));
  if (!picture) return Error{Errc::unavailable, "the rendition went away as soon as it was made; try again"};
  return std::move(*picture);
}

Result<Picture> LibraryImpl::derive(MediaId id, const Transform& transform, std::stop_token stop) {
  MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, id));
  if (!media || !media->digest) return Error{Errc::not_found, "there is no media " + std::to_string(id) + " with content"};
  if (!can_decode(media->info.format)) {
    return Error{Errc::unsupported, "no picture can be made of media " + std::to_string(id) + " (" + media->media_type + ")"};
  }
  const std::string spelling = to_string(transform);
  MEDIA_TRY_ASSIGN(const std::string encoder, encoder_version(transform.format));
  MEDIA_TRY_ASSIGN(auto stored, find_picture(*media->digest, spelling, encoder));
  if (stored) return std::move(*stored);
  if (options_.read_only) return Error{Errc::denied, "derive: the library is open for reading only"};

  const std::string key = media->digest->to_hex() + ' ' + spelling;
  std::shared_ptr<Flight> flight;
  {
    std::unique_lock lock(flights_mutex_);
    if (const auto found = flights_.find(key); found != flights_.end()) {
      const auto other = found->second;
      const auto patience = options_.budget.deadline * 2;
      if (!flights_changed_.wait_for(lock, stop, patience, [&] { return other->done; })) {
        return Error{stop.stop_requested() ? Errc::cancelled : Errc::unavailable, "derive: another call is still making this rendition"};
      }
      lock.unlock();
      MEDIA_TRY_ASSIGN(auto made, find_picture(*media->digest, spelling, encoder));
      if (made) return std::move(*made);
      // The other call failed; its error may have been its own (cancelled), so this one tries for itself.
      lock.lock();
    }
    flight = std::make_shared<Flight>();
    flights_[key] = flight;
  }
  auto picture = make_picture(*media, *media->digest, transform, encoder, std::move(stop));
  {
    const std::lock_guard lock(flights_mutex_);
    flight->done = true;
    if (const auto found = flights_.find(key); found != flights_.end() && found->second == flight) flights_.erase(found);
  }
  flights_changed_.notify_all();
  return picture;
}

Result<Derived> LibraryImpl::derive_from(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) {
  return processor_->derive(content, transforms, options);
}

}  // namespace media
