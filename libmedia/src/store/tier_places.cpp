// Which tiers a library has: a note beside its catalog, and stores opened by it.
#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <tuple>

#include "media/store_location.hpp"
#include "media/tiers.hpp"
#include "store/note_file.hpp"

namespace media {
namespace {

constexpr const char* kTierNote = "tiers";

std::string text_of(const TierPlaces& places) {
  std::string text;
  if (!places.warm.empty()) text += "warm " + places.warm + '\n';
  if (!places.cold.empty()) text += "cold " + places.cold + '\n';
  return text;
}

/// In the one form that is noted, so that the same place is not taken for another one.
Result<std::string> canonical(const std::string& place) {
  if (place.empty()) return place;
  if (place.find_first_of("\n\r") != std::string::npos || place.find('\0') != std::string::npos) {
    return Error{Errc::invalid_argument, "a tier's place has no line breaks"};
  }
  if (is_s3_url(place)) {
    // As it is: unlike a library's own bucket, its credentials file and profile are told here alone.
    MEDIA_TRY(s3_options_from_url(place));
    return place;
  }
  std::error_code failure;
  std::filesystem::path path = std::filesystem::absolute(place, failure).lexically_normal();
  if (failure) return Error{Errc::invalid_argument, "a tier's place is a folder or s3://…"};
  if (!path.has_filename()) path = path.parent_path();
  return path.string();
}

/// Whose bytes a place holds: two tiers in one would remove each other's.
std::string whereabouts(const std::string& place) {
  if (!is_s3_url(place)) return place;
  const auto options = s3_options_from_url(place);
  return options ? s3_url(*options) : place;
}

Result<void> require_apart(const TierPlaces& places, const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const std::string base, canonical(base_path.string()));
  MEDIA_TRY_ASSIGN(const auto blobs, read_store_note(base_path));
  for (const std::string* place : {&places.warm, &places.cold}) {
    if (place->empty()) continue;
    if (*place == base || (blobs && whereabouts(*place) == *blobs) ||
        (place == &places.cold && whereabouts(*place) == whereabouts(places.warm))) {
      return Error{Errc::invalid_argument, "each tier has a place of its own, and " + *place + " is another one's already"};
    }
  }
  return {};
}

/// What is noted, unless nothing is.
Result<std::string> agreed(const char* name, const std::string& noted, const std::string& wanted, const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const std::string place, canonical(wanted));
  if (noted.empty() || place.empty() || noted == place) return noted.empty() ? place : noted;
  return Error{Errc::conflict, "the library in " + base_path.string() + " has its " + name + " tier in " + noted + ", not in " + place +
                                   "; a tier that holds no blob any more may be taken out of the file '" +
                                   (base_path / kTierNote).string() + "'"};
}

Tier tier_at(std::string name, const std::string& place, bool is_noted, const OpenTiersOptions& options) {
  StoreAtOptions at;
  at.read_only = options.read_only;
  // A folder that was there is not made anew where its filesystem is not mounted.
  at.create = !is_noted && !options.read_only;
  at.pack_below_bytes = options.pack_below_bytes;
  if (is_s3_url(place)) at.temp_path = options.temp_path;
  Tier tier;
  tier.name = std::move(name);
  tier.open = [place, at] { return open_store_at(place, at); };
  return tier;
}

}  // namespace

Result<TierPlaces> read_tier_note(const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const auto text, store::read_note(base_path / kTierNote));
  TierPlaces places;
  if (!text) return places;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::string* const place = line.starts_with("warm ") ? &places.warm : line.starts_with("cold ") ? &places.cold : nullptr;
    if (place == nullptr || !place->empty() || line.size() == 5) {
      return Error{Errc::corrupt, "read " + (base_path / kTierNote).string() + ": it does not say where the tiers are"};
    }
    *place = line.substr(5);
  }
  return places;
}

Result<std::unique_ptr<BlobStore>> open_tiers(std::unique_ptr<BlobStore> hot, const std::filesystem::path& base_path,
                                              const OpenTiersOptions& options) {
  MEDIA_TRY_ASSIGN(const TierPlaces noted, read_tier_note(base_path));
  TierPlaces places;
  MEDIA_TRY_ASSIGN(places.warm, agreed("warm", noted.warm, options.places.warm, base_path));
  MEDIA_TRY_ASSIGN(places.cold, agreed("cold", noted.cold, options.places.cold, base_path));
  if (!places.any()) return hot;
  if (!(places == noted)) MEDIA_TRY(require_apart(places, base_path));
  std::vector<Tier> tiers;
  tiers.emplace_back();
  tiers.back().name = "hot";
  tiers.back().store = std::move(hot);
  for (const auto& [name, place, was_noted] :
       {std::tuple("warm", places.warm, !noted.warm.empty()), std::tuple("cold", places.cold, !noted.cold.empty())}) {
    if (place.empty()) continue;
    Tier tier = tier_at(name, place, was_noted, options);
    if (!was_noted) {
      // Whoever adds a tier hears at once what is wrong with it.
      auto opened = tier.open();
      if (!opened) return Error{opened.error().code, std::string("the ") + name + " tier: " + opened.error().message};
      tier.store = std::move(opened).value();
    }
    tiers.push_back(std::move(tier));
  }
  if (!(places == noted) && !options.read_only) MEDIA_TRY(store::write_note(base_path, kTierNote, text_of(places)));
  return make_tiered_store(std::move(tiers));
}

}  // namespace media
