#include "media/repository.hpp"

namespace media {

Result<void> Repository::wipe() { return {}; }

Result<void> Repository::back_up(const std::filesystem::path& /*file*/) {
  return Error{Errc::unsupported, "back up the catalog: its engine has a tool of its own for that"};
}

}  // namespace media
