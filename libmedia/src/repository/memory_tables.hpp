/// The catalog's tables as containers, with the indexes that keep look-ups from walking them, and undo.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "media/placement.hpp"
#include "media/records.hpp"

namespace media::memory {

using RenditionKey = std::tuple<Digest, std::string, std::string>;
using VideoOrderKey = std::pair<MediaId, std::string>;
using LinkKey = std::pair<std::string, MediaId>;

/// Rows are changed through `put` and `erase` alone, which keep the indexes and note how to undo.
///
/// Thread-safety: none; the repository's mutex guards it.
struct Tables {
  std::map<MediaId, Media> media;
  std::map<Digest, Blob> blobs;
  std::map<Digest, BlobReads> blob_reads;  ///< They go with their blob.
  std::map<RenditionKey, Rendition> renditions;
  std::map<std::int64_t, Job> jobs;
  std::map<VideoOrderKey, VideoOrder> video_orders;
  std::map<std::string, UploadSession> uploads;
  std::map<std::string, ResumableUpload> resumable_uploads;
  std::map<LinkKey, Link> links;
  std::map<std::string, ApiKey> api_keys;
  std::map<std::string, OwnerQuota> quotas;
  std::map<std::int64_t, Ban> bans;
  std::map<Digest, Quarantined> quarantined;

  std::map<Digest, std::set<MediaId>> media_by_digest;
  std::map<std::string, OwnerUsage> usage;   ///< By owner.
  std::map<MediaId, PerceptualHash> hashes;  ///< Apart from the rows, so that a search does not walk through all that is in them.
  std::map<std::pair<std::string, std::string>, MediaId> media_by_key;  ///< (owner, idempotency key); empty keys left out.
  std::map<std::uint64_t, std::set<Digest>> live_blobs_by_size;
  std::map<Digest, std::set<RenditionKey>> renditions_by_digest;
  std::set<std::pair<Timestamp, std::int64_t>> due_jobs;  ///< When a job may be claimed; dead ones left out.
  std::map<MediaId, std::set<std::int64_t>> jobs_by_media;
  std::map<MediaId, std::set<std::string>> uploads_by_media;
  std::map<MediaId, std::set<std::string>> resumable_uploads_by_media;  ///< Unfinished ones left out.
  std::map<MediaId, std::set<std::string>> links_by_media;

  // The highest ever given; never taken back, so that an id is never used twice.
  MediaId last_media_id = 0;
  std::int64_t last_job_id = 0;
  std::int64_t last_ban_id = 0;

  /// Changes since the last `forget`, the newest last, each as what restores the row before it.
  std::vector<std::function<void()>> undo;

  void put(const Media& row) { set(media, row.id, row); }
  void put(const Blob& row) { set(blobs, row.digest, row); }
  void put(const BlobReads& row) { set(blob_reads, row.digest, row); }
  void put(const Rendition& row) { set(renditions, key_of(row), row); }
  void put(const Job& row) { set(jobs, row.id, row); }
  void put(const VideoOrder& row) { set(video_orders, VideoOrderKey(row.media_id, row.transform), row); }
  void put(const UploadSession& row) { set(uploads, row.token, row); }
  void put(const ResumableUpload& row) { set(resumable_uploads, row.id, row); }
  void put(const Link& row) { set(links, LinkKey(row.subject, row.media_id), row); }
  void put(const ApiKey& row) { set(api_keys, row.id, row); }
  void put(const OwnerQuota& row) { set(quotas, row.owner, row); }
  void put(const Ban& row) { set(bans, row.id, row); }
  void put(const Quarantined& row) { set(quarantined, row.digest, row); }

  /// False where there was no such row.
  template <class Table>
  bool erase(Table& table, const typename Table::key_type& key) {
    if (!table.contains(key)) return false;
    set(table, typename Table::key_type(key), std::optional<typename Table::mapped_type>());
    return true;
  }

  void roll_back();
  void forget() noexcept { undo.clear(); }

  static RenditionKey key_of(const Rendition& row) { return {row.source, row.transform, row.encoder}; }

 private:
  template <class Table>
  void set(Table& table, typename Table::key_type key, std::optional<typename Table::mapped_type> row) {
    const auto found = table.find(key);
    std::optional<typename Table::mapped_type> before;
    if (found != table.end()) before = found->second;
    undo.push_back([this, &table, key, before] { assign(table, key, before); });
    assign(table, key, std::move(row));
  }
  template <class Table>
  void assign(Table& table, const typename Table::key_type& key, std::optional<typename Table::mapped_type> row) {
    const auto found = table.find(key);
    if (found != table.end()) {
      index(found->second, false);
      table.erase(found);
    }
    if (row) index(table.emplace(key, *std::move(row)).first->second, true);
  }

  // Enters a row into its indexes, or takes it out.
  void index(const Media& row, bool present);
  void index(const Blob& row, bool present);
  void index(const BlobReads&, bool) {}
  void index(const Rendition& row, bool present);
  void index(const Job& row, bool present);
  void index(const VideoOrder&, bool) {}
  void index(const UploadSession& row, bool present);
  void index(const ResumableUpload& row, bool present);
  void index(const Link& row, bool present);
  void index(const ApiKey&, bool) {}
  void index(const OwnerQuota&, bool) {}
  void index(const Ban&, bool) {}
  void index(const Quarantined&, bool) {}
};

}  // namespace media::memory
