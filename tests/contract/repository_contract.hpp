// What every Repository must do, and the few lines in which an implementation runs it (repository_contract_test.cpp).
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "catch.hpp"
#include "media/repository.hpp"
#include "support.hpp"

namespace test {

/// Makes an empty repository.
using MakeRepository = std::function<std::unique_ptr<media::Repository>()>;

// Rows: repository_contract_rows.cpp.
void check_media_rows(const MakeRepository& make);
void check_media_lists(const MakeRepository& make);
void check_bounded_lists(const MakeRepository& make);
void check_similar_media(const MakeRepository& make);
void check_blobs_and_references(const MakeRepository& make);
void check_bounded_reference_walk(const MakeRepository& make);
void check_blob_uses(const MakeRepository& make);
void check_renditions(const MakeRepository& make);
void check_rendition_use(const MakeRepository& make);
void check_uploads(const MakeRepository& make);
void check_resumable_uploads(const MakeRepository& make);
void check_links(const MakeRepository& make);
void check_api_keys(const MakeRepository& make);
// What the gate keeps: repository_contract_gate.cpp.
void check_quotas(const MakeRepository& make);
void check_usage_never_drifts(const MakeRepository& make);
void check_bans(const MakeRepository& make);
void check_quarantine(const MakeRepository& make);
// Transactions, jobs, threads: repository_contract_work.cpp.
void check_removal_cascades(const MakeRepository& make);
void check_jobs(const MakeRepository& make);
void check_video_orders(const MakeRepository& make);
void check_returned_job(const MakeRepository& make);
void check_finishing_several(const MakeRepository& make);
void check_transactions(const MakeRepository& make);
void check_concurrency(const MakeRepository& make);

// Values for the tests of repositories.

inline media::Timestamp at(std::int64_t milliseconds) { return media::Timestamp(std::chrono::milliseconds(milliseconds)); }
inline media::Digest digest_of(std::string_view text) { return media::Digest::of(bytes(text)); }

inline media::Media a_media(std::string owner, std::string filename = "photo.jpg") {
  media::Media media;
  media.owner = std::move(owner);
  media.filename = std::move(filename);
  media.media_type = "image/jpeg";
  media.uploaded_at = at(1000);
  media.updated_at = at(1000);
  return media;
}

inline media::Blob a_blob(const media::Digest& digest, std::uint64_t size_bytes = 10) {
  media::Blob blob;
  blob.digest = digest;
  blob.size_bytes = size_bytes;
  return blob;
}

/// Runs one call in a transaction of its own and answers its value; a failure fails the test.
template <class Call>
auto in_write(media::Repository& repository, Call call) {
  using Value = typename std::invoke_result_t<Call, media::Transaction&>::value_type;
  std::optional<Value> value;
  const auto written = repository.write([&](media::Transaction& transaction) -> media::Result<void> {
    MEDIA_TRY_ASSIGN(value, call(transaction));
    return {};
  });
  INFO((written ? std::string() : written.error().message));
  REQUIRE(written.has_value());
  return *value;
}

/// As above for calls without a value.
template <class Call>
void do_write(media::Repository& repository, Call call) {
  const auto written = repository.write([&](media::Transaction& transaction) { return call(transaction); });
  INFO((written ? std::string() : written.error().message));
  REQUIRE(written.has_value());
}

/// Inserts a media and answers its id.
inline media::MediaId insert(media::Repository& repository, const media::Media& media) {
  return in_write(repository, [&](media::Transaction& transaction) { return transaction.insert_media(media); });
}

}  // namespace test
