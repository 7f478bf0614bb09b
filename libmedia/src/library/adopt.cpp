// Taking over the earlier service's rows and files.

#include <algorithm>
#include <cctype>
#include <chrono>
#include <limits>
#include <utility>
#include <vector>

#include "media/adoption.hpp"
#include "media/blob_store.hpp"
#include "media/clock.hpp"
#include "media/inspect.hpp"
#include "media/processor.hpp"
#include "repository/earlier_catalog.hpp"

namespace media {
namespace {

/// Each takes several round trips to the database, and others wait for the transaction.
constexpr std::size_t kAtOnce = 20;
constexpr std::size_t kHexDigits = 64;

/// A row, and what it becomes.
struct Candidate {
  AdoptedRow told{};
  Media media{};
  std::vector<Link> links{};
};

/// The first 64 hexadecimal digits on end, which are not all zeros.
std::optional<Digest> digest_in(const std::string& text) {
  const auto is_hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = 0; at + kHexDigits <= text.size(); ++at) {
    if (!std::all_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.begin() + static_cast<std::ptrdiff_t>(at + kHexDigits), is_hex))
      continue;
    const std::string digits = text.substr(at, kHexDigits);
    if (digits.find_first_not_of('0') == std::string::npos) return std::nullopt;
    auto digest = Digest::from_hex(digits);
    return digest ? std::optional(*digest) : std::nullopt;
  }
  return std::nullopt;
}

/// "IMAGE_JPEG" as "image/jpeg"; the content's own type counts where it has one.
std::string mime_of(std::string label) {
  std::transform(label.begin(), label.end(), label.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (label.find('/') == std::string::npos) {
    if (const auto underscore = label.find('_'); underscore != std::string::npos) label[underscore] = '/';
  }
  return label;
}

/// It was let in once, whatever today's limits are.
AdmissionPolicy no_limits() {
  AdmissionPolicy policy;
  policy.max_image_bytes = policy.max_video_bytes = policy.max_pixels = std::numeric_limits<std::int64_t>::max();
  policy.max_side = policy.max_frames = std::numeric_limits<std::uint32_t>::max();
  return policy;
}

Candidate refused(const EarlierMedia& row, Adoption outcome, std::string reason) {
  return {.told = {row.id, outcome, row.filename, std::move(reason)}, .media = {}, .links = {}};
}

Result<Candidate> judge(const EarlierMedia& row, const BlobStore& store) {
  const auto digest = row.hash.empty() ? digest_in(row.path) : digest_in(row.hash);
  if (!digest) return refused(row, Adoption::empty, "its content never came");
  if (row.id < 1 || row.id > kMaxMediaId) return refused(row, Adoption::taken, "its id is not between 1 and 2^53 - 1");
  MEDIA_TRY_ASSIGN(const auto stat, store.stat(*digest));
  if (!stat) return refused(row, Adoption::missing, "the tree lacks " + digest->to_hex());
  if (row.size_bytes && static_cast<std::uint64_t>(*row.size_bytes) != stat->size) {
    return refused(row, Adoption::missing,
                   "its file has " + std::to_string(stat->size) + " bytes, its row says " + std::to_string(*row.size_bytes));
  }
  MEDIA_TRY_ASSIGN(const auto content, store.open(*digest));
  MEDIA_TRY_ASSIGN(const Verdict verdict, admit(no_limits(), *content, {}));
  Candidate candidate{.told = {row.id, Adoption::adopted, row.filename, {}}, .media = {}, .links = {}};
  Media& media = candidate.media;
  media.id = row.id;
  media.owner = row.owner;
  media.digest = digest;
  media.filename = row.filename;
  media.size_bytes = stat->size;
  media.uploaded_at = row.created_at;
  media.updated_at = row.updated_at;
  if (verdict.admitted()) media.info = verdict.info;
  media.media_type = media.info.format == Format::unknown ? mime_of(row.type) : std::string(mime_type(media.info.format));
  if (is_image(media.info.format) && can_decode(media.info.format)) {
    media.status = MediaStatus::processing;
  } else {
    media.status = MediaStatus::complete;
    media.completed_at = row.updated_at;
  }
  return candidate;
}

Result<void> take(Transaction& transaction, Candidate& candidate, Timestamp now) {
  const Media& media = candidate.media;
  MEDIA_TRY_ASSIGN(const auto there, transaction.find_media(media.id));
  if (there) {
    candidate.told.outcome = there->digest == media.digest && there->owner == media.owner ? Adoption::known : Adoption::taken;
    candidate.told.reason = candidate.told.outcome == Adoption::known ? "taken over before" : "the catalog has another media with this id";
    return {};
  }
  MEDIA_TRY_ASSIGN(auto blob, transaction.find_blob(*media.digest));
  if (blob && blob->state == BlobState::deleting) {
    return Error{Errc::unavailable, "adopt: blob " + media.digest->to_hex() + " is being removed by a collection; run it again"};
  }
  if (!blob) blob.emplace();
  blob->digest = *media.digest;
  blob->size_bytes = media.size_bytes;
  blob->state = BlobState::live;
  blob->condemned_at.reset();
  MEDIA_TRY(transaction.put_blob(*blob));
  MEDIA_TRY(transaction.insert_media(media));
  for (const Link& link : candidate.links) MEDIA_TRY(transaction.put_link(link));
  if (media.status != MediaStatus::processing) return {};
  Job job;
  job.kind = "derive";
  job.media_id = media.id;
  job.run_after = job.created_at = now;
  MEDIA_TRY(transaction.insert_job(job));
  return {};
}

void count(AdoptReport& report, const Candidate& candidate) {
  switch (candidate.told.outcome) {
    case Adoption::adopted:
      ++report.adopted;
      report.links += candidate.links.size();
      report.bytes += candidate.media.size_bytes;
      break;
    case Adoption::known:
      ++report.known;
      break;
    case Adoption::empty:
      ++report.empty;
      break;
    case Adoption::missing:
      ++report.missing;
      break;
    case Adoption::taken:
      ++report.taken;
      break;
  }
}

Result<std::vector<Candidate>> judge_all(EarlierCatalog& earlier, const BlobStore& store, const std::vector<EarlierMedia>& rows) {
  std::vector<Candidate> candidates;
  std::vector<MediaId> ids;
  for (const EarlierMedia& row : rows) {
    ids.push_back(row.id);
    MEDIA_TRY_ASSIGN(auto candidate, judge(row, store));
    candidates.push_back(std::move(candidate));
  }
  MEDIA_TRY_ASSIGN(auto links, earlier.list_links(ids));
  for (Link& link : links) {
    const auto owner = std::lower_bound(candidates.begin(), candidates.end(), link.media_id,
                                        [](const Candidate& candidate, MediaId id) { return candidate.told.id < id; });
    if (owner != candidates.end() && owner->told.id == link.media_id) owner->links.push_back(std::move(link));
  }
  return candidates;
}

}  // namespace

Result<AdoptReport> adopt(Repository* catalog, const AdoptOptions& options, const std::function<void(const AdoptedRow&)>& tell) {
  MEDIA_TRY_ASSIGN(const auto earlier, open_earlier_catalog(options.source));
  FilesystemStoreOptions files;
  files.base_path = options.base_path;
  files.read_only = true;
  MEDIA_TRY_ASSIGN(const auto store, open_filesystem_store(files));
  AdoptReport report;
  MediaId after = std::numeric_limits<MediaId>::min();
  for (;;) {
    MEDIA_TRY_ASSIGN(const auto rows, earlier->list_media(after, kAtOnce));
    if (rows.empty()) return report;
    after = rows.back().id;
    MEDIA_TRY_ASSIGN(const auto judged, judge_all(*earlier, *store, rows));
    auto candidates = judged;
    if (catalog != nullptr) {
      MEDIA_TRY(catalog->write([&](Transaction& transaction) -> Result<void> {
        candidates = judged;  // another run begins anew
        for (Candidate& candidate : candidates) {
          if (candidate.told.outcome == Adoption::adopted) MEDIA_TRY(take(transaction, candidate, SystemClock().now()));
        }
        return {};
      }));
    }
    for (const Candidate& candidate : candidates) {
      count(report, candidate);
      if (tell) tell(candidate.told);
    }
  }
}

}  // namespace media
