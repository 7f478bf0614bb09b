/// Opening the store that the command line names.
#pragma once

#include <memory>
#include <string>

#include "command.hpp"
#include "media/library.hpp"

namespace mediactl {

enum class Access {
  read,    ///< Must exist; one on a read-only filesystem is opened for reading only.
  write,   ///< Must exist.
  create,  ///< Made where it is missing.
};

struct OpenStore {
  Access access = Access::read;
  /// `none` for commands that decode nothing: they need no worker.
  media::Isolation isolation = media::Isolation::none;
  unsigned workers = 1;
  std::uint64_t rendition_budget_bytes = 0;  ///< As LibraryOptions has it.
  media::GateOptions gate{};                 ///< Likewise.
  media::PolyglotRule polyglots = media::PolyglotRule::refuse;
};

/// Errors: those of Library::open, with the store named; `invalid_argument` where no store was given.
media::Result<std::unique_ptr<media::Library>> open_store(const Globals& globals, const OpenStore& how);

/// The blobs of the store that the command line names, with its tiers; null where they are all in the store's folder.
media::Result<std::unique_ptr<media::BlobStore>> open_blobs(const Globals& globals, bool read_only);

/// Is there a worker binary? `not_found` says what to do without one.
media::Result<void> check_worker();

/// Reads "process" or "none", which the option has checked.
media::Isolation isolation_from(const std::string& text) noexcept;

}  // namespace mediactl
