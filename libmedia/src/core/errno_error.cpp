#include "core/errno_error.hpp"

#include <cerrno>
#include <string>
#include <system_error>

namespace media {
namespace {

Errc errc_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
      return Errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::denied;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EFBIG:
      return Errc::too_large;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EBUSY:
      return Errc::unavailable;
    case EINVAL:
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return Errc::invalid_argument;
    default:
      return Errc::io;
  }
}

}  // namespace

Error errno_error(int error_number, std::string_view what) {
  return Error{errc_of(error_number), std::string(what) + ": " + std::generic_category().message(error_number)};
}

}  // namespace media
