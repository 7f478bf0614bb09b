#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "core/unique_fd.hpp"
#include "media/digest.hpp"
#include "media/sign.hpp"

namespace media {
namespace {

Error failure(const char* what) { return Error{Errc::io, std::string("signing key: ") + what + ": " + std::strerror(errno)}; }

Result<std::string> read_key(const std::filesystem::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (file.get() < 0) return failure("open");
  std::array<char, 128> buffer{};
  const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
  if (got < 0) return failure("read");
  std::string text(buffer.data(), static_cast<std::size_t>(got));
  while (text.ends_with('\n')) text.pop_back();
  if (!Digest::from_hex(text)) return Error{Errc::corrupt, "signing key: " + path.string() + " holds no key; remove it for a new one"};
  return text;
}

/// Makes the file whole or not at all: written beside, then linked, which fails where another process was first.
Result<void> make_key(const std::filesystem::path& path) {
  std::array<std::uint8_t, Digest::kSize> drawn{};
  if (::getrandom(drawn.data(), drawn.size(), 0) != static_cast<ssize_t>(drawn.size())) return failure("draw");
  const std::string text = Digest(drawn).to_hex() + "\n";
  // Named by chance: two processes in containers of their own may have one number.
  const std::string beside = path.string() + "." + Digest::of(std::as_bytes(std::span(text))).to_hex().substr(0, 16);
  {
    const UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return failure("make");
    if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) || ::fsync(file.get()) != 0) {
      ::unlink(beside.c_str());
      return failure("write");
    }
  }
  const int linked = ::link(beside.c_str(), path.c_str());
  const int error = errno;
  ::unlink(beside.c_str());
  errno = error;
  if (linked != 0 && error != EEXIST) return failure("make");
  // URLs must not outlive their key: a power cut could take the name away again.
  const UniqueFd folder(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return failure("sync the folder");
  return {};
}

}  // namespace

Result<SigningKeys> open_signing_key_file(const std::filesystem::path& path) {
  if (::access(path.c_str(), F_OK) != 0) MEDIA_TRY(make_key(path));
  MEDIA_TRY_ASSIGN(auto secret, read_key(path));
  return SigningKeys::open({std::move(secret)});
}

}  // namespace media
