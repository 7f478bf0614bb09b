#include "store/s3_credentials.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

#include "core/errno_error.hpp"
#include "store/file_ops.hpp"

namespace media::store::s3 {
namespace {

constexpr std::uint64_t kMostFileBytes = 1U << 20U;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  return value == nullptr ? std::string() : std::string(value);
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace

Result<S3Credentials> parse_credentials(std::string_view text, std::string_view profile) {
  S3Credentials found;
  bool in_profile = false;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      std::string_view name = trimmed(line.substr(1, line.find(']') - 1));
      if (name.starts_with("profile ")) name = trimmed(name.substr(8));
      in_profile = name == profile;
      continue;
    }
    const auto equals = line.find('=');
    if (!in_profile || equals == std::string_view::npos) continue;
    const std::string_view name = trimmed(line.substr(0, equals));
    const std::string_view value = trimmed(line.substr(equals + 1));
    if (name == "aws_access_key_id") found.access_key_id = value;
    if (name == "aws_secret_access_key") found.secret_access_key = value;
    if (name == "aws_session_token") found.session_token = value;
  }
  if (found.access_key_id.empty() || found.secret_access_key.empty()) {
    return Error{Errc::not_found, "no aws_access_key_id with aws_secret_access_key under [" + std::string(profile) + "]"};
  }
  return found;
}

CredentialSource::CredentialSource(const S3StoreOptions& options)
    : fixed_(options.credentials), file_(options.credentials_file), profile_(options.profile) {
  if (profile_.empty()) profile_ = environment("AWS_PROFILE");
  if (profile_.empty()) profile_ = "default";
  if (!fixed_.access_key_id.empty() || !file_.empty()) return;
  fixed_ = {environment("AWS_ACCESS_KEY_ID"), environment("AWS_SECRET_ACCESS_KEY"), environment("AWS_SESSION_TOKEN")};
  if (!fixed_.access_key_id.empty()) return;
  file_ = environment("AWS_SHARED_CREDENTIALS_FILE");
  if (const std::string home = environment("HOME"); file_.empty() && !home.empty()) file_ = home + "/.aws/credentials";
}

Result<S3Credentials> CredentialSource::current() {
  if (!fixed_.access_key_id.empty()) {
    if (fixed_.secret_access_key.empty()) return Error{Errc::denied, "S3 credentials: an access key without its secret key"};
    return fixed_;
  }
  struct stat status{};
  const std::lock_guard lock(mutex_);
  if (file_.empty() || ::stat(file_.c_str(), &status) != 0) {
    if (!last_.access_key_id.empty()) return last_;  // it is being replaced
    return Error{Errc::denied, "S3 credentials: neither AWS_ACCESS_KEY_ID nor the file '" + file_.string() + "' is there"};
  }
  const std::string now = identity_of(status);
  if (now == seen_) return last_;
  auto read = read_file();
  if (read) {
    seen_ = now;
    last_ = *read;
  } else if (last_.access_key_id.empty()) {
    return read;
  }
  return last_;
}

Result<S3Credentials> CredentialSource::read_file() const {
  const std::string what = "read S3 credentials from " + file_.string();
  const UniqueFd file = open_at(AT_FDCWD, file_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file) return errno_error(errno, what);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return errno_error(errno, what);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (!S_ISREG(status.st_mode) || size > kMostFileBytes) return Error{Errc::invalid_argument, what + ": not a file of credentials"};
  std::string text(static_cast<std::size_t>(size), '\0');
  MEDIA_TRY(store::read_file(file.get(), size, 0, std::as_writable_bytes(std::span(text)), what));
  auto parsed = parse_credentials(text, profile_);
  if (!parsed) return Error{parsed.error().code, what + ": " + parsed.error().message};
  return parsed;
}

}  // namespace media::store::s3
