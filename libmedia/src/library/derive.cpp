// Pictures out: the stored rendition, or made, kept and handed out.

#include <algorithm>
#include <array>

#include "library/hashing.hpp"
#include "library/library_impl.hpp"
#include "media/inspect.hpp"
#include "media/trace.hpp"

namespace media {
namespace {

/// Looks this often whether a job still has its lease while it waits for a place.
constexpr std::chrono::seconds kPlaceTick{1};

/// By its first bytes, for the measures: a job knows no more of some contents.
Format format_of(const ByteReader& content) {
  std::array<std::byte, kSniffBytes> head{};
  const auto got = content.read_at(0, head);
  return got ? sniff(std::span(head).first(*got)) : Format::unknown;
}

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

Result<LibraryImpl::StagedOutput> LibraryImpl::stage_output(const Digest& source, const Encoded& output) {
  StagedOutput staged;
  MEDIA_TRY_ASSIGN(auto writer, store_->begin(output.content ? output.content->size() : output.bytes.size()));
  if (output.content) {
    MEDIA_TRY(for_each_piece(*output.content, [&](std::span<const std::byte> piece) { return writer->write(piece); }));
  } else {
    MEDIA_TRY(writer->write(output.bytes));
  }
  Keeping& keeping = staged.keeping;
  MEDIA_TRY_ASSIGN(keeping.staged, writer->finish());
  keeping.digest = keeping.staged->digest();
  keeping.size_bytes = keeping.staged->size();

  Rendition& rendition = staged.rendition;
  rendition.source = source;
  rendition.transform = to_string(output.transform);
  MEDIA_TRY_ASSIGN(rendition.encoder, encoder_version(output.transform.format));
  rendition.digest = keeping.digest;
  rendition.format = output.transform.format;
  rendition.width = output.width;
  rendition.height = output.height;
  rendition.size_bytes = keeping.size_bytes;
  rendition.created_at = clock_->now();
  // A video that took minutes does not go because many pictures were asked for.
  rendition.on_demand = !is_preset(output.transform) && !encodes_video(output.transform);
  rendition.used_at = rendition.created_at;
  return staged;
}

Result<void> LibraryImpl::keep_outputs(std::span<StagedOutput> outputs, Format source, const Repository::Closure& more) {
  std::vector<Keeping*> keepings;
  for (StagedOutput& output : outputs) keepings.push_back(&output.keeping);
  const auto begun = StageClock::Steady::now();
  auto kept = keep(
      keepings,
      [&](Transaction& transaction) -> Result<void> {
        if (!outputs.empty()) {
          // Removed, perhaps erased, while its picture was made: then there must be no picture of it either.
          MEDIA_TRY_ASSIGN(const bool referenced, transaction.is_referenced(outputs.front().rendition.source));
          if (!referenced) return Error{Errc::not_found, "the media was removed while its picture was made"};
        }
        for (const StagedOutput& output : outputs) MEDIA_TRY(transaction.put_rendition(output.rendition));
        return more(transaction);
      },
      keepings.size() == 1);
  // Without outputs there are only rows to write.
  if (!outputs.empty()) stages_.note(Stage::derive_keep, source, begun);
  return kept;
}

Result<Picture> LibraryImpl::view_arranged(const Media& media, const Transform& transform, const std::string& encoder,
                                           std::shared_ptr<const inspect::Arrangement> arrangement) const {
  MEDIA_TRY_ASSIGN(auto source, read(media));
  Picture picture;
  Rendition& rendition = picture.rendition;
  rendition.source = *media.digest;
  rendition.transform = to_string(transform);
  rendition.encoder = encoder;
  rendition.format = transform.format;
  rendition.width = media.info.display_width();
  rendition.height = media.info.display_height();
  rendition.created_at = media.uploaded_at;
  rendition.used_at = clock_->now();
  rendition.on_demand = true;
  rendition.digest = *media.digest;
  if (arrangement->moves) {
    const std::string name = rendition.source.to_hex() + " " + rendition.transform + " " + encoder;
    rendition.digest = Digest::of(std::as_bytes(std::span(name)));
  }
  picture.content = inspect::arranged(std::move(source), std::move(arrangement));
  rendition.size_bytes = picture.content->size();
  return picture;
}

Result<Picture> LibraryImpl::arrange(const Media& media, const Transform& transform, const std::string& encoder) {
  auto arrangement = arrangements_.find(*media.digest);
  if (!arrangement) {
    MEDIA_TRY_ASSIGN(const auto source, read(media));
    MEDIA_TRY_ASSIGN(inspect::Arrangement made, inspect::arrange_for_web(*source));
    MEDIA_TRY_ASSIGN(arrangement, arrangements_.keep(*media.digest, std::move(made)));
  }
  return view_arranged(media, transform, encoder, std::move(arrangement));
}

Result<Picture> LibraryImpl::make_picture(const Media& media, const Transform& transform, const std::string& encoder,
                                          DerivationQueue::Making& making) {
  const Digest& source = *media.digest;
  const std::string spelling = to_string(transform);
  // By a making that ended, here or in another process, since this one was asked for.
  MEDIA_TRY_ASSIGN(auto stored, find_picture(source, spelling, encoder));
  if (stored) return std::move(*stored);
  MEDIA_TRY_ASSIGN(const auto content, read(media));
  DeriveOptions options;
  options.budget = options_.budget;
  options.stop = making.stop();
  MEDIA_TRY_ASSIGN(Derived derived, traced_derive(*content, std::span(&transform, 1), options));
  making.give_up_place();  // What is left is the disk's work.
  Encoded& output = derived.outputs.front();
  MEDIA_TRY_ASSIGN(StagedOutput staged, stage_output(source, output));
  Picture picture{staged.rendition, nullptr};
  const bool is_small = !output.content && output.bytes.size() <= kSmallBlobBytes;
  if (is_small) {
    // It can be made again at any time, so nobody who looks at an empty frame has to wait for the disk. What is large does not stay in
    // memory for as long as its readers take.
    picture.content = std::make_shared<MemoryReader>(std::move(output.bytes));
    making.hand_out(picture);
  }
  MEDIA_TRY(keep_outputs(std::span(&staged, 1), media.info.format, [](Transaction&) { return Result<void>{}; }));
  if (!is_small) {
    // By its bytes, not by its row, which may have been dropped already for the sake of others.
    auto opened = open_verified(picture.rendition.digest);
    if (!opened) return Error{Errc::unavailable, "the rendition went away as soon as it was made; try again"};
    picture.content = std::move(opened).value();
  }
  if (picture.rendition.on_demand) keep_within_budget(picture.rendition.size_bytes);
  return picture;
}

Result<Derivation> LibraryImpl::begin_derive(const Media& media, const Transform& transform, std::function<void()> on_ready) {
  if (!media.digest) return Error{Errc::not_found, "there is no media " + std::to_string(media.id) + " with content"};
  if (media.held != Hold::none) {
    return Error{Errc::denied, "media " + std::to_string(media.id) + " is kept back: " + std::string(to_string(media.held))};
  }
  const std::string spelling = to_string(transform);
  MEDIA_TRY_ASSIGN(std::string encoder, encoder_version(transform.format));
  Derivation derivation;
  if (makes_video(transform) && !encodes_video(transform)) {
    // What is large is read through by another thread; a name is enough to share it.
    if (auto known = arrangements_.find(*media.digest)) {
      MEDIA_TRY_ASSIGN(derivation.picture, view_arranged(media, transform, encoder, std::move(known)));
      return derivation;
    }
    auto work = [this, media, transform, encoder](DerivationQueue::Making&) { return arrange(media, transform, encoder); };
    MEDIA_TRY_ASSIGN(derivation.pending, derivations_.join(media.digest->to_hex() + ' ' + spelling, std::move(work), std::move(on_ready)));
    return derivation;
  }
  const bool is_encoded = encodes_video(transform);
  // Others may have had it made of the same bytes: that is no business of this media's.
  MEDIA_TRY_ASSIGN(const bool may_have, is_encoded ? has_ordered(media, spelling) : Result<bool>(true));
  if (may_have) {
    MEDIA_TRY_ASSIGN(derivation.picture, find_picture(*media.digest, spelling, encoder));
  }
  if (derivation.picture) return derivation;
  if (is_encoded) {
    return Error{Errc::not_found, "there is no such video of media " + std::to_string(media.id) + " yet: it has to be ordered first"};
  }
  // What another process made of it is handed out all the same.
  if (!processor_->handles(media.info.format)) {
    return Error{Errc::unsupported, "no picture can be made of media " + std::to_string(media.id) + " (" + media.media_type + ")"};
  }
  if (options_.read_only) return Error{Errc::denied, "derive: the library is open for reading only"};
  // In the trace of whoever asked first.
  auto work = [this, media, transform, encoder = std::move(encoder), tracing = TraceScope::current(),
               asked = StageClock::Steady::now()](DerivationQueue::Making& making) {
    stages_.note(Stage::derive_wait, media.info.format, asked);
    const TraceScope scope(tracing);
    return make_picture(media, transform, encoder, making);
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
  const Format format = format_of(content);
  const auto asked = StageClock::Steady::now();
  std::optional<DerivationQueue::Place> place;
  std::optional<Span> waiting(std::in_place, "derive.wait");
  while (!(place = derivations_.enter_background(options.stop, kPlaceTick))) {
    if (options.stop.stop_requested()) return Error{Errc::cancelled, "stopped by the caller"};
    while_waiting();
  }
  waiting.reset();
  stages_.note(Stage::derive_wait, format, asked);
  return traced_derive(content, transforms, options);
}

Result<Derived> LibraryImpl::traced_derive(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) {
  Span span("media.derive");
  span.set("media.bytes", static_cast<std::int64_t>(content.size()));
  span.set("media.outputs", std::ssize(transforms));
  const auto begun = StageClock::Steady::now();
  auto derived = processor_->derive(content, transforms, options);
  stages_.note(Stage::derive_make, format_of(content), begun);
  return span.check(std::move(derived));
}

Result<Derived> LibraryImpl::derive_from(const ByteReader& content, std::span<const Transform> transforms, const DeriveOptions& options) {
  return processor_->derive(content, transforms, options);
}

}  // namespace media
