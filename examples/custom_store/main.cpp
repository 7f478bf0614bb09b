// Keeps a photo on two disks, damages the first copy and reads the photo back: custom_store FIRST SECOND PHOTO
#include <fstream>
#include <iostream>
#include <media/library.hpp>

#include "mirror_store.hpp"

media::Result<void> survive_damage(const std::filesystem::path& first_disk, const std::filesystem::path& second_disk, const char* photo) {
  // Every blob in a file of its own, so that there is one to damage.
  MEDIA_TRY_ASSIGN(auto first, media::open_filesystem_store({.base_path = first_disk, .pack_below_bytes = 0}));
  MEDIA_TRY_ASSIGN(auto second, media::open_filesystem_store({.base_path = second_disk, .pack_below_bytes = 0}));
  media::LibraryOptions options;
  options.base_path = first_disk;  // the catalog's place
  options.store = std::make_unique<MirrorStore>(std::move(first), std::move(second));
  MEDIA_TRY_ASSIGN(auto library, media::Library::open(std::move(options)));
  MEDIA_TRY_ASSIGN(auto kept, library->ingest_file(photo));
  if (!kept.verdict.admitted()) return media::Error{media::Errc::unsupported, kept.verdict.message};

  const std::string hex = kept.digest.to_hex();
  const auto blob = first_disk / hex.substr(0, 2) / hex.substr(2, 2) / hex.substr(4, 2) / hex;
  std::filesystem::permissions(blob, std::filesystem::perms::owner_write, std::filesystem::perm_options::add);
  std::fstream(blob, std::ios::in | std::ios::out | std::ios::binary).seekp(1000).write("damaged", 7);

  // The library hashes what changed since it was verified, finds the damage and sets the blob aside; the mirror steps in.
  const auto refused = library->read(kept.media.id);
  std::cout << "first read: " << (refused ? "unnoticed damage" : refused.error().message) << '\n';
  if (refused) return media::Error{media::Errc::internal, "the damage was not noticed"};
  MEDIA_TRY_ASSIGN(auto healed, library->read(kept.media.id));
  MEDIA_TRY_ASSIGN(auto bytes, media::read_all(*healed, healed->size()));
  const bool whole = media::Digest::of(bytes) == kept.digest;
  std::cout << "second read: " << bytes.size() << " bytes, " << (whole ? "whole" : "damaged") << '\n';
  if (!whole) return media::Error{media::Errc::corrupt, "the mirror gave damaged bytes"};
  return {};
}

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: custom_store FIRST SECOND PHOTO\n";
    return 2;
  }
  if (const auto outcome = survive_damage(argv[1], argv[2], argv[3]); !outcome) {
    std::cerr << outcome.error().message << '\n';
    return 1;
  }
}
