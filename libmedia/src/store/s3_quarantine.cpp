#include "store/s3_quarantine.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "core/random.hpp"

namespace media::store::s3 {
namespace {

constexpr std::size_t kPieceBytes = 1U << 20U;
constexpr std::uint64_t kMostCopied = std::uint64_t{5} << 30U;  // of S3, in one request

struct Specimen {
  std::string etag;
  std::string modified;
  std::uint64_t size = 0;
  friend bool operator==(const Specimen&, const Specimen&) = default;
};

Result<std::optional<Specimen>> look(Client& client, const std::string& key, const std::string& what) {
  Call call;
  call.what = what;
  call.method = "HEAD";
  call.key = key;
  call.answers = {404};
  MEDIA_TRY_ASSIGN(const auto answer, client.perform(call));
  if (answer.status == 404) return std::optional<Specimen>();
  Specimen specimen{answer.header("etag"), answer.header("last-modified"), 0};
  const std::string& length = answer.header("content-length");
  std::from_chars(length.data(), length.data() + length.size(), specimen.size);
  return std::optional(std::move(specimen));
}

/// Of exactly that object; absent where it is another by now.
Result<std::optional<Digest>> hash(Client& client, const std::string& key, const Specimen& specimen, const std::string& what) {
  Sha256 hasher;
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(kPieceBytes, specimen.size)));
  for (std::uint64_t offset = 0; offset < specimen.size;) {
    const std::uint64_t count = std::min<std::uint64_t>(piece.size(), specimen.size - offset);
    Call call;
    call.what = what;
    call.method = "GET";
    call.key = key;
    call.headers = {{"range", "bytes=" + std::to_string(offset) + '-' + std::to_string(offset + count - 1)}, {"if-match", specimen.etag}};
    call.into = std::span(piece).first(static_cast<std::size_t>(count));
    call.answers = {404, 412, 416};
    MEDIA_TRY_ASSIGN(const auto answer, client.perform(call));
    if (answer.status != 206) return std::optional<Digest>();
    hasher.update(std::span(piece).first(answer.received));
    offset += answer.received;
  }
  return std::optional(hasher.finish());
}

}  // namespace

Result<bool> quarantine_object(Client& client, const std::string& key, const std::string& folder, const Digest& digest) {
  const std::string what = "quarantine blob " + digest.to_hex();
  MEDIA_TRY_ASSIGN(const auto specimen, look(client, key, what));
  if (!specimen) return false;
  MEDIA_TRY_ASSIGN(const auto actual, hash(client, key, *specimen, what));
  if (!actual || *actual == digest) return false;
  if (specimen->size > kMostCopied) return Error{Errc::unsupported, what + ": beyond 5 GiB an object cannot be copied in one request"};

  // An earlier specimen of the same blob keeps its own name.
  std::string aside = folder + digest.to_hex();
  MEDIA_TRY_ASSIGN(const auto earlier, look(client, aside, what));
  if (earlier) aside += '.' + random_hex(4);
  Call copy;
  copy.what = what;
  copy.method = "PUT";
  copy.key = aside;
  copy.headers = {{"x-amz-copy-source", percent_encode('/' + client.place().bucket + '/' + key, true)},
                  {"x-amz-copy-source-if-match", specimen->etag}};
  copy.answers = {404, 412};
  copy.answers_slowly = true;
  MEDIA_TRY_ASSIGN(const auto copied, client.perform(copy));
  if (copied.status >= 400) return false;
  // 200 comes before the work is done, and an error may follow in its body.
  if (const std::string code = error_code_of(copied); !code.empty()) return Error{Errc::unavailable, what + ": " + code};

  // Stored anew since it was read: then that one stays. Stores that know conditions on a removal close the last gap.
  MEDIA_TRY_ASSIGN(const auto now, look(client, key, what));
  if (!now || *now != *specimen) return false;
  Call remove;
  remove.what = what;
  remove.method = "DELETE";
  remove.key = key;
  remove.headers = {{"if-match", specimen->etag}};
  remove.answers = {404, 412};
  MEDIA_TRY_ASSIGN(const auto removed, client.perform(remove));
  return removed.status < 400;
}

}  // namespace media::store::s3
