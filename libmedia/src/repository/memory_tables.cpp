#include "repository/memory_tables.hpp"

namespace media::memory {
namespace {

template <class Index, class Value>
void set_present(Index& index, const typename Index::key_type& key, const Value& value, bool present) {
  if (present) {
    index[key].insert(value);
    return;
  }
  const auto found = index.find(key);
  if (found == index.end()) return;
  found->second.erase(value);
  if (found->second.empty()) index.erase(found);
}

std::optional<Timestamp> due_at(const Job& job) {
  switch (job.state) {
    case JobState::queued:
      return job.run_after;
    case JobState::running:
      return job.lease_until.value_or(job.run_after);
    case JobState::dead:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

void Tables::roll_back() {
  for (auto step = undo.rbegin(); step != undo.rend(); ++step) (*step)();
  undo.clear();
}

void Tables::index(const Media& row, bool present) {
  if (row.digest) set_present(media_by_digest, *row.digest, row.id, present);
  OwnerUsage& used = usage[row.owner];
  used.media += present ? 1 : std::uint64_t{0} - 1;
  used.size_bytes += present ? row.size_bytes : std::uint64_t{0} - row.size_bytes;
  if (used.media == 0) usage.erase(row.owner);
  if (row.appearance.perceptual_hash && present) hashes.insert_or_assign(row.id, *row.appearance.perceptual_hash);
  if (!present) hashes.erase(row.id);
  if (row.idempotency_key.empty()) return;
  if (present) {
    media_by_key[{row.owner, row.idempotency_key}] = row.id;
  } else {
    media_by_key.erase({row.owner, row.idempotency_key});
  }
}

void Tables::index(const Blob& row, bool present) {
  if (row.state == BlobState::live) set_present(live_blobs_by_size, row.size_bytes, row.digest, present);
}

void Tables::index(const Rendition& row, bool present) { set_present(renditions_by_digest, row.digest, key_of(row), present); }

void Tables::index(const Job& row, bool present) {
  set_present(jobs_by_media, row.media_id, row.id, present);
  const auto due = due_at(row);
  if (!due) return;
  if (present) {
    due_jobs.emplace(*due, row.id);
  } else {
    due_jobs.erase({*due, row.id});
  }
}

void Tables::index(const UploadSession& row, bool present) { set_present(uploads_by_media, row.media_id, row.token, present); }
void Tables::index(const ResumableUpload& row, bool present) {
  if (row.media_id != 0) set_present(resumable_uploads_by_media, row.media_id, row.id, present);
}
void Tables::index(const Link& row, bool present) { set_present(links_by_media, row.media_id, row.subject, present); }

}  // namespace media::memory
