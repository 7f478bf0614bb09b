/// A blob from one store into another, proven on both ends.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "library/hashing.hpp"
#include "media/blob_store.hpp"

namespace media {

/// Copies a blob and reads it back; false where the source has it no more. `corrupt` where either end has other bytes.
inline Result<bool> copy_whole(const BlobStore& from, BlobStore& to, const Digest& digest) {
  auto reader = from.open(digest);
  if (!reader && reader.error().code == Errc::not_found) return false;
  if (!reader) return std::move(reader).error();
  MEDIA_TRY_ASSIGN(const auto writer, to.begin((*reader)->size()));
  MEDIA_TRY(copy_bytes(**reader, *writer));
  std::array<std::unique_ptr<Staged>, 1> staged;
  MEDIA_TRY_ASSIGN(staged[0], writer->finish());
  if (staged[0]->digest() != digest) return Error{Errc::corrupt, "its bytes have the digest " + staged[0]->digest().to_hex()};
  MEDIA_TRY(to.publish(staged));
  MEDIA_TRY_ASSIGN(const auto back, to.open(digest));
  MEDIA_TRY_ASSIGN(const Digest actual, hash_content(*back));
  if (actual != digest) {
    // Or it would stand in front of the whole one.
    MEDIA_TRY(to.quarantine(digest));
    return Error{Errc::corrupt, "other bytes came back than were copied"};
  }
  return true;
}

/// False where there is none, or one with other bytes.
inline Result<bool> is_whole(const BlobStore& store, const Digest& digest) {
  const auto reader = store.open(digest);
  if (!reader && reader.error().code == Errc::not_found) return false;
  if (!reader) return reader.error();
  const auto actual = hash_content(**reader);
  if (!actual && actual.error().code == Errc::corrupt) return false;
  if (!actual) return actual.error();
  return *actual == digest;
}

}  // namespace media
