// How media look: found out when they come in or later, and what looks like what.
#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;
using test::png;

namespace {

/// Puts a media's hash so many bits away from another one.
void move_hash(LibraryFixture& f, MediaId id, PerceptualHash from, unsigned bits) {
  const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
  REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto media, transaction.find_media(id));
    media->appearance.perceptual_hash = PerceptualHash{from.bits ^ ((1ULL << bits) - 1)};
    return transaction.update_media(*media);
  }));
}

/// Makes a media one of those that were taken in before anybody described them.
void forget_looks(LibraryFixture& f, MediaId id) {
  const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
  REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto media, transaction.find_media(id));
    media->appearance = {};
    MEDIA_TRY(transaction.update_media(*media));
    Job job;
    job.kind = "describe";
    job.media_id = id;
    MEDIA_TRY(transaction.insert_job(job));
    return {};
  }));
}

std::vector<MediaId> ids_of(const Result<std::vector<SimilarMedia>>& similar) {
  REQUIRE(similar.has_value());
  std::vector<MediaId> ids;
  for (const SimilarMedia& each : *similar) ids.push_back(each.media.id);
  return ids;
}

}  // namespace

TEST_CASE("library: a media's likes are listed, the nearest first, without itself and what has expired") {
  LibraryFixture f;
  std::vector<MediaId> ids;
  for (std::uint64_t i = 0; i < 5; ++i) ids.push_back(f.ingest(png(i), {.filename = std::to_string(i) + ".png"}).media.id);
  REQUIRE(f.library->run_jobs({}).value() == 5);
  const PerceptualHash hash = *f.library->find(ids[0]).value()->appearance.perceptual_hash;
  move_hash(f, ids[1], hash, 7);
  move_hash(f, ids[2], hash, 3);
  move_hash(f, ids[3], hash, 11);
  CHECK(ids_of(f.library->similar(ids[0], {})) == std::vector<MediaId>{ids[2], ids[1]});
  CHECK(ids_of(f.library->similar(ids[0], {.max_distance = 11})) == std::vector<MediaId>{ids[2], ids[1], ids[3]});
  CHECK(ids_of(f.library->similar(ids[0], {.limit = 1})) == std::vector<MediaId>{ids[2]});
  CHECK(ids_of(f.library->similar(ids[0], {.owner = "somebody"})).empty());
  CHECK(ids_of(f.library->similar(SimilarQuery{.perceptual_hash = hash, .max_distance = 3})) == std::vector<MediaId>{ids[0], ids[2]});
  CHECK(f.library->similar(ids[0], {.max_distance = 33}).error().code == Errc::invalid_argument);
  CHECK(f.library->similar(999, {}).error().code == Errc::not_found);

  REQUIRE(f.library->update(ids[2], {.expires_at = f.clock->now() + std::chrono::hours(1)}));
  f.clock->advance(std::chrono::hours(2));
  CHECK(ids_of(f.library->similar(ids[0], {})) == std::vector<MediaId>{ids[1]});
  CHECK(f.library->similar(ids[2], {}).error().code == Errc::not_found);
  REQUIRE(f.library->remove(ids[1]).value());
  CHECK(ids_of(f.library->similar(ids[0], {})).empty());
}

TEST_CASE("library: to a media without a hash nothing is similar, not even another one") {
  LibraryFixture f;
  const auto first = f.ingest(test::noise(100), {.filename = "x", .any_content = true});
  const auto second = f.ingest(test::noise(200), {.filename = "y", .any_content = true});
  CHECK_FALSE(first.media.appearance.known());
  CHECK(ids_of(f.library->similar(first.media.id, {.max_distance = 32})).empty());
  CHECK(f.library->similar(second.media.id, {.max_distance = 33}).error().code == Errc::invalid_argument);
}

TEST_CASE("library: media from before are described when nothing else is due") {
  LibraryFixture f;
  const auto old = f.ingest(png(1), {.filename = "old.png"}).media;
  const auto looks = f.library->process(old.id).value().appearance;
  forget_looks(f, old.id);
  const auto fresh = f.ingest(png(2), {.filename = "new.png"}).media;
  f.clock->advance(std::chrono::minutes(1));

  CHECK(f.library->run_jobs({.limit = 1}).value() == 1);
  CHECK(f.library->find(fresh.id).value()->status == MediaStatus::complete);
  CHECK_FALSE(f.library->find(old.id).value()->appearance.known());
  const int before = f.processor->calls;
  CHECK(f.library->run_jobs({}).value() == 1);
  const auto described = *f.library->find(old.id).value();
  CHECK(described.appearance == looks);
  CHECK(described.status == MediaStatus::complete);
  CHECK(described.updated_at == f.clock->now());
  CHECK(f.processor->calls == before + 1);
  CHECK(f.library->run_jobs({}).value() == 0);
}

TEST_CASE("library: describing old media leaves the renditions of new ones to others") {
  LibraryFixture f;
  const auto old = f.ingest(png(1), {.filename = "old.png"}).media;
  REQUIRE(f.library->process(old.id));
  forget_looks(f, old.id);
  const auto fresh = f.ingest(png(2), {.filename = "new.png"}).media;
  CHECK(f.library->describe_old_media({}).value() == 1);
  CHECK(f.library->find(old.id).value()->appearance.known());
  CHECK(f.library->find(fresh.id).value()->status == MediaStatus::processing);
}

TEST_CASE("library: an old media that cannot be decoded keeps what it has, and is not tried for ever") {
  LibraryFixture f;
  const auto old = f.ingest(png(1), {.filename = "old.png"}).media;
  REQUIRE(f.library->process(old.id));
  forget_looks(f, old.id);
  const int before = f.processor->calls;
  SECTION("corrupt") {
    f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "the scan ends early"}; };
    CHECK(f.library->describe_old_media({}).value() == 1);
    CHECK(f.processor->calls == before + 1);
  }
  SECTION("no worker for long") {
    f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::unavailable, "no worker to be had"}; };
    for (int i = 0; i < 310; ++i) {
      REQUIRE(f.library->describe_old_media({}).has_value());
      f.clock->advance(std::chrono::minutes(5));
    }
    CHECK(f.processor->calls == before + 300);  // a day
  }
  SECTION("removed meanwhile") {
    REQUIRE(f.library->remove(old.id).value());
    CHECK(f.library->describe_old_media({}).value() == 0);
    return;
  }
  CHECK(f.library->describe_old_media({}).value() == 0);
  CHECK(f.library->find(old.id).value()->status == MediaStatus::complete);
  CHECK_FALSE(f.library->find(old.id).value()->appearance.known());
}

TEST_CASE("library: a description that is stopped waits for the next one") {
  LibraryFixture f;
  const auto old = f.ingest(png(1), {.filename = "old.png"}).media;
  REQUIRE(f.library->process(old.id));
  forget_looks(f, old.id);
  std::stop_source stop;
  f.processor->before = [&](const DeriveOptions&) -> Result<void> {
    stop.request_stop();
    return Error{Errc::cancelled, "stopped"};
  };
  CHECK(f.library->describe_old_media({.stop = stop.get_token()}).has_value());
  CHECK_FALSE(f.library->find(old.id).value()->appearance.known());
  f.processor->before = nullptr;
  CHECK(f.library->describe_old_media({}).value() == 1);
  CHECK(f.library->find(old.id).value()->appearance.known());
}
