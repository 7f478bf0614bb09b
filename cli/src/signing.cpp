#include "signing.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace mediactl {

using media::Errc;
using media::Error;
using media::Result;

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

namespace {

/// As mediad reads it: itself, or the file that `<name>_FILE` names.
Result<std::string> secret_of(const std::string& name) {
  const std::string plain = environment(name.c_str());
  const std::string path = environment((name + "_FILE").c_str());
  if (plain.empty() == path.empty()) {
    if (plain.empty()) return std::string();
    return Error{Errc::invalid_argument, name + ": accepts either itself or " + name + "_FILE"};
  }
  if (!plain.empty()) return plain;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Errc::invalid_argument, name + "_FILE: accepts a file that can be read"};
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace

Result<media::SigningKeys> open_signing_keys(const Globals& globals) {
  MEDIA_TRY_ASSIGN(const std::string secret, secret_of("UPLOAD_URL_SECRET"));
  if (!secret.empty()) return media::SigningKeys::open({secret});
  return media::open_signing_key_file(std::filesystem::path(globals.store) / "url-signing.key");
}

}  // namespace mediactl
