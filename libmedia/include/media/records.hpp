/// What a repository keeps: the nouns of the catalog, as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/appearance.hpp"
#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/gate_records.hpp"
#include "media/media_info.hpp"
#include "media/result.hpp"

namespace media {

/// Positive and below 2^53, so that JSON numbers hold it.
using MediaId = std::int64_t;
inline constexpr MediaId kMaxMediaId = (1LL << 53) - 1;

enum class MediaStatus : std::uint8_t { pending, processing, complete, failed };
enum class Visibility : std::uint8_t { is_private, authenticated, is_public };

/// "Pending", "Processing", "Complete", "Failed": the words of the HTTP contract.
MEDIA_EXPORT std::string_view to_string(MediaStatus status) noexcept;
MEDIA_EXPORT Result<MediaStatus> media_status_from(std::string_view text);
/// "private", "authenticated", "public".
MEDIA_EXPORT std::string_view to_string(Visibility visibility) noexcept;
MEDIA_EXPORT Result<Visibility> visibility_from(std::string_view text);

inline constexpr std::size_t kMaxTags = 32;
inline constexpr std::size_t kMaxTagBytes = 64;

/// One catalogued item of one owner; many may share a blob.
struct Media {
  MediaId id = 0;  ///< 0 until inserted.
  std::string owner{};
  std::optional<Digest> digest{};  ///< Absent while Pending.
  std::string filename{};          ///< As the sender named it, without folders; any bytes.
  std::string media_type{};        ///< By content, as a MIME type.
  std::uint64_t size_bytes = 0;
  MediaStatus status = MediaStatus::pending;
  std::string error_message{};  ///< Why Failed; empty otherwise.
  Visibility visibility = Visibility::is_private;
  MediaInfo info{};
  std::string placeholder{};
  std::string idempotency_key{};  ///< Empty: none.
  Timestamp uploaded_at{};
  Timestamp updated_at{};
  std::optional<Timestamp> completed_at{};
  std::optional<std::int64_t> processing_time_ms{};
  std::vector<std::string> tags{};  ///< In the owner's order, none twice, without control characters.
  /// From then on it counts as removed, swept or not.
  std::optional<Timestamp> expires_at{};
  Appearance appearance{};  ///< Of an image that was decoded.
  /// Its bytes, and what is made of them, are handed to nobody (Gate).
  Hold held = Hold::none;

  friend bool operator==(const Media&, const Media&) = default;
};

enum class BlobState : std::uint8_t {
  live,
  condemned,  ///< Nothing referred to it at `condemned_at`; goes after the grace period unless revived.
  deleting,   ///< Claimed by a collection that is removing the bytes now; may not be relied on or revived.
};

/// The catalog's row of a blob, original or rendition.
struct Blob {
  Digest digest{};
  std::uint64_t size_bytes = 0;
  BlobState state = BlobState::live;
  std::string location{};  ///< Name of the store that holds it; "" for the only one.
  std::string identity{};  ///< BlobStat::identity when last verified.
  std::optional<Timestamp> verified_at{};
  std::optional<Timestamp> condemned_at{};  ///< While deleting: when it was claimed.

  friend bool operator==(const Blob&, const Blob&) = default;
};

/// The live blobs of a store, originals and renditions together.
struct StorageUsage {
  std::uint64_t blobs = 0;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const StorageUsage&, const StorageUsage&) = default;
};

/// A derived blob, named by source, canonical transform and encoder version.
struct Rendition {
  Digest source{};
  std::string transform{};  ///< `to_string(Transform)`.
  std::string encoder{};    ///< `encoder_version`.
  Digest digest{};
  Format format = Format::unknown;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint64_t size_bytes = 0;
  Timestamp created_at{};
  /// Made because somebody asked, by a transform that no preset has: counts against `LibraryOptions::rendition_budget_bytes`.
  bool on_demand = false;
  Timestamp used_at{};  ///< When it was last handed out, as far as that has been noted.

  friend bool operator==(const Rendition&, const Rendition&) = default;
};

/// How many renditions there are, and what they would take if none of them shared its bytes with another.
struct RenditionUsage {
  std::uint64_t renditions = 0;
  std::uint64_t size_bytes = 0;

  friend bool operator==(const RenditionUsage&, const RenditionUsage&) = default;
};

enum class JobState : std::uint8_t { queued, running, dead };

/// Work queued in the repository. A finished job is deleted.
struct Job {
  std::int64_t id = 0;  ///< 0 until inserted.
  std::string kind{};   ///< "derive", "scan", "describe", "notify", "encode".
  MediaId media_id = 0;
  JobState state = JobState::queued;
  std::uint32_t attempts = 0;  ///< Times it was claimed.
  Timestamp run_after{};
  std::string lease_owner{};  ///< A token unique to the claim; empty unless running.
  std::optional<Timestamp> lease_until{};
  double progress = 0;  ///< 0 to 1.
  std::string last_error{};
  Timestamp created_at{};
  std::string payload{};  ///< What a notification says; of a derivation the traceparent of what asked for it; of an encoding its transform.
                          ///< Opaque here.

  friend bool operator==(const Job&, const Job&) = default;
};

/// The jobs of one kind in one state.
struct JobCount {
  std::string kind{};
  JobState state = JobState::queued;
  std::uint64_t jobs = 0;
  Timestamp due_at{};  ///< The earliest `run_after` among them: of queued ones, since when one waits for a thread.

  friend bool operator==(const JobCount&, const JobCount&) = default;
};

/// A video that was ordered of a media. What was encoded of the same bytes for somebody else is nobody's business.
struct VideoOrder {
  MediaId media_id = 0;
  std::string transform{};  ///< `to_string(Transform)`.
  std::string owner{};      ///< The media's.
  std::int64_t job_id = 0;  ///< That makes it, or made it.
  /// Among the jobs that wait, the lowest first: an owner's next order comes one turn after the last, so that owners take turns.
  std::int64_t turn = 0;
  std::uint32_t deaths = 0;  ///< Of workers, over it.
  std::string remark{};      ///< What is missing in it, in words for people; empty: nothing.
  Timestamp ordered_at{};

  friend bool operator==(const VideoOrder&, const VideoOrder&) = default;
};

/// The jobs of one kind that are queued or running, as whoever queues another one has to know them.
struct JobQueue {
  std::uint64_t jobs = 0;
  std::uint64_t of_owner = 0;
  std::int64_t first_turn = 0;                       ///< 0 where there is none.
  std::optional<std::int64_t> last_turn_of_owner{};  ///< Absent where the owner has none.

  friend bool operator==(const JobQueue&, const JobQueue&) = default;
};

enum class UploadState : std::uint8_t { open, receiving, complete };

/// A promised upload: who may send which bytes until when.
struct UploadSession {
  std::string token{};
  MediaId media_id = 0;
  std::string owner{};
  std::string filename{};
  std::string media_type{};
  std::uint64_t size_bytes = 0;
  std::optional<Digest> digest{};  ///< Bound at request time, if at all.
  UploadState state = UploadState::open;
  Timestamp created_at{};
  Timestamp expires_at{};

  friend bool operator==(const UploadSession&, const UploadSession&) = default;
};

enum class ResumableKind : std::uint8_t {
  whole,    ///< Becomes a media by itself.
  partial,  ///< A part for a concatenation: its bytes alone are nothing.
  joined,   ///< Made of parts, at once.
};

/// An upload that arrives over many requests. How many of its bytes are there is the spool's knowledge.
struct ResumableUpload {
  std::string id{};
  std::string owner{};
  ResumableKind kind = ResumableKind::whole;
  std::string filename{};    ///< A claim; empty: none.
  std::string media_type{};  ///< A claim; empty: none.
  std::string metadata{};    ///< What the sender wants to be told again, as it was sent; ASCII.
  std::vector<std::string> parts{};
  std::uint64_t size_bytes = 0;
  MediaId media_id = 0;  ///< What it became; 0: nothing yet.
  Timestamp created_at{};
  Timestamp expires_at{};

  friend bool operator==(const ResumableUpload&, const ResumableUpload&) = default;
};

/// A media attached to a subject such as "recipe/42/step/7".
struct Link {
  std::string subject{};
  MediaId media_id = 0;
  std::int64_t position = 0;

  friend bool operator==(const Link&, const Link&) = default;
};

/// A program's credential. Its secret is known to whoever was given it; here is only what recognizes it.
struct ApiKey {
  std::string id{};        ///< Names it in lists and in the token; no secret.
  Digest secret_digest{};  ///< SHA-256 of the secret.
  std::string owner{};     ///< On whose behalf the program acts.
  std::string scopes{};    ///< Words with a space between: "media:read media:write".
  std::string label{};     ///< For people; any bytes.
  Timestamp created_at{};
  std::optional<Timestamp> expires_at{};
  std::optional<Timestamp> revoked_at{};

  friend bool operator==(const ApiKey&, const ApiKey&) = default;
};

}  // namespace media
