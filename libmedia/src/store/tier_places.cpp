// Which tiers a library has: a note beside its catalog, and stores opened by it.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <tuple>

#include "core/random.hpp"
#include "media/store_location.hpp"
#include "media/tiers.hpp"
#include "store/note_file.hpp"

namespace media {
namespace {

constexpr const char* kTierNote = "tiers";
/// In a tier's folder: whose tier it is, and which.
constexpr const char* kMark = "tier";
constexpr const char* kIdLine = "id ";

std::string text_of(const TierPlaces& places, const std::string& id) {
  std::string text;
  if (!places.warm.empty()) text += "warm " + places.warm + '\n';
  if (!places.cold.empty()) text += "cold " + places.cold + '\n';
  text += kIdLine + id;
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

/// The library's own, by which its tiers know each other; empty where none is noted.
Result<std::string> read_id(const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const auto text, store::read_note(base_path / kTierNote));
  std::istringstream lines(text.value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kIdLine)) return line.substr(std::string_view(kIdLine).size());
  }
  return std::string();
}

bool is_same_folder(const std::filesystem::path& one, const std::filesystem::path& other) {
  struct stat a{};
  struct stat b{};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// A folder that is to become a tier: by whichever path, none that holds another's blobs already.
Result<void> require_free(const std::string& place, const std::filesystem::path& base_path, const std::string& other_tier) {
  const Error taken{Errc::invalid_argument, "each tier has a place of its own, and " + place + " is another one's already"};
  if (is_same_folder(place, base_path) || (!other_tier.empty() && is_same_folder(place, other_tier))) return taken;
  for (const char* const name : {"catalog.db", "catalog", "blobs", kTierNote, kMark}) {
    std::error_code failure;
    if (std::filesystem::exists(std::filesystem::path(place) / name, failure)) {
      return Error{Errc::conflict, place + " is a part of another library: it has a file '" + std::string(name) + "'"};
    }
  }
  return {};
}

/// An empty folder where a filesystem is not mounted is no tier without blobs.
Result<void> require_mark(const std::string& place, const std::string& mark) {
  MEDIA_TRY_ASSIGN(const auto found, store::read_note(std::filesystem::path(place) / kMark));
  if (found == mark) return {};
  return Error{Errc::unavailable, found ? "it is another library's tier, or another one of this library's"
                                        : "its mark is missing: is its filesystem mounted?"};
}

Tier tier_at(std::string name, const std::string& place, bool is_noted, const std::string& mark, const OpenTiersOptions& options) {
  StoreAtOptions at;
  at.read_only = options.read_only;
  // A folder that was there is not made anew where its filesystem is not mounted.
  at.create = !is_noted && !options.read_only;
  at.pack_below_bytes = options.pack_below_bytes;
  if (is_s3_url(place)) at.temp_path = options.temp_path;
  Tier tier;
  tier.name = std::move(name);
  tier.open = [place, at, mark = is_noted && !is_s3_url(place) ? mark : std::string()]() -> Result<std::unique_ptr<BlobStore>> {
    if (!mark.empty()) MEDIA_TRY(require_mark(place, mark));
    return open_store_at(place, at);
  };
  return tier;
}

}  // namespace

Result<TierPlaces> read_tier_note(const std::filesystem::path& base_path) {
  MEDIA_TRY_ASSIGN(const auto text, store::read_note(base_path / kTierNote));
  TierPlaces places;
  if (!text) return places;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kIdLine)) continue;
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
  MEDIA_TRY_ASSIGN(std::string id, read_id(base_path));
  if (id.empty()) id = random_hex(16);
  std::vector<Tier> tiers;
  tiers.emplace_back();
  tiers.back().name = "hot";
  tiers.back().store = std::move(hot);
  for (const auto& [name, place, was_noted] :
       {std::tuple("warm", places.warm, !noted.warm.empty()), std::tuple("cold", places.cold, !noted.cold.empty())}) {
    if (place.empty()) continue;
    const std::string mark = id + ' ' + name;
    Tier tier = tier_at(name, place, was_noted, mark, options);
    if (!was_noted) {
      const bool is_folder = !is_s3_url(place);
      if (is_folder) MEDIA_TRY(require_free(place, base_path, std::string_view(name) == "cold" ? places.warm : std::string()));
      // Whoever adds a tier hears at once what is wrong with it.
      auto opened = tier.open();
      if (!opened) return Error{opened.error().code, std::string("the ") + name + " tier: " + opened.error().message};
      tier.store = std::move(opened).value();
      if (is_folder && !options.read_only) MEDIA_TRY(store::write_note(place, kMark, mark));
    }
    tiers.push_back(std::move(tier));
  }
  if (!(places == noted) && !options.read_only) MEDIA_TRY(store::write_note(base_path, kTierNote, text_of(places, id)));
  return make_tiered_store(std::move(tiers));
}

}  // namespace media
