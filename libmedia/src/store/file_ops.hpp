/// System calls of the filesystem store with interruption, short counts and errno dealt with once.
#pragma once

#include <sys/stat.h>
#include <sys/uio.h>
#include <cstddef>
#include <cstdint>

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/unique_fd.hpp"
#include "media/result.hpp"

namespace media::store {

/// openat(2) with O_CLOEXEC, again after an interruption; an invalid descriptor (and errno) on failure.
UniqueFd open_at(int folder, const char* path, int flags, unsigned mode = 0);

/// Writes all of `piece` at `offset`. `what` names operation and object for the message.
Result<void> write_all(int descriptor, std::span<const std::byte> piece, std::uint64_t offset, std::string_view what);

/// Fills `into` from a file of `size` bytes, as `ByteReader::read_at` promises it. Errors: `io`, `corrupt` (the file got shorter).
Result<std::size_t> read_file(int descriptor, std::uint64_t size, std::uint64_t offset, std::span<std::byte> into, std::string_view what);

/// fsync(2), once. After a failure the kernel may count the lost pages as clean, so a second call on the same
/// descriptor could "succeed": the caller must give the file up instead.
Result<void> sync_once(int descriptor, std::string_view what);

/// Writes all of `pieces` one after another from `offset` on; they are used up.
Result<void> write_all_of(int descriptor, std::span<struct iovec> pieces, std::uint64_t offset, std::string_view what);

/// fdatasync(2), once, as `sync_once`.
Result<void> sync_data_once(int descriptor, std::string_view what);

/// Asks the kernel to start writing a range of a file out, and does not wait. Makes nothing durable.
/// Errors: those of the write-out itself, which must be believed, because the later fsync may not tell of them again.
Result<void> start_write_out(int descriptor, std::uint64_t offset, std::uint64_t length, std::string_view what);

/// Publishing promises four codes: any other failure on the way is a damaged store (`io`), not an absent or wrong object of the caller's.
Error as_publish_error(Error error);

/// Opens a folder (relative to `folder`) and syncs its entries.
Result<void> sync_folder(int folder, const char* path, std::string_view shown);

/// `BlobStat::identity` of a file.
std::string identity_of(const struct stat& status);

/// Makes a folder and its missing ancestors so that a power cut cannot take them away again.
/// Errors: `denied`, `no_space`, `io`, `invalid_argument` (something else has the name).
Result<void> make_folders(const std::filesystem::path& path);

}  // namespace media::store
