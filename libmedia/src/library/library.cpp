#include "media/library.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <thread>

#include "library/library_impl.hpp"
#include "library/pending_ingest.hpp"
#include "media/store_location.hpp"
#include "media/tiers.hpp"

namespace media {
namespace {

constexpr std::size_t kSweepAtOnce = 256;

/// What a media's tags become.
Result<std::vector<std::string>> checked_tags(const std::vector<std::string>& tags) {
  if (tags.size() > kMaxTags) return Error{Errc::invalid_argument, "a media has at most " + std::to_string(kMaxTags) + " tags"};
  std::vector<std::string> kept;
  for (const std::string& tag : tags) {
    const bool plain = std::none_of(tag.begin(), tag.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (tag.empty() || tag.size() > kMaxTagBytes || !plain) {
      return Error{Errc::invalid_argument, "a tag has 1 to " + std::to_string(kMaxTagBytes) + " bytes and no control characters"};
    }
    if (std::find(kept.begin(), kept.end(), tag) == kept.end()) kept.push_back(tag);
  }
  return kept;
}

DerivationQueue::Limits queue_limits(const LibraryOptions& options) {
  unsigned at_once = options.derivations_at_once != 0 ? options.derivations_at_once : std::max(std::thread::hardware_concurrency(), 1U);
  // More than there are workers would wait for one in no order, and against their deadlines.
  if (!options.processor && options.isolation == Isolation::process) {
    at_once = options.derivations_at_once != 0 ? std::min(options.derivations_at_once, options.workers) : options.workers;
  }
  return {at_once, options.derivation_queue, options.budget.deadline};
}

}  // namespace

LibraryImpl::LibraryImpl(LibraryOptions options, std::unique_ptr<BlobStore> store, std::unique_ptr<Repository> repository,
                         std::unique_ptr<UploadSpool> spool, std::unique_ptr<Processor> processor)
    : options_(std::move(options)),
      store_(std::move(store)),
      repository_(std::move(repository)),
      spool_(std::move(spool)),
      processor_(std::move(processor)),
      clock_(options_.clock),
      counts_reads_(store_->tiered() != nullptr && !options_.read_only),
      blob_cache_(options_.read_cache_bytes),
      derivations_(queue_limits(options_)) {}

Result<std::unique_ptr<Library>> Library::open(LibraryOptions options) {
  const bool needs_folder = !options.store || !options.repository;
  if (needs_folder && options.base_path.empty()) return Error{Errc::invalid_argument, "open library: no base path"};
  if (!options.clock) options.clock = std::make_shared<SystemClock>();

  const auto catalog_path = options.base_path / "catalog.db";
  if (!options.repository && (!options.create || options.read_only)) {
    std::error_code failure;
    if (!std::filesystem::exists(catalog_path, failure)) {
      return Error{Errc::not_found, "open library: no library in " + options.base_path.string() + " (catalog.db is missing)"};
    }
  }

  // The processor first: without a worker nothing must be made on disk.
  auto processor = std::move(options.processor);
  if (!processor && options.isolation == Isolation::none) processor = make_in_process_processor();
  if (!processor) {
    WorkerPoolOptions pool;
    pool.workers = options.workers;
    pool.encoding_workers = options.encodings_at_once;
    MEDIA_TRY_ASSIGN(processor, make_worker_processor(pool));
  }

  auto store = std::move(options.store);
  if (!store) {
    FilesystemStoreOptions files;
    files.base_path = options.base_path;
    files.temp_path = options.temp_path;
    files.pack_below_bytes = options.pack_below_bytes;
    files.read_only = options.read_only;
    // Or what lies elsewhere would pass for lost.
    MEDIA_TRY_ASSIGN(const auto elsewhere, read_store_note(options.base_path));
    if (elsewhere) {
      return Error{Errc::conflict, "open library: the one in " + options.base_path.string() + " keeps its blobs in " + *elsewhere +
                                       "; open that store, and give it in the options"};
    }
    MEDIA_TRY_ASSIGN(store, open_filesystem_store(files));
    OpenTiersOptions tiers;
    tiers.read_only = options.read_only;
    tiers.pack_below_bytes = options.pack_below_bytes;
    tiers.temp_path = options.temp_path.empty() ? options.base_path / "temp" : options.temp_path;
    MEDIA_TRY_ASSIGN(store, open_tiers(std::move(store), options.base_path, tiers));
  }
  auto repository = std::move(options.repository);
  if (!repository) {
    MEDIA_TRY(require_own_catalog(options.base_path));
    SqliteRepositoryOptions sqlite;
    sqlite.path = catalog_path;
    sqlite.read_only = options.read_only;
    MEDIA_TRY_ASSIGN(repository, open_sqlite_repository(sqlite));
    // A migration that had it locked until now has noted by now whose the bytes are.
    MEDIA_TRY(require_own_catalog(options.base_path));
  }
  auto spool = std::move(options.spool);
  if (!spool) spool = options.base_path.empty() ? make_memory_spool() : make_filesystem_spool(options.base_path / "uploads");
  return std::unique_ptr<Library>(
      std::make_unique<LibraryImpl>(std::move(options), std::move(store), std::move(repository), std::move(spool), std::move(processor)));
}

Result<IngestOutcome> Library::finish(std::unique_ptr<Ingest> ingest) {
  auto outcomes = finish(std::span<const std::unique_ptr<Ingest>>(&ingest, 1));
  return std::move(outcomes.front());
}

Result<IngestOutcome> Library::ingest(const ByteReader& content, IngestRequest request) {
  MEDIA_TRY_ASSIGN(auto prepared, prepare(content, std::move(request)));
  return finish(std::move(prepared));
}

Result<IngestOutcome> Library::ingest_file(const std::filesystem::path& path, IngestRequest request) {
  MEDIA_TRY_ASSIGN(const auto file, FileReader::open(path));
  if (request.filename.empty()) request.filename = path.filename().string();
  return ingest(*file, std::move(request));
}

Result<std::vector<SimilarMedia>> Library::similar(MediaId id, SimilarQuery query) const {
  MEDIA_TRY_ASSIGN(const auto media, find(id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
  // A search that finds nothing is still one that is checked.
  if (!media->appearance.perceptual_hash || media->held != Hold::none) query.limit = 0;
  query.perceptual_hash = media->appearance.perceptual_hash.value_or(PerceptualHash{});
  query.except = id;
  return similar(std::move(query));
}

Result<Picture> Library::derive(MediaId id, const Transform& transform, std::stop_token stop) {
  MEDIA_TRY_ASSIGN(const auto media, find(id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id) + " with content"};
  MEDIA_TRY_ASSIGN(auto derivation, begin_derive(*media, transform, {}));
  if (derivation.picture) return std::move(*derivation.picture);
  return derivation.pending->wait(std::move(stop));
}

Result<std::optional<Media>> LibraryImpl::find_alive(const RepositoryReader& reader, MediaId id) const {
  MEDIA_TRY_ASSIGN(auto media, reader.find_media(id));
  if (media && has_expired(*media, clock_->now())) media.reset();
  return media;
}

Result<MediaPage> LibraryImpl::list(MediaQuery query) const {
  if (!query.alive_at) query.alive_at = clock_->now();
  return repository_->list_media(query);
}

Result<std::vector<SimilarMedia>> LibraryImpl::similar(SimilarQuery query) const {
  if (query.max_distance > kMaxSimilarDistance) {
    return Error{Errc::invalid_argument, "similar: a distance is 0 to " + std::to_string(kMaxSimilarDistance)};
  }
  if (!query.alive_at) query.alive_at = clock_->now();
  return repository_->list_similar_media(query);
}

Result<std::vector<Link>> LibraryImpl::links(const std::string& subject) const {
  MEDIA_TRY_ASSIGN(auto links, repository_->list_links(subject));
  std::vector<Link> alive;
  for (Link& link : links) {
    MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, link.media_id));
    if (media) alive.push_back(std::move(link));
  }
  return alive;
}

Result<std::vector<Job>> LibraryImpl::list_jobs(std::optional<JobState> state, std::size_t limit) const {
  return repository_->list_jobs(state, limit);
}

Result<std::optional<Job>> LibraryImpl::find_job(MediaId id) const { return repository_->find_job_of_media(id, "derive"); }

Result<std::vector<Rendition>> LibraryImpl::renditions(MediaId id) const {
  MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
  if (!media->digest) return std::vector<Rendition>{};
  return repository_->list_renditions(*media->digest);
}

Result<std::shared_ptr<const ByteReader>> LibraryImpl::read(MediaId id) const {
  MEDIA_TRY_ASSIGN(const auto media, find_alive(*repository_, id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
  return read(*media);
}

Result<std::shared_ptr<const ByteReader>> LibraryImpl::read(const Media& media) const {
  if (!media.digest) return Error{Errc::not_found, "media " + std::to_string(media.id) + " has no content yet"};
  if (media.held != Hold::none) {
    return Error{Errc::denied, "media " + std::to_string(media.id) + " is kept back: " + std::string(to_string(media.held))};
  }
  return open_verified(*media.digest);
}

Result<Media> LibraryImpl::update(MediaId id, const MediaChanges& changes) {
  const std::string filename = without_folders(changes.filename.value_or(""));
  if (changes.filename && (filename.empty() || filename.size() > 255)) {
    return Error{Errc::invalid_argument, "a file name has 1 to 255 bytes"};
  }
  std::vector<std::string> tags;
  if (changes.tags) {
    MEDIA_TRY_ASSIGN(tags, checked_tags(*changes.tags));
  }
  if (changes.expires_at && *changes.expires_at && **changes.expires_at <= clock_->now()) {
    return Error{Errc::invalid_argument, "a media expires at a time to come"};
  }
  Media updated;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto media, find_alive(transaction, id));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
    if (changes.expected_updated_at && media->updated_at != *changes.expected_updated_at) {
      return Error{Errc::conflict, "media " + std::to_string(id) + " was changed meanwhile"};
    }
    if (changes.filename) media->filename = filename;
    if (changes.visibility) media->visibility = *changes.visibility;
    if (changes.tags) media->tags = tags;
    if (changes.expires_at) media->expires_at = *changes.expires_at;
    // Of two changes within a millisecond the second one is later all the same: whoever saw the first must not pass for having seen both.
    media->updated_at = std::max(clock_->now(), media->updated_at + std::chrono::milliseconds(1));
    updated = std::move(*media);
    return transaction.update_media(updated);
  }));
  return updated;
}

Result<void> LibraryImpl::link(const Link& link) {
  if (link.subject.empty() || link.subject.size() > 255) return Error{Errc::invalid_argument, "a subject has 1 to 255 bytes"};
  return repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto media, find_alive(transaction, link.media_id));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(link.media_id)};
    return transaction.put_link(link);
  });
}

Result<bool> LibraryImpl::unlink(const std::string& subject, MediaId id) {
  bool removed = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(removed, transaction.remove_link(subject, id));
    return {};
  }));
  return removed;
}

Result<bool> LibraryImpl::remove(MediaId id) {
  MEDIA_TRY_ASSIGN(const auto removed, remove(std::span(&id, 1), std::nullopt));
  return !removed.empty();
}

Result<std::vector<MediaId>> LibraryImpl::remove(std::span<const MediaId> ids, const std::optional<std::string>& owner) {
  std::vector<MediaId> removed;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    removed.clear();
    for (const MediaId id : ids) {
      MEDIA_TRY_ASSIGN(const auto media, find_alive(transaction, id));
      if (!media || (owner && media->owner != *owner)) continue;
      MEDIA_TRY(transaction.remove_media(id));
      MEDIA_TRY(note_event(transaction, MediaEvent::removed, *media));
      removed.push_back(id);
    }
    return {};
  }));
  for (const MediaId id : removed) announce(id);
  return removed;
}

Result<std::size_t> LibraryImpl::sweep_expired() {
  blob_cache_.drop_idle();
  if (options_.read_only) return Error{Errc::denied, "sweep: the library is open for reading only"};
  std::size_t swept = 0;
  for (std::size_t found = kSweepAtOnce; found == kSweepAtOnce; swept += found) {
    std::vector<Media> expired;
    MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(expired, transaction.list_expired_media(clock_->now(), kSweepAtOnce));
      for (const Media& media : expired) {
        MEDIA_TRY(transaction.remove_media(media.id));
        MEDIA_TRY(note_event(transaction, MediaEvent::removed, media));
      }
      return {};
    }));
    for (const Media& media : expired) announce(media.id);
    found = expired.size();
  }
  return swept;
}

}  // namespace media
