#include "tus_checksum.hpp"

#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace media::server {
namespace {

/// OpenSSL fails here for want of memory, or of the algorithm in a build that forbids it: an answer of 500.
void require(bool succeeded) {
  if (!succeeded) throw std::runtime_error("a checksum could not be computed");
}

}  // namespace

void RunningChecksum::ContextDeleter::operator()(evp_md_ctx_st* context) const noexcept { EVP_MD_CTX_free(context); }

RunningChecksum::RunningChecksum(ChecksumAlgorithm algorithm) : context_(EVP_MD_CTX_new()) {
  require(context_ != nullptr &&
          EVP_DigestInit_ex(context_.get(), algorithm == ChecksumAlgorithm::sha1 ? EVP_sha1() : EVP_sha256(), nullptr) == 1);
}

void RunningChecksum::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string RunningChecksum::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  require(EVP_DigestFinal_ex(context_.get(), digest.data(), &length) == 1);
  return {reinterpret_cast<const char*>(digest.data()), length};
}

}  // namespace media::server
