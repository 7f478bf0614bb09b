/// The lists of several stores as one.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "media/blob_store.hpp"

namespace media::store {

/// A store to be listed, and its name.
struct ListedTier {
  const BlobStore* store = nullptr;
  std::string name{};
};

/// A page of all of them, ascending by digest; a blob that several have is the first one's. `cursor` is empty for the first page, or what
/// the page before gave. Errors: `invalid_argument` (limit 0, a cursor that is none), those of the stores.
Result<BlobPage> list_tiers(std::span<const ListedTier> tiers, const std::string& cursor, std::size_t limit);

/// "warm/…" of an identity that a store gave; empty stays empty.
std::string tier_identity(const std::string& tier, const std::string& identity);

}  // namespace media::store
