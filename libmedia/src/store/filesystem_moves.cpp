// Blobs that change their form: from files of their own into segments, and back.
#include "store/blob_readers.hpp"
#include "store/filesystem_store.hpp"
#include "store/listing.hpp"

namespace media::store {
namespace {

/// What is packed, or unpacked, at once.
constexpr std::size_t kPackPage = 512;
constexpr std::uint64_t kPackBatchBytes = std::uint64_t{8} << 20U;

}  // namespace

Result<PackReport> FilesystemStore::pack(const PackOptions& options) {
  MEDIA_TRY(writable("pack"));
  MEDIA_TRY_ASSIGN(const UniqueFd lock, packed_->lock_moves());
  PackReport report;
  std::vector<Packing> batch;
  std::uint64_t held = 0;
  std::string cursor;
  do {
    MEDIA_TRY_ASSIGN(const auto page, list_blobs(base_.get(), cursor, kPackPage));
    for (const ListedBlob& listed : page.blobs) {
      if (options.stop.stop_requested()) return Error{Errc::cancelled, "pack: stopped"};
      if (!listed.digest || listed.size >= pack_below_) continue;
      const auto file = open_file(*listed.digest);
      if (!file && file.error().code == Errc::not_found) continue;  // Collected since.
      if (!file) return file.error();
      auto bytes = read_all(**file, pack_below_);
      if (!bytes || Digest::of(*bytes) != *listed.digest) {
        ++report.damaged;
        continue;
      }
      held += bytes->size();
      batch.push_back({*listed.digest, std::move(*bytes), listed.identity});
      if (held < kPackBatchBytes && batch.size() < kPackPage) continue;
      MEDIA_TRY(pack_batch(batch, report));
      held = 0;
      if (options.progress) options.progress(report.blobs, report.bytes);
    }
    cursor = page.next_cursor;
  } while (!cursor.empty());
  MEDIA_TRY(pack_batch(batch, report));
  return report;
}

Result<void> FilesystemStore::pack_batch(std::vector<Packing>& batch, PackReport& report) {
  std::vector<PackedContent> contents;
  for (const Packing& each : batch) contents.push_back({each.digest, each.bytes});
  MEDIA_TRY(packed_->publish(contents));
  for (const Packing& each : batch) {
    // Only the file that was read. Where it was collected meanwhile, the packed copy is a stray, and goes with the next collection; where
    // it was stored anew since, somebody relies on that one.
    MEDIA_TRY_ASSIGN(const auto file, stat_file(each.digest));
    if (!file || file->identity != each.identity) continue;
    MEDIA_TRY_ASSIGN(const bool was_there, remove_file(each.digest));
    report.blobs += was_there ? 1 : 0;
    report.bytes += was_there ? each.bytes.size() : 0;
  }
  batch.clear();
  return {};
}

Result<PackReport> FilesystemStore::unpack(const PackOptions& options) {
  MEDIA_TRY(writable("unpack"));
  MEDIA_TRY_ASSIGN(const UniqueFd lock, packed_->lock_moves());
  MEDIA_TRY(packed_->refresh());
  PackReport report;
  Digest from;
  bool beyond = false;
  for (;;) {
    const auto listed = packed_->list(from, beyond, kPackPage);
    if (listed.empty()) break;
    std::vector<std::unique_ptr<FileStaged>> owned;
    std::vector<FileStaged*> contents;
    std::vector<std::vector<PackedPlace>> places;
    std::uint64_t held = 0;
    for (const ListedBlob& blob : listed) {
      if (held >= kPackBatchBytes) break;
      if (options.stop.stop_requested()) return Error{Errc::cancelled, "unpack: stopped"};
      from = *blob.digest;
      beyond = true;
      // Known before it is read: what is stored anew meanwhile is not removed.
      auto copies = packed_->places_of(*blob.digest);
      auto found = packed_->find(*blob.digest);
      if (found && !*found) continue;  // Removed since.
      std::vector<std::byte> bytes(static_cast<std::size_t>(blob.size));
      bool whole = found && (*found)->length == blob.size;
      if (whole) {
        const auto got = PackedReader(std::move(**found)).read_at(0, bytes);
        whole = got && *got == bytes.size() && Digest::of(bytes) == *blob.digest;
      }
      if (!whole) {
        ++report.damaged;
        continue;
      }
      held += bytes.size();
      const std::uint64_t size = bytes.size();
      std::optional<TempFile> no_file;
      owned.push_back(std::make_unique<FileStaged>(temp_, *blob.digest, size, std::move(bytes), std::move(no_file)));
      contents.push_back(owned.back().get());
      places.push_back(std::move(copies));
    }
    if (!contents.empty()) MEDIA_TRY(publisher_.publish(contents));
    for (std::size_t i = 0; i < contents.size(); ++i) {
      bool was_there = false;
      for (const PackedPlace& place : places[i]) {
        MEDIA_TRY_ASSIGN(const bool removed, packed_->remove_at(contents[i]->digest(), place));
        was_there = was_there || removed;
      }
      // Where it was collected meanwhile, the file is a stray, and goes with the next collection.
      report.blobs += was_there ? 1 : 0;
      report.bytes += was_there ? contents[i]->size() : 0;
    }
    if (options.progress) options.progress(report.blobs, report.bytes);
  }
  MEDIA_TRY(packed_->compact({}));
  return report;
}

}  // namespace media::store
