#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "repository/unfinished_uploads.hpp"
#include "repository_contract.hpp"

using namespace media;

namespace test {
namespace {

// Not UTF-8, a NUL, a quote, a wildcard of LIKE.
const std::string kAnyBytes = std::string("na\xFF\xC3(me\0'%_", 11) + "\xF0\x9F\x98\x80.JPG";

Media full_media() {
  Media media = a_media("owner-1", kAnyBytes);
  media.digest = digest_of("full");
  media.media_type = "image/avif";
  media.size_bytes = (1ULL << 40U) + 7;
  media.status = MediaStatus::failed;
  media.error_message = "cannot decode " + kAnyBytes;
  media.visibility = Visibility::is_public;
  media.info = {.format = Format::avif,
                .width = 4000,
                .height = 3000,
                .frames = 12,
                .orientation = 6,
                .has_alpha = true,
                .duration = std::chrono::milliseconds(1500)};
  media.placeholder = "#a0b0c0";
  media.idempotency_key = "key-1";
  media.uploaded_at = at(1'700'000'000'123);
  media.updated_at = at(1'700'000'000'456);
  media.completed_at = at(-5);
  media.processing_time_ms = 250;
  media.tags = {"summer", "a b", "\xFF,\"x", "z"};
  media.expires_at = at(1'900'000'000'000);
  media.appearance = {bytes(kAnyBytes), "#0a0b0c", PerceptualHash{0xFEDC'BA98'7654'3210}};
  return media;
}

std::vector<MediaId> ids_of(const Repository& repository, const MediaQuery& query) {
  const auto listed = repository.list_media(query);
  REQUIRE(listed.has_value());
  std::vector<MediaId> ids;
  for (const Media& media : listed->media) ids.push_back(media.id);
  return ids;
}

}  // namespace

void check_media_rows(const MakeRepository& make) {
  const auto repository = make();

  // Every field, and every optional one absent.
  Media full = full_media();
  full.id = insert(*repository, full);
  CHECK(full.id > 0);
  CHECK(repository->find_media(full.id).value() == full);
  Media bare;
  bare.id = insert(*repository, bare);
  CHECK(bare.id > full.id);
  CHECK(repository->find_media(bare.id).value() == bare);
  CHECK_FALSE(repository->find_media(bare.id + 1).value().has_value());
  CHECK_FALSE(repository->find_media(0).value().has_value());
  CHECK_FALSE(repository->find_media(-1).value().has_value());

  // Every value of the enumerations.
  for (const auto status : {MediaStatus::pending, MediaStatus::processing, MediaStatus::complete, MediaStatus::failed}) {
    for (const auto visibility : {Visibility::is_private, Visibility::authenticated, Visibility::is_public}) {
      bare.status = status;
      bare.visibility = visibility;
      do_write(*repository, [&](Transaction& transaction) { return transaction.update_media(bare); });
      CHECK(repository->find_media(bare.id).value() == bare);
    }
  }
  for (const auto format : {Format::unknown, Format::jpeg, Format::png, Format::webp, Format::heic, Format::gif, Format::bmp, Format::tiff,
                            Format::svg, Format::mp4, Format::mov, Format::webm, Format::mkv, Format::ogg}) {
    bare.info.format = format;
    do_write(*repository, [&](Transaction& transaction) { return transaction.update_media(bare); });
    CHECK(repository->find_media(bare.id).value() == bare);
  }

  // An update replaces everything; one of a row that is not there is an error.
  Media changed = full;
  changed.digest.reset();
  changed.info = {};
  changed.filename = "other";
  changed.idempotency_key.clear();
  changed.completed_at.reset();
  changed.processing_time_ms.reset();
  changed.tags.clear();
  changed.expires_at.reset();
  changed.appearance = {};
  do_write(*repository, [&](Transaction& transaction) { return transaction.update_media(changed); });
  CHECK(repository->find_media(full.id).value() == changed);
  Media missing = full;
  missing.id = 999;
  CHECK(repository->write([&](Transaction& transaction) { return transaction.update_media(missing); }).error().code == Errc::not_found);

  // Ids may be given, and are used once.
  Media given = a_media("owner-2");
  given.id = 500;
  CHECK(insert(*repository, given) == 500);
  const auto again = repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(given));
    return {};
  });
  CHECK(again.error().code == Errc::already_exists);
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.remove_media(500); }));
  CHECK_FALSE(in_write(*repository, [](Transaction& transaction) { return transaction.remove_media(500); }));
  CHECK(insert(*repository, a_media("owner-2")) == 501);
  for (const MediaId bad : {MediaId{-1}, kMaxMediaId + 1}) {
    given.id = bad;
    const auto refused = repository->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY(transaction.insert_media(given));
      return {};
    });
    CHECK(refused.error().code == Errc::invalid_argument);
  }
  given.id = kMaxMediaId;
  CHECK(insert(*repository, given) == kMaxMediaId);
  const auto exhausted = repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(a_media("owner-2")));
    return {};
  });
  CHECK(exhausted.error().code == Errc::no_space);

  // Idempotency keys: one media for an owner and a key, any number without one.
  Media keyed = a_media("owner-3");
  keyed.idempotency_key = "k";
  keyed.id = 600;
  insert(*repository, keyed);
  CHECK(repository->find_media_by_idempotency_key("owner-3", "k").value() == keyed);
  CHECK_FALSE(repository->find_media_by_idempotency_key("owner-4", "k").value().has_value());
  CHECK_FALSE(repository->find_media_by_idempotency_key("owner-3", "").value().has_value());
  keyed.id = 601;
  const auto taken = repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.insert_media(keyed));
    return {};
  });
  CHECK(taken.error().code == Errc::already_exists);
  keyed.owner = "owner-4";
  CHECK(insert(*repository, keyed) == 601);
  keyed.owner = "owner-3";
  CHECK(repository->write([&](Transaction& transaction) { return transaction.update_media(keyed); }).error().code == Errc::already_exists);
  CHECK(repository->find_media_by_idempotency_key("owner-4", "k").value().has_value());

  // By content: any of the owner's that is not Pending, and under a name the newest.
  Media first = a_media("owner-5", "a.jpg");
  first.id = 700;
  first.digest = digest_of("same");
  first.status = MediaStatus::complete;
  Media second = first;
  second.id = 701;
  second.filename = "b.jpg";
  second.status = MediaStatus::processing;
  Media waiting = first;
  waiting.id = 702;
  waiting.status = MediaStatus::pending;
  for (const Media& media : {first, second, waiting}) insert(*repository, media);
  const auto any = repository->find_media_by_content("owner-5", *first.digest, std::nullopt).value();
  CHECK((any == first || any == second));
  CHECK_FALSE(repository->find_judged_media_by_content("owner-6", *first.digest).value().has_value());
  for (const auto& [id, format] :
       {std::pair{first.id, Format::unknown}, std::pair{second.id, Format::unknown}, std::pair{first.id, Format::jpeg}}) {
    // However many unjudged ones there are, one that was judged is found.
    Media& media = id == first.id ? first : second;
    media.info.format = format;
    REQUIRE(repository->write([&](Transaction& transaction) { return transaction.update_media(media); }));
    const bool judged = first.info.format != Format::unknown || second.info.format != Format::unknown;
    const auto found = repository->find_judged_media_by_content("owner-5", *first.digest).value();
    CHECK(found.has_value() == judged);
    if (found) CHECK(found->info.format != Format::unknown);
  }
  CHECK(repository->find_media_by_content("owner-5", *first.digest, "a.jpg").value() == first);
  CHECK_FALSE(repository->find_media_by_content("owner-5", *first.digest, "c.jpg").value().has_value());
  CHECK_FALSE(repository->find_media_by_content("owner-6", *first.digest, std::nullopt).value().has_value());
  CHECK_FALSE(repository->find_media_by_content("owner-5", digest_of("other"), std::nullopt).value().has_value());
  CHECK(repository->check().has_value());
}

void check_media_lists(const MakeRepository& make) {
  const auto repository = make();
  constexpr MediaId kCount = 60;
  do_write(*repository, [](Transaction& transaction) -> Result<void> {
    for (MediaId id = 1; id <= kCount; ++id) {
      Media media = a_media(id % 2 == 0 ? "even" : "odd", "File-" + std::to_string(id) + (id % 5 == 0 ? ".PNG" : ".jpg"));
      media.id = id;
      media.status = static_cast<MediaStatus>(id % 4);
      media.media_type = id % 3 == 0 ? "video/mp4" : id % 5 == 0 ? "image/png" : "image/jpeg";
      media.uploaded_at = at(id * 1000);
      if (id % 2 == 0) media.tags = {"other", id % 4 == 0 ? "four" : "fourth"};
      if (id % 7 == 0) media.expires_at = at(id * 1000);
      MEDIA_TRY(transaction.insert_media(media));
    }
    return {};
  });

  // Pages meet without gap or overlap, whichever way.
  for (const bool descending : {false, true}) {
    for (const std::size_t limit : {std::size_t{1}, std::size_t{7}, std::size_t{60}, std::size_t{100}}) {
      MediaQuery query;
      query.descending = descending;
      query.limit = limit;
      std::vector<MediaId> walked;
      for (auto page = ids_of(*repository, query); !page.empty(); page = ids_of(*repository, query)) {
        CHECK(page.size() <= limit);
        walked.insert(walked.end(), page.begin(), page.end());
        query.after = page.back();
      }
      REQUIRE(walked.size() == static_cast<std::size_t>(kCount));
      if (descending) std::reverse(walked.begin(), walked.end());
      for (MediaId id = 1; id <= kCount; ++id) CHECK(walked[static_cast<std::size_t>(id - 1)] == id);
    }
  }

  // Every combination of filters against the same question asked of every row.
  const auto everything = repository->list_media({.limit = 1000});
  REQUIRE(everything->media.size() == static_cast<std::size_t>(kCount));
  std::size_t combinations = 0;
  for (unsigned mask = 0; mask < 512; ++mask) {
    MediaQuery query;
    query.limit = 1000;
    if ((mask & 1U) != 0) query.owner = "even";
    if ((mask & 2U) != 0) query.status = MediaStatus::complete;
    if ((mask & 4U) != 0) query.media_type_prefix = "image/";
    if ((mask & 8U) != 0) query.filename_contains = ".pNg";
    if ((mask & 16U) != 0) query.uploaded_from = at(10'000);
    if ((mask & 32U) != 0) query.uploaded_to = at(50'000);
    query.descending = (mask & 64U) != 0;
    if ((mask & 128U) != 0) query.tag = "four";
    if ((mask & 256U) != 0) query.alive_at = at(21'000);
    std::vector<MediaId> wanted;
    for (const Media& media : everything->media) {
      const bool matches = (!query.owner || media.owner == "even") && (!query.status || media.status == MediaStatus::complete) &&
                           (query.media_type_prefix.empty() || media.media_type.starts_with("image/")) &&
                           (query.filename_contains.empty() || media.filename.ends_with(".PNG")) &&
                           (!query.uploaded_from || media.id >= 10) && (!query.uploaded_to || media.id < 50) &&
                           (query.tag.empty() || media.id % 4 == 0) && (!query.alive_at || media.id % 7 != 0 || media.id > 21);
      if (matches) wanted.push_back(media.id);
    }
    if (query.descending) std::reverse(wanted.begin(), wanted.end());
    INFO("combination " << mask);
    CHECK(ids_of(*repository, query) == wanted);
    combinations += wanted.empty() ? 0U : 1U;
  }
  CHECK(combinations > 300);

  // A filter and a cursor together, an offset, no rows.
  CHECK(ids_of(*repository, {.owner = "odd", .after = 31, .limit = 3}) == std::vector<MediaId>{33, 35, 37});
  CHECK(ids_of(*repository, {.owner = "odd", .after = 31, .descending = true, .limit = 3}) == std::vector<MediaId>{29, 27, 25});
  CHECK(ids_of(*repository, {.limit = 2, .offset = 3}) == std::vector<MediaId>{4, 5});
  CHECK(ids_of(*repository, {.descending = true, .limit = 2, .offset = 59}) == std::vector<MediaId>{1});
  CHECK(ids_of(*repository, {.limit = 0}).empty());
  CHECK(ids_of(*repository, {.owner = "nobody"}).empty());
  CHECK(ids_of(*repository, {.after = kMaxMediaId}).empty());
  CHECK(ids_of(*repository, {.limit = SIZE_MAX, .offset = SIZE_MAX}).empty());
  CHECK(ids_of(*repository, {.limit = SIZE_MAX}).size() == 60);

  // Nothing in a filter is a pattern, and any bytes may be looked for.
  Media odd_name = a_media("bytes", kAnyBytes);
  const MediaId id = insert(*repository, odd_name);
  CHECK(ids_of(*repository, {.owner = "bytes", .filename_contains = std::string("\0'%_", 4)}) == std::vector<MediaId>{id});
  CHECK(ids_of(*repository, {.owner = "bytes", .filename_contains = "\xC3(ME"}) == std::vector<MediaId>{id});
  CHECK(ids_of(*repository, {.filename_contains = "\x98\x80.jpg"}) == std::vector<MediaId>{id});
  CHECK(ids_of(*repository, {.owner = "odd", .filename_contains = "%"}).empty());
  CHECK(ids_of(*repository, {.owner = "odd", .media_type_prefix = "image_"}).empty());
  CHECK(ids_of(*repository, {.owner = "odd", .media_type_prefix = "\xFF"}).empty());
  CHECK(ids_of(*repository, {.media_type_prefix = "image/png"}).size() == 8);
  CHECK(ids_of(*repository, {.tag = "fou"}).empty());
  CHECK(ids_of(*repository, {.tag = "other\nfour"}).empty());

  // What has expired, the earliest first.
  std::vector<MediaId> expired;
  for (const Media& media : repository->list_expired_media(at(21'000), 10).value()) expired.push_back(media.id);
  CHECK(expired == std::vector<MediaId>{7, 14, 21});
  CHECK(repository->list_expired_media(at(21'000), 2).value().size() == 2);
  CHECK(repository->list_expired_media(at(6'999), 10).value().empty());
}

void check_bounded_lists(const MakeRepository& make) {
  const auto repository = make();
  // Every tenth is of another status, every fiftieth has the name that is looked for; a stranger's rows lie between.
  do_write(*repository, [](Transaction& transaction) -> Result<void> {
    for (MediaId id = 1; id <= 2000; ++id) {
      Media media = a_media(id % 2 == 0 ? "owner" : "stranger", id % 100 == 0 ? "wanted" : "other");
      media.id = id;
      media.status = id % 20 == 0 ? MediaStatus::complete : MediaStatus::failed;
      MEDIA_TRY(transaction.insert_media(media));
    }
    return {};
  });
  // One walk: its pages' sizes, all that it found, and that each call goes on.
  struct Walk {
    std::vector<std::size_t> sizes;
    std::vector<MediaId> found;
  };
  const auto walk = [&](MediaQuery query) {
    Walk walked;
    for (;;) {
      const auto page = repository->list_media(query).value();
      walked.sizes.push_back(page.media.size());
      for (const Media& media : page.media) walked.found.push_back(media.id);
      if (!page.scanned_to) return walked;
      REQUIRE((query.after == 0 || (query.descending ? *page.scanned_to < query.after : *page.scanned_to > query.after)));
      query.after = *page.scanned_to;
    }
  };
  for (const bool descending : {false, true}) {
    // 1000 rows of the owner, 150 a call; strangers' rows are not counted.
    const auto named = walk({.owner = "owner", .filename_contains = "wanted", .descending = descending, .scan_limit = 150});
    CHECK(named.sizes.size() == 7);
    REQUIRE(named.found.size() == 20);
    CHECK(named.found.front() == (descending ? 2000 : 100));
    CHECK(named.found.back() == (descending ? 100 : 2000));
    // With a status only that status's 100 rows are walked.
    const auto in_status = walk(
        {.owner = "owner", .status = MediaStatus::complete, .filename_contains = "wanted", .descending = descending, .scan_limit = 40});
    CHECK(in_status.sizes.size() == 3);
    CHECK(in_status.found == named.found);
    // Nothing matches: every page is empty, and the walk ends.
    const auto none = walk({.owner = "owner", .filename_contains = "nowhere", .descending = descending, .scan_limit = 300});
    CHECK(none.sizes == std::vector<std::size_t>(4, 0));
    // A full page ends where it is full, and the last page knows that it is the last.
    const auto plain = walk({.owner = "owner", .descending = descending, .limit = 500, .scan_limit = 600});
    CHECK(plain.sizes == std::vector<std::size_t>(2, 500));
    // Nobody in particular: the status is a filter like the others.
    const auto anybody = walk({.status = MediaStatus::complete, .descending = descending, .scan_limit = 500});
    CHECK(anybody.sizes == std::vector<std::size_t>(4, 25));
    CHECK(walk({.owner = "nobody", .descending = descending, .scan_limit = 1}).sizes == std::vector<std::size_t>{0});
  }
  const auto exact = repository->list_media({.owner = "owner", .filename_contains = "x", .scan_limit = 1000}).value();
  CHECK_FALSE(exact.scanned_to.has_value());
  const auto passed_over = repository->list_media({.owner = "owner", .limit = 10, .offset = 95, .scan_limit = 100}).value();
  CHECK(passed_over.media.size() == 5);
  CHECK(passed_over.scanned_to == 200);
}

void check_similar_media(const MakeRepository& make) {
  const auto repository = make();
  // Hashes at every distance from this one, the bits in which they differ spread in every way, among many that are far from it.
  const PerceptualHash centre{0x8F3C'0012'FFFF'7001};
  std::mt19937_64 random(7);
  constexpr MediaId kCount = 700;
  std::vector<Media> rows;
  for (MediaId id = 1; id <= kCount; ++id) {
    Media media = a_media(id % 3 == 0 ? "other" : "owner");
    media.id = id;
    media.visibility = static_cast<Visibility>(id / 3 % 3);
    if (id % 7 == 0) media.expires_at = at(id * 1000);
    PerceptualHash hash{random()};
    if (id <= 400) {
      hash = centre;
      // Of the last hundred in one quarter alone, where the other three are the same.
      const unsigned bits = id > 300 ? 16 : 64;
      for (MediaId bit = 0; bit < id % 25; ++bit)
        hash.bits ^= 1ULL << (random() % bits + (id > 300 ? static_cast<unsigned>(id % 4) * 16 : 0));
    }
    if (id % 50 != 49) media.appearance = {bytes("12345678901234567"), "#000000", hash};
    rows.push_back(media);
  }
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (const Media& media : rows) MEDIA_TRY(transaction.insert_media(media));
    return {};
  });

  // Against the same question asked of every row.
  const auto wanted = [&](const SimilarQuery& query) {
    std::vector<std::pair<unsigned, MediaId>> ranks;
    for (const Media& media : rows) {
      if (!media.appearance.perceptual_hash || media.id == query.except) continue;
      const unsigned far = distance(*media.appearance.perceptual_hash, query.perceptual_hash);
      const bool seen = !query.owner || media.owner == *query.owner || (query.others && media.visibility >= *query.others);
      if (far <= query.max_distance && seen && !(query.alive_at && media.expires_at && *media.expires_at <= *query.alive_at)) {
        ranks.emplace_back(far, media.id);
      }
    }
    std::sort(ranks.begin(), ranks.end());
    ranks.resize(std::min(ranks.size(), query.limit));
    return ranks;
  };
  const auto found = [&](const SimilarQuery& query) {
    std::vector<std::pair<unsigned, MediaId>> ranks;
    const auto listed = repository->list_similar_media(query);
    REQUIRE(listed.has_value());
    bool whole = true;
    for (const SimilarMedia& each : *listed) {
      ranks.emplace_back(each.distance, each.media.id);
      whole = whole && each.media == rows[static_cast<std::size_t>(each.media.id - 1)];
    }
    CHECK(whole);
    return ranks;
  };
  std::size_t most = 0;
  for (unsigned far = 0; far <= 64; ++far) {
    for (unsigned mask = 0; mask < 16; ++mask) {
      for (const std::size_t limit : {std::size_t{1}, std::size_t{20}, SIZE_MAX}) {
        SimilarQuery query{.perceptual_hash = centre, .max_distance = far, .limit = limit};
        if ((mask & 1U) != 0) query.owner = "other";
        if ((mask & 2U) != 0) query.others = Visibility::authenticated;
        if ((mask & 4U) != 0) query.alive_at = at(300'000);
        if ((mask & 8U) != 0) query.except = 100;
        INFO("distance " << far << ", filters " << mask << ", limit " << limit);
        const auto expected = wanted(query);
        CHECK(found(query) == expected);
        most = std::max(most, expected.size());
      }
    }
  }
  CHECK(most == 686);
  CHECK(found({.perceptual_hash = centre, .limit = 0}).empty());
  CHECK(found({.perceptual_hash = centre, .max_distance = 0, .owner = "nobody"}).empty());
  CHECK(found({.perceptual_hash = centre, .owner = "nobody", .others = Visibility::is_public, .limit = SIZE_MAX}) ==
        wanted({.perceptual_hash = centre, .owner = "nobody", .others = Visibility::is_public, .limit = SIZE_MAX}));

  // A hash that changes, goes or comes back is found where it is now, within the transaction too.
  Media& moved = rows[0];
  moved.appearance.perceptual_hash = PerceptualHash{~centre.bits};
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.update_media(moved));
    const auto near = transaction.list_similar_media({.perceptual_hash = {~centre.bits}, .max_distance = 0});
    CHECK(near.value() == std::vector<SimilarMedia>{{0, moved}});
    return {};
  });
  CHECK(found({.perceptual_hash = centre, .max_distance = 2, .limit = SIZE_MAX}) ==
        wanted({.perceptual_hash = centre, .max_distance = 2, .limit = SIZE_MAX}));
  moved.appearance.perceptual_hash.reset();
  do_write(*repository, [&](Transaction& transaction) { return transaction.update_media(moved); });
  CHECK(found({.perceptual_hash = {~centre.bits}, .max_distance = 0}).empty());
  static_cast<void>(repository->write([&](Transaction& transaction) -> Result<void> {
    Media taken_back = moved;
    taken_back.appearance.perceptual_hash = PerceptualHash{~centre.bits};
    MEDIA_TRY(transaction.update_media(taken_back));
    return Error{Errc::conflict, "after all not"};
  }));
  CHECK(found({.perceptual_hash = {~centre.bits}, .max_distance = 0}).empty());
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.remove_media(2); }));
  rows[1].appearance = {};
  CHECK(found({.perceptual_hash = centre, .limit = SIZE_MAX}) == wanted({.perceptual_hash = centre, .limit = SIZE_MAX}));
}

void check_blobs_and_references(const MakeRepository& make) {
  const auto repository = make();
  std::vector<Digest> digests;
  for (int i = 0; i < 10; ++i) digests.push_back(digest_of("blob " + std::to_string(i)));
  std::sort(digests.begin(), digests.end());

  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (std::size_t i = 0; i < digests.size(); ++i) MEDIA_TRY(transaction.put_blob(a_blob(digests[i], 100 + i)));
    return {};
  });
  Blob full = a_blob(digests[3], 5'000'000);
  full.state = BlobState::condemned;
  full.location = "cold";
  full.identity = "1:2:3";
  full.verified_at = at(10);
  full.condemned_at = at(20);
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_blob(a_blob(digests[9], 1'000'000)));
    return transaction.put_blob(full);
  });
  CHECK(repository->find_blob(digests[3]).value() == full);
  CHECK(repository->find_blob(digests[0]).value() == a_blob(digests[0], 100));
  CHECK_FALSE(repository->find_blob(digest_of("none")).value().has_value());

  // By size: live ones only.
  StorageUsage live;
  for (const Blob& blob : repository->list_blobs({}, 1000).value()) {
    if (blob.state != BlobState::live) continue;
    ++live.blobs;
    live.size_bytes += blob.size_bytes;
  }
  CHECK(live.blobs > 1);
  CHECK(repository->storage_usage().value() == live);
  CHECK(repository->has_blob_of_size(100).value());
  CHECK(repository->has_blob_of_size(1'000'000).value());
  CHECK_FALSE(repository->has_blob_of_size(1'000'001).value());
  CHECK_FALSE(repository->has_blob_of_size(5'000'000).value());
  CHECK_FALSE(repository->has_blob_of_size(kSmallBlobBytes + 1).value());

  // The walk over digests.
  std::vector<Digest> walked;
  std::optional<Digest> after;
  for (auto page = repository->list_blobs(after, 3).value(); !page.empty(); page = repository->list_blobs(after, 3).value()) {
    for (const Blob& blob : page) walked.push_back(blob.digest);
    after = walked.back();
  }
  CHECK(walked == digests);
  CHECK(repository->list_blobs(std::nullopt, 0).value().empty());

  // By state and time.
  Blob later = full;
  later.digest = digests[4];
  later.condemned_at = at(15);
  Blob deleting = later;
  deleting.digest = digests[5];
  deleting.state = BlobState::deleting;
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_blob(later));
    return transaction.put_blob(deleting);
  });
  CHECK(repository->list_blobs_in_state(BlobState::condemned, at(20), 10).value() == std::vector<Blob>{later, full});
  CHECK(repository->list_blobs_in_state(BlobState::condemned, at(19), 10).value() == std::vector<Blob>{later});
  CHECK(repository->list_blobs_in_state(BlobState::condemned, at(20), 1).value() == std::vector<Blob>{later});
  CHECK(repository->list_blobs_in_state(BlobState::condemned, at(14), 10).value().empty());
  CHECK(repository->list_blobs_in_state(BlobState::deleting, at(100), 10).value() == std::vector<Blob>{deleting});

  // References: by a media, by a rendition of a referenced source, not by a rendition of one that nobody has.
  Media media = a_media("owner");
  media.digest = digests[0];
  media.id = insert(*repository, media);
  Rendition rendition;
  rendition.source = digests[0];
  rendition.transform = "w=320,format=jpeg";
  rendition.encoder = "jpeg-1";
  rendition.digest = digests[1];
  Rendition orphan = rendition;
  orphan.source = digests[7];
  orphan.digest = digests[2];
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_rendition(rendition));
    return transaction.put_rendition(orphan);
  });
  CHECK(repository->is_referenced(digests[0]).value());
  CHECK(repository->is_referenced(digests[1]).value());
  CHECK_FALSE(repository->is_referenced(digests[2]).value());
  CHECK_FALSE(repository->is_referenced(digests[7]).value());
  CHECK_FALSE(repository->is_referenced(digest_of("none")).value());
  const auto unreferenced = [&](std::optional<Digest> beyond) {
    std::vector<Digest> found;
    const auto page = repository->list_unreferenced_blobs(beyond).value();
    CHECK_FALSE(page.scanned_to);
    for (const Blob& blob : page.blobs) found.push_back(blob.digest);
    return found;
  };
  CHECK(unreferenced(std::nullopt) == std::vector<Digest>{digests[2], digests[6], digests[7], digests[8], digests[9]});
  CHECK(unreferenced(digests[6]) == std::vector<Digest>{digests[7], digests[8], digests[9]});
  CHECK(unreferenced(digests[9]).empty());

  // The reference goes with the media, that of its rendition too.
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_media(media.id); }));
  CHECK_FALSE(repository->is_referenced(digests[0]).value());
  CHECK_FALSE(repository->is_referenced(digests[1]).value());
  CHECK(unreferenced(std::nullopt).size() == 7);
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_blob(digests[0]); }));
  CHECK_FALSE(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_blob(digests[0]); }));
  CHECK_FALSE(repository->find_blob(digests[0]).value().has_value());
}

void check_bounded_reference_walk(const MakeRepository& make) {
  const auto repository = make();
  // More than one call looks at, nearly all of them referred to.
  constexpr std::size_t kBlobs = 2 * kUnreferencedScan + 345;
  std::vector<Digest> digests;
  for (std::size_t i = 0; i < kBlobs; ++i) digests.push_back(digest_of("blob " + std::to_string(i)));
  std::sort(digests.begin(), digests.end());
  std::vector<Digest> expected;
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    expected.clear();
    for (std::size_t i = 0; i < digests.size(); ++i) {
      Blob blob = a_blob(digests[i], i);
      if (i % 1'000 == 7) blob.state = BlobState::condemned;
      if (i % 1'000 == 7) blob.condemned_at = at(5);
      MEDIA_TRY(transaction.put_blob(blob));
      if (i % 500 == 0 && blob.state == BlobState::live) {
        expected.push_back(blob.digest);
        continue;
      }
      Media media = a_media("owner");
      media.digest = digests[i];
      MEDIA_TRY(transaction.insert_media(media));
    }
    return {};
  });
  std::vector<Digest> found;
  std::vector<std::optional<Digest>> ends;
  std::optional<Digest> after;
  do {
    const auto page = repository->list_unreferenced_blobs(after).value();
    for (const Blob& blob : page.blobs) found.push_back(blob.digest);
    ends.push_back(after = page.scanned_to);
  } while (after);
  CHECK(found == expected);
  CHECK(ends == std::vector<std::optional<Digest>>{digests[kUnreferencedScan - 1], digests[2 * kUnreferencedScan - 1], std::nullopt});
  // A page that ends with the last row of all may say that there is more, and then there is none.
  CHECK(repository->list_unreferenced_blobs(digests.back()).value().blobs.empty());
}

void check_blob_uses(const MakeRepository& make) {
  const auto repository = make();
  std::vector<Digest> digests;
  for (const char* const name : {"picture", "film", "text", "rendition", "both", "orphan"}) digests.push_back(digest_of(name));
  std::map<Digest, BlobUse> expected;
  const auto expect = [&](std::size_t number, BlobKind kind, std::int64_t since) {
    expected[digests[number]] = {digests[number], 10 + number, BlobState::live, kind, at(since), 0, std::nullopt};
  };
  expect(0, BlobKind::image, 3'000);
  expect(1, BlobKind::video, 1'000);
  expect(2, BlobKind::other, 1'000);
  expect(3, BlobKind::rendition, 500);
  expect(4, BlobKind::image, 9'000);
  expect(5, BlobKind::other, 0);
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (std::size_t i = 0; i < digests.size(); ++i) MEDIA_TRY(transaction.put_blob(a_blob(digests[i], 10 + i)));
    const auto add = [&](std::size_t number, const char* type, std::int64_t uploaded) -> Result<void> {
      Media media = a_media("owner");
      media.digest = digests[number];
      media.media_type = type;
      media.uploaded_at = at(uploaded);
      MEDIA_TRY(transaction.insert_media(media));
      return {};
    };
    MEDIA_TRY(add(0, "image/png", 1'000));
    MEDIA_TRY(add(0, "image/png", 3'000));
    MEDIA_TRY(add(1, "video/mp4", 1'000));
    MEDIA_TRY(add(2, "application/octet-stream", 1'000));
    MEDIA_TRY(add(4, "image/webp", 2'000));
    Rendition rendition;
    rendition.source = digests[0];
    rendition.transform = "w=1";
    rendition.digest = digests[3];
    rendition.created_at = at(500);
    MEDIA_TRY(transaction.put_rendition(rendition));
    rendition.transform = "w=2";
    rendition.digest = digests[4];
    rendition.created_at = at(9'000);
    return transaction.put_rendition(rendition);
  });
  const auto all = [&](std::size_t limit) {
    std::vector<BlobUse> uses;
    std::optional<Digest> after;
    for (;;) {
      const auto page = repository->list_blob_uses(after, limit).value();
      if (page.empty()) return uses;
      CHECK(page.size() <= limit);
      after = page.back().digest;
      uses.insert(uses.end(), page.begin(), page.end());
    }
  };
  const auto check = [&] {
    std::vector<BlobUse> wanted;
    for (const auto& [digest, use] : expected) wanted.push_back(use);
    CHECK(all(100) == wanted);
    CHECK(all(2) == wanted);
  };
  check();

  const auto note = [&](const std::vector<BlobReads>& reads) {
    do_write(*repository, [&](Transaction& transaction) { return transaction.note_blob_reads(reads); });
  };
  note({{digests[0], 3, at(50)}, {digest_of("gone"), 1, at(50)}, {digests[3], 1, at(70)}});
  note({{digests[0], 2, at(40)}, {digests[3], 1, at(90)}});
  expected[digests[0]].reads = 5;
  expected[digests[0]].read_at = at(50);
  expected[digests[3]].reads = 2;
  expected[digests[3]].read_at = at(90);
  check();
  // They stay when the blob's row changes, and go with it.
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    Blob blob = a_blob(digests[0], 10);
    blob.identity = "other";
    return transaction.put_blob(blob);
  });
  check();
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_blob(digests[3]); }));
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_blob(a_blob(digests[3], 13)); });
  expected[digests[3]].reads = 0;
  expected[digests[3]].read_at.reset();
  check();
}

void check_renditions(const MakeRepository& make) {
  const auto repository = make();
  Rendition first{.source = digest_of("source"),
                  .transform = "w=320,format=avif",
                  .encoder = "aom-1",
                  .digest = digest_of("picture"),
                  .format = Format::avif,
                  .width = 320,
                  .height = 240,
                  .size_bytes = 12'345,
                  .created_at = at(99),
                  .on_demand = true,
                  .used_at = at(123)};
  Rendition other = first;
  other.encoder = "aom-2";
  Rendition foreign = first;
  foreign.source = digest_of("another source");
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (const Rendition& rendition : {other, first, foreign}) MEDIA_TRY(transaction.put_rendition(rendition));
    return {};
  });
  CHECK(repository->find_rendition(first.source, first.transform, first.encoder).value() == first);
  CHECK_FALSE(repository->find_rendition(first.source, "w=321,format=avif", first.encoder).value().has_value());
  CHECK(repository->list_renditions(first.source).value() == std::vector<Rendition>{first, other});
  CHECK(repository->list_renditions(digest_of("none")).value().empty());

  first.width = 640;
  first.digest = digest_of("a better picture");
  first.on_demand = false;
  first.used_at = at(124);
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_rendition(first); });
  CHECK(repository->list_renditions(first.source).value() == std::vector<Rendition>{first, other});

  CHECK(in_write(*repository, [&](Transaction& t) { return t.remove_rendition(other.source, other.transform, other.encoder); }));
  CHECK_FALSE(in_write(*repository, [&](Transaction& t) { return t.remove_rendition(other.source, other.transform, other.encoder); }));
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_rendition(other); });
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_renditions(first.source); }) == 2);
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_renditions(first.source); }) == 0);
  CHECK(repository->list_renditions(foreign.source).value() == std::vector<Rendition>{foreign});

  // By the blob that they are, whatever the source.
  Rendition same_bytes = foreign;
  same_bytes.source = first.source;
  same_bytes.transform = "w=16,format=avif";
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_rendition(same_bytes));
    return transaction.put_rendition(first);
  });
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_renditions_stored_as(foreign.digest); }) == 2);
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_renditions_stored_as(foreign.digest); }) == 0);
  CHECK(repository->list_renditions(foreign.source).value().empty());
  CHECK(repository->list_renditions(first.source).value() == std::vector<Rendition>{first});
}

void check_rendition_use(const MakeRepository& make) {
  const auto repository = make();
  CHECK(repository->list_all_renditions(std::nullopt, 10).value().empty());
  CHECK(repository->list_least_used_renditions(10).value().empty());
  CHECK(repository->rendition_usage(false).value() == RenditionUsage{});

  std::vector<Rendition> all;
  for (int source = 0; source < 3; ++source) {
    for (int i = 0; i < 4; ++i) {
      Rendition rendition{.source = digest_of("source " + std::to_string(source)),
                          .transform = "w=" + std::to_string(100 + i) + ",format=webp",
                          .encoder = "webp-1",
                          .digest = digest_of("bytes " + std::to_string(source) + " " + std::to_string(i)),
                          .format = Format::webp,
                          .size_bytes = 1000,
                          .created_at = at(1),
                          .on_demand = i != 0,
                          .used_at = at(1000 - 10 * i - source)};
      all.push_back(rendition);
    }
  }
  // The same name but for the encoder.
  Rendition older = all.front();
  older.encoder = "webp-0";
  older.size_bytes = 1ULL << 40U;
  all.push_back(older);
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    for (const Rendition& rendition : all) MEDIA_TRY(transaction.put_rendition(rendition));
    return {};
  });
  const auto name = [](const Rendition& rendition) { return std::tie(rendition.source, rendition.transform, rendition.encoder); };
  std::sort(all.begin(), all.end(), [&](const Rendition& a, const Rendition& b) { return name(a) < name(b); });

  std::vector<Rendition> walked;
  std::optional<Rendition> after;
  for (std::size_t pages = 0; pages < 20; ++pages) {
    const auto page = repository->list_all_renditions(after, 2).value();
    CHECK(page.size() <= 2);
    if (page.empty()) break;
    walked.insert(walked.end(), page.begin(), page.end());
    after = page.back();
  }
  CHECK(walked == all);
  // It goes on behind a name, whether that is still there or not.
  Rendition between = all[4];
  between.encoder += "z";
  CHECK(repository->list_all_renditions(between, 100).value() == std::vector<Rendition>(all.begin() + 5, all.end()));

  CHECK(repository->rendition_usage(false).value() == RenditionUsage{13, 12'000 + (1ULL << 40U)});
  CHECK(repository->rendition_usage(true).value() == RenditionUsage{9, 9000});

  auto by_use = all;
  std::erase_if(by_use, [](const Rendition& rendition) { return !rendition.on_demand; });
  const auto sort_by_use = [&] {
    std::sort(by_use.begin(), by_use.end(), [](const Rendition& a, const Rendition& b) { return a.used_at < b.used_at; });
  };
  sort_by_use();
  CHECK(repository->list_least_used_renditions(100).value() == by_use);
  CHECK(repository->list_least_used_renditions(4).value() == std::vector<Rendition>(by_use.begin(), by_use.begin() + 4));
  CHECK(repository->list_least_used_renditions(0).value().empty());

  // A use moves it back in the queue, and never forward.
  const auto use = [&](const Digest& digest, Timestamp when) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.note_rendition_use(digest, when); });
  };
  CHECK(use(by_use.front().digest, at(5000)) == 1);
  CHECK(use(by_use.front().digest, at(5000)) == 0);
  CHECK(use(by_use.front().digest, at(4000)) == 0);
  CHECK(use(digest_of("none"), at(5000)) == 0);
  by_use.front().used_at = at(5000);
  sort_by_use();
  CHECK(repository->list_least_used_renditions(100).value() == by_use);
  // All that share the bytes were used.
  CHECK(use(older.digest, at(6000)) == 2);
  CHECK(repository->find_rendition(older.source, older.transform, older.encoder).value()->used_at == at(6000));
  CHECK(repository->find_rendition(older.source, older.transform, "webp-1").value()->used_at == at(6000));

  // A transaction that fails leaves everything as it was.
  const auto failed = repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.note_rendition_use(by_use.front().digest, at(9000)));
    MEDIA_TRY(transaction.remove_renditions(by_use.front().source));
    return Error{Errc::cancelled, "no"};
  });
  CHECK_FALSE(failed.has_value());
  CHECK(repository->list_least_used_renditions(100).value() == by_use);
}

void check_uploads(const MakeRepository& make) {
  const auto repository = make();
  UploadSession session;
  session.token = "token-1";
  session.media_id = insert(*repository, a_media("owner"));
  session.owner = "owner";
  session.filename = kAnyBytes;
  session.media_type = "image/png";
  session.size_bytes = 77;
  session.digest = digest_of("promised");
  session.created_at = at(1);
  session.expires_at = at(100);
  UploadSession later = session;
  later.token = "token-2";
  later.digest.reset();
  later.expires_at = at(200);
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_upload(later));
    return transaction.put_upload(session);
  });
  CHECK(repository->find_upload("token-1").value() == session);
  CHECK(repository->find_upload("token-2").value() == later);
  CHECK_FALSE(repository->find_upload("token-3").value().has_value());

  // Of two that take the same step one succeeds.
  const auto change = [&](const std::string& token, UploadState from, UploadState to) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.change_upload_state(token, from, to); });
  };
  CHECK(change("token-1", UploadState::open, UploadState::receiving));
  CHECK_FALSE(change("token-1", UploadState::open, UploadState::receiving));
  CHECK(change("token-1", UploadState::receiving, UploadState::complete));
  CHECK_FALSE(change("token-3", UploadState::open, UploadState::receiving));
  session.state = UploadState::complete;
  CHECK(repository->find_upload("token-1").value() == session);

  CHECK(repository->list_expired_uploads(at(99), 10).value().empty());
  CHECK(repository->list_expired_uploads(at(100), 10).value() == std::vector<UploadSession>{session});
  CHECK(repository->list_expired_uploads(at(1000), 10).value() == std::vector<UploadSession>{session, later});
  CHECK(repository->list_expired_uploads(at(1000), 1).value() == std::vector<UploadSession>{session});

  later.size_bytes = 78;
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_upload(later); });
  CHECK(repository->find_upload("token-2").value() == later);
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.remove_upload("token-2"); }));
  CHECK_FALSE(in_write(*repository, [](Transaction& transaction) { return transaction.remove_upload("token-2"); }));

  later.media_id = 999;
  CHECK(repository->write([&](Transaction& transaction) { return transaction.put_upload(later); }).error().code == Errc::not_found);
}

void check_resumable_uploads(const MakeRepository& make) {
  const auto repository = make();
  ResumableUpload open;
  open.id = "open";
  open.owner = "owner";
  open.kind = ResumableKind::joined;
  open.filename = kAnyBytes;
  open.media_type = "video/mp4";
  open.metadata = "filename d29ybGQ=,is_public";
  open.parts = {"first", "second"};
  open.size_bytes = 5'000'000'000;
  open.created_at = at(1);
  open.expires_at = at(200);
  ResumableUpload done;
  done.id = "done";
  done.owner = "owner";
  done.media_id = insert(*repository, a_media("owner"));
  done.created_at = at(2);
  done.expires_at = at(100);
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_resumable_upload(open));
    return transaction.put_resumable_upload(done);
  });
  CHECK(repository->find_resumable_upload("open").value() == open);
  CHECK(repository->find_resumable_upload("done").value() == done);
  CHECK_FALSE(repository->find_resumable_upload("none").value().has_value());

  CHECK(repository->list_expired_resumable_uploads(at(99), 10).value().empty());
  CHECK(repository->list_expired_resumable_uploads(at(100), 10).value() == std::vector<ResumableUpload>{done});
  CHECK(repository->list_expired_resumable_uploads(at(1000), 10).value() == std::vector<ResumableUpload>{done, open});
  CHECK(repository->list_expired_resumable_uploads(at(1000), 1).value() == std::vector<ResumableUpload>{done});

  // What is still to come of an owner's, which each of the built-in repositories can tell.
  const auto* const unfinished = dynamic_cast<const UnfinishedUploads*>(repository.get());
  REQUIRE(unfinished != nullptr);
  CHECK(unfinished->unfinished_bytes("owner", at(199)).value() == 5'000'000'000);
  CHECK(unfinished->unfinished_bytes("owner", at(200)).value() == 0);
  CHECK(unfinished->unfinished_bytes("another", at(1)).value() == 0);

  // Finished by being put again; a media that is not there cannot be what it became.
  ResumableUpload wrong = open;
  wrong.media_id = 999;
  CHECK(repository->write([&](Transaction& transaction) { return transaction.put_resumable_upload(wrong); }).error().code ==
        Errc::not_found);
  open.media_id = insert(*repository, a_media("owner"));
  open.parts.clear();
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_resumable_upload(open); });
  CHECK(repository->find_resumable_upload("open").value() == open);

  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_media(open.media_id); }));
  CHECK_FALSE(repository->find_resumable_upload("open").value().has_value());
  CHECK(repository->find_resumable_upload("done").value() == done);
  CHECK(in_write(*repository, [](Transaction& transaction) { return transaction.remove_resumable_upload("done"); }));
  CHECK_FALSE(in_write(*repository, [](Transaction& transaction) { return transaction.remove_resumable_upload("done"); }));
  CHECK(repository->find_media(done.media_id).value().has_value());
}

void check_links(const MakeRepository& make) {
  const auto repository = make();
  std::vector<MediaId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(insert(*repository, a_media("owner")));
  const std::string step = "recipe/42/step/7";
  do_write(*repository, [&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY(transaction.put_link({step, ids[3], 1}));
    MEDIA_TRY(transaction.put_link({step, ids[0], 2}));
    MEDIA_TRY(transaction.put_link({step, ids[2], 1}));
    MEDIA_TRY(transaction.put_link({step, ids[1], -5}));
    return transaction.put_link({"recipe/42", ids[0], 0});
  });
  CHECK(repository->list_links(step).value() ==
        std::vector<Link>{{step, ids[1], -5}, {step, ids[2], 1}, {step, ids[3], 1}, {step, ids[0], 2}});
  CHECK(repository->list_links("recipe").value().empty());
  CHECK(repository->list_links_of_media(ids[0]).value() == std::vector<Link>{{"recipe/42", ids[0], 0}, {step, ids[0], 2}});
  CHECK(repository->list_links_of_media(999).value().empty());

  // Linking again moves.
  do_write(*repository, [&](Transaction& transaction) { return transaction.put_link({step, ids[0], -9}); });
  CHECK(repository->list_links(step).value().front() == Link{step, ids[0], -9});
  CHECK(repository->list_links(step).value().size() == 4);
  CHECK(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_link(step, ids[0]); }));
  CHECK_FALSE(in_write(*repository, [&](Transaction& transaction) { return transaction.remove_link(step, ids[0]); }));
  CHECK(repository->write([&](Transaction& transaction) { return transaction.put_link({step, 999, 0}); }).error().code == Errc::not_found);
  CHECK(repository->list_links(step).value().size() == 3);
}

void check_api_keys(const MakeRepository& make) {
  const auto repository = make();
  CHECK(repository->list_api_keys().value().empty());
  CHECK_FALSE(repository->find_api_key("").value().has_value());

  ApiKey full{.id = "b",
              .secret_digest = digest_of("secret"),
              .owner = "owner-1",
              .scopes = "media:read media:write",
              .label = kAnyBytes,
              .created_at = at(1000),
              .expires_at = at(2'000'000'000'123),
              .revoked_at = std::nullopt};
  ApiKey older{.id = "c", .secret_digest = digest_of("other"), .owner = "owner-2", .scopes = "media:admin", .created_at = at(999)};
  ApiKey beside = older;
  beside.id = "a";
  for (const ApiKey& key : {full, older, beside})
    do_write(*repository, [&](Transaction& transaction) { return transaction.insert_api_key(key); });
  CHECK(repository->find_api_key("b").value() == full);
  CHECK(repository->find_api_key("c").value() == older);
  CHECK_FALSE(repository->find_api_key("B").value().has_value());
  CHECK(repository->list_api_keys().value() == std::vector<ApiKey>{beside, older, full});

  const auto again = repository->write([&](Transaction& transaction) { return transaction.insert_api_key(older); });
  REQUIRE_FALSE(again.has_value());
  CHECK(again.error().code == Errc::already_exists);

  const auto revoke = [&](const std::string& id, std::int64_t time) {
    return in_write(*repository, [&](Transaction& transaction) { return transaction.revoke_api_key(id, at(time)); });
  };
  CHECK(revoke("b", 3000));
  CHECK_FALSE(revoke("b", 4000));
  CHECK_FALSE(revoke("d", 3000));
  full.revoked_at = at(3000);
  CHECK(repository->find_api_key("b").value() == full);
  CHECK(repository->find_api_key("c").value() == older);
}

}  // namespace test
