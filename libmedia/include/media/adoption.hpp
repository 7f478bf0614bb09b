/// Taking over from the earlier service: its database says what there is, its tree has the bytes, and neither is changed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "media/export.hpp"
#include "media/postgres_repository.hpp"
#include "media/records.hpp"
#include "media/repository.hpp"
#include "media/result.hpp"

namespace media {

struct AdoptOptions {
  /// The earlier database; `schema` is the one of its tables.
  PostgresRepositoryOptions source{};
  /// The earlier tree, which becomes the store's as it is.
  std::filesystem::path base_path{};
};

/// What becomes of one row of the earlier `media`.
enum class Adoption : std::uint8_t {
  adopted,  ///< Under its id; pictures are queued for their renditions.
  known,    ///< This catalog has it already.
  empty,    ///< An upload that never came: it has no content.
  missing,  ///< The tree lacks its content, or has it in another size.
  taken,    ///< The catalog has something else under this id.
};

struct AdoptedRow {
  MediaId id = 0;
  Adoption outcome = Adoption::adopted;
  std::string filename{};
  std::string reason{};  ///< Where it was not adopted.
};

struct AdoptReport {
  std::uint64_t adopted = 0;
  std::uint64_t known = 0;
  std::uint64_t empty = 0;
  std::uint64_t missing = 0;
  std::uint64_t taken = 0;
  std::uint64_t links = 0;  ///< Of recipes, their ingredients and steps, to what was adopted.
  std::uint64_t bytes = 0;  ///< Of what was adopted; content that several share counts for each.
};

/// Reads every row of the earlier catalog and takes it over into `catalog`, some hundred in a transaction, in the order of their ids; what
/// was taken over before is passed over, so that a run which was interrupted is run again. Null: nothing is written, and the report says
/// what would be. `tell` is called for each row. The bytes stay where they are and are not hashed: `Library::verify` does that. Errors:
/// those of `open_postgres_repository` for the source (`not_found`: no such tables there), of the store and of the catalog.
MEDIA_EXPORT Result<AdoptReport> adopt(Repository* catalog, const AdoptOptions& options,
                                       const std::function<void(const AdoptedRow&)>& tell);

}  // namespace media
