/// Files that become the store's without being copied: see media/file_sharing.hpp.
#pragma once

#include <sys/types.h>

#include <memory>

#include "core/unique_fd.hpp"
#include "media/file_sharing.hpp"
#include "store/temp_folder.hpp"

namespace media::store {

/// The permissions of a file that was made read-only, which it gets back unless they are kept so.
///
/// Thread-safety: none of its own; the staged content that it is part of holds it.
class TakenPermissions {
 public:
  /// Takes the right to write from everybody. Errors: `denied`, `io`.
  static Result<TakenPermissions> take(int source);
  TakenPermissions(TakenPermissions&& other) noexcept = default;
  TakenPermissions& operator=(TakenPermissions&& other) noexcept;
  ~TakenPermissions() { give_back(); }

  void keep() noexcept { file_.reset(); }

 private:
  TakenPermissions(UniqueFd file, mode_t before, nlink_t names) : file_(std::move(file)), before_(before), names_(names) {}
  void give_back() noexcept;

  UniqueFd file_;  ///< None where there is nothing to give back.
  mode_t before_ = 0;
  nlink_t names_ = 0;
};

Result<SharedFile> reflink_file(const std::shared_ptr<TempFolder>& folder, int source);
Result<SharedFile> link_file(const std::shared_ptr<TempFolder>& folder, int source);

}  // namespace media::store
