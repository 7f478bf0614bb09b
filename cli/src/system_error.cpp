#include "system_error.hpp"

#include <cerrno>
#include <string>
#include <system_error>

namespace mediactl {
namespace {

media::Errc errc_of(int error_number) noexcept {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      return media::Errc::not_found;
    case EEXIST:
      return media::Errc::already_exists;
    case EACCES:
    case EPERM:
    case EROFS:
      return media::Errc::denied;
    case ENOSPC:
    case EDQUOT:
      return media::Errc::no_space;
    case EISDIR:
    case ENAMETOOLONG:
    case ELOOP:
      return media::Errc::invalid_argument;
    default:
      return media::Errc::io;
  }
}

}  // namespace

media::Error system_error(int error_number, std::string_view what) {
  std::string message = std::generic_category().message(error_number);
  if (!what.empty()) message = std::string(what) + ": " + message;
  return media::Error{errc_of(error_number), std::move(message)};
}

}  // namespace mediactl
