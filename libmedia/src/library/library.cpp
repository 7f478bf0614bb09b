#include "media/library.hpp"

#include <filesystem>
#include <system_error>

#include "library/library_impl.hpp"

namespace media {

LibraryImpl::LibraryImpl(LibraryOptions options, std::unique_ptr<BlobStore> store, std::unique_ptr<Repository> repository,
                         std::unique_ptr<UploadSpool> spool, std::unique_ptr<Processor> processor)
    : options_(std::move(options)),
      store_(std::move(store)),
      repository_(std::move(repository)),
      spool_(std::move(spool)),
      processor_(std::move(processor)),
      clock_(options_.clock) {}

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
    MEDIA_TRY_ASSIGN(processor, make_worker_processor(pool));
  }

  auto store = std::move(options.store);
  if (!store) {
    FilesystemStoreOptions files;
    files.base_path = options.base_path;
    files.temp_path = options.temp_path;
    files.read_only = options.read_only;
    MEDIA_TRY_ASSIGN(store, open_filesystem_store(files));
  }
  auto repository = std::move(options.repository);
  if (!repository) {
    SqliteRepositoryOptions sqlite;
    sqlite.path = catalog_path;
    sqlite.read_only = options.read_only;
    MEDIA_TRY_ASSIGN(repository, open_sqlite_repository(sqlite));
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

Result<std::optional<Job>> LibraryImpl::find_job(MediaId id) const { return repository_->find_job_of_media(id, "derive"); }

Result<std::vector<Rendition>> LibraryImpl::renditions(MediaId id) const {
  MEDIA_TRY_ASSIGN(const auto media, repository_->find_media(id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
  if (!media->digest) return std::vector<Rendition>{};
  return repository_->list_renditions(*media->digest);
}

Result<std::shared_ptr<const ByteReader>> LibraryImpl::read(MediaId id) const {
  MEDIA_TRY_ASSIGN(const auto media, repository_->find_media(id));
  if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
  if (!media->digest) return Error{Errc::not_found, "media " + std::to_string(id) + " has no content yet"};
  return open_verified(*media->digest);
}

Result<Media> LibraryImpl::update(MediaId id, const MediaChanges& changes) {
  if (changes.filename && (changes.filename->empty() || changes.filename->size() > 255)) {
    return Error{Errc::invalid_argument, "a file name has 1 to 255 bytes"};
  }
  Media updated;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto media, transaction.find_media(id));
    if (!media) return Error{Errc::not_found, "there is no media " + std::to_string(id)};
    if (changes.expected_updated_at && media->updated_at != *changes.expected_updated_at) {
      return Error{Errc::conflict, "media " + std::to_string(id) + " was changed meanwhile"};
    }
    if (changes.filename) media->filename = *changes.filename;
    if (changes.visibility) media->visibility = *changes.visibility;
    media->updated_at = clock_->now();
    updated = std::move(*media);
    return transaction.update_media(updated);
  }));
  return updated;
}

Result<void> LibraryImpl::link(const Link& link) {
  if (link.subject.empty() || link.subject.size() > 255) return Error{Errc::invalid_argument, "a subject has 1 to 255 bytes"};
  return repository_->write([&](Transaction& transaction) { return transaction.put_link(link); });
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
  bool removed = false;
  MEDIA_TRY(repository_->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(const auto media, transaction.find_media(id));
    MEDIA_TRY_ASSIGN(removed, transaction.remove_media(id));
    return media ? note_event(transaction, MediaEvent::removed, *media) : Result<void>{};
  }));
  if (removed) announce(id);
  return removed;
}

}  // namespace media
