/// Erasure: what an owner has asked to be gone, gone at once, and what to show for it.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "media/clock.hpp"
#include "media/digest.hpp"
#include "media/export.hpp"
#include "media/records.hpp"
#include "media/result.hpp"

namespace media {

struct EraseRequest {
  std::string owner{};           ///< Whose; not empty.
  std::vector<MediaId> media{};  ///< Only these of the owner's; empty: everything.
  std::stop_token stop{};
};

struct ErasedMedia {
  MediaId id = 0;
  std::optional<Digest> digest{};  ///< Absent where the bytes never came.
  Timestamp uploaded_at{};
};

struct ErasedBlob {
  enum class Kind : std::uint8_t { original, rendition };
  enum class Outcome : std::uint8_t {
    erased,    ///< Its bytes are gone.
    retained,  ///< Somebody else has the same bytes; who, is nobody's business.
    left,      ///< Being removed by a collection at this moment.
  };
  Digest digest{};
  std::uint64_t size_bytes = 0;
  Kind kind = Kind::original;
  Outcome outcome = Outcome::erased;
};
MEDIA_EXPORT std::string_view to_string(ErasedBlob::Kind kind) noexcept;
MEDIA_EXPORT std::string_view to_string(ErasedBlob::Outcome outcome) noexcept;

struct EraseReport {
  std::string owner{};
  Timestamp erased_at{};
  std::vector<ErasedMedia> media{};
  std::vector<ErasedBlob> blobs{};  ///< Each once; of a retained original no renditions.
  std::uint64_t uploads = 0;        ///< Unfinished resumable uploads that were ended, their bytes with them.
  /// What kept it from its end. What is listed is gone from the catalog all the same; what is left of it goes with the next collection,
  /// and the rest with another call.
  std::optional<Error> failure{};
};

}  // namespace media
