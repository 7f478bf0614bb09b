// Tags, media that expire, and several removed at once.
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

TEST_CASE("library: tags keep their order, lose their doubles, and are what a list is filtered by") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto id = fixture.ingest(test::png(1), {.filename = "a.png"}).media.id;
    const auto other = fixture.ingest(test::png(2), {.filename = "b.png"}).media.id;
    const auto tagged = fixture.library->update(id, {.tags = {{"summer", "a \"quoted\" one", "summer", "Meer"}}}).value();
    CHECK(tagged.tags == std::vector<std::string>{"summer", "a \"quoted\" one", "Meer"});
    CHECK(fixture.library->find(id).value() == tagged);
    REQUIRE(fixture.library->update(other, {.tags = {{"summers"}}}));
    const auto found = fixture.library->list({.tag = "summer"}).value().media;
    REQUIRE(found.size() == 1);
    CHECK(found.front().id == id);
    // Another change leaves them; an empty list takes them away.
    CHECK(fixture.library->update(id, {.filename = "c.png"}).value().tags == tagged.tags);
    CHECK(fixture.library->update(id, {.tags = std::vector<std::string>()}).value().tags.empty());

    const std::vector<std::string> many(kMaxTags + 1, "x");
    CHECK(fixture.library->update(id, {.tags = std::vector(many.begin() + 1, many.end())}).value().tags.size() == 1);
    for (const auto& bad : {many, {""}, {std::string(kMaxTagBytes + 1, 'x')}, {"a\nb"}, {std::string(1, '\0')}}) {
      CHECK(fixture.library->update(id, {.tags = bad}).error().code == Errc::invalid_argument);
    }
    // They, and the time, are the media's while it waits for its bytes, too.
    UploadPromise promise;
    promise.filename = "../folder/d.png";
    promise.media_type = "image/png";
    promise.size_bytes = test::png(3).size();
    const auto session = fixture.library->promise(promise).value();
    CHECK(session.filename == "d.png");
    REQUIRE(
        fixture.library->update(session.media_id, {.filename = "x/e.png", .tags = {{"early"}}, .expires_at = fixture.clock->now() + 1h}));
    const auto kept = fixture.ingest(test::png(3), {.upload_token = session.token}).media;
    CHECK(kept.filename == "e.png");
    CHECK(kept.tags == std::vector<std::string>{"early"});
    CHECK(kept.expires_at == fixture.clock->now() + 1h);
    CHECK(fixture.library->update(id, {.filename = "folder/"}).error().code == Errc::invalid_argument);
    promise.filename = "folder/";
    CHECK(fixture.library->promise(promise).error().code == Errc::invalid_argument);
  }
}

TEST_CASE("library: a media that has expired is gone before it is swept, and swept as if it were removed") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    Library& library = *fixture.library;
    const auto content = test::png(1);
    const auto outcome = fixture.ingest(content, {.filename = "a.png", .idempotency_key = "key"});
    const MediaId id = outcome.media.id;
    const auto stays = fixture.ingest(test::png(2), {.filename = "b.png"}).media.id;
    REQUIRE(library.link({"recipe/1", id, 0}));
    REQUIRE(library.link({"recipe/1", stays, 1}));

    CHECK(library.update(id, {.expires_at = fixture.clock->now()}).error().code == Errc::invalid_argument);
    REQUIRE(library.update(id, {.expires_at = fixture.clock->now() + 60s}));
    CHECK_FALSE(library.update(id, {.expires_at = std::optional<Timestamp>()}).value().expires_at);
    REQUIRE(library.update(id, {.expires_at = fixture.clock->now() + 60s}));
    fixture.clock->advance(60s - 1ms);
    CHECK(library.find(id).value().has_value());
    CHECK(library.sweep_expired().value() == 0);
    fixture.clock->advance(1ms);

    CHECK_FALSE(library.find(id).value().has_value());
    CHECK(library.read(id).error().code == Errc::not_found);
    CHECK(library.renditions(id).error().code == Errc::not_found);
    CHECK(library.derive(id, library.presets().front().transform).error().code == Errc::not_found);
    CHECK(library.process(id).error().code == Errc::not_found);
    CHECK(library.update(id, {.expires_at = std::optional<Timestamp>()}).error().code == Errc::not_found);
    CHECK(library.link({"recipe/2", id, 0}).error().code == Errc::not_found);
    CHECK(library.links("recipe/1").value() == std::vector<Link>{{"recipe/1", stays, 1}});
    CHECK_FALSE(library.remove(id).value());
    const auto listed = library.list({}).value().media;
    REQUIRE(listed.size() == 1);
    CHECK(listed.front().id == stays);

    SECTION("its key, and its content under its name, make another media") {
      const auto again = fixture.ingest(content, {.filename = "a.png", .idempotency_key = "key"});
      CHECK(again.status == IngestStatus::stored);
      CHECK(again.media.id > stays);
      CHECK_FALSE(again.deduplicated);
      CHECK(fixture.ingest(content, {.reuse_existing = true}).media.id == again.media.id);
      CHECK(library.sweep_expired().value() == 0);
    }
    SECTION("it is swept, and its bytes go by collection") {
      CHECK(library.sweep_expired().value() == 1);
      CHECK(library.sweep_expired().value() == 0);
      CHECK(library.collect(0s).value().removed == 1);
      CHECK(library.find(stays).value().has_value());
    }
  }
}

TEST_CASE("library: several media are removed in one go, each once, and only the owner's") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    std::vector<MediaId> ids;
    for (std::uint64_t i = 0; i < 6; ++i) ids.push_back(fixture.ingest(test::png(i), {.owner = i % 2 == 0 ? "ann" : "bob"}).media.id);
    const std::vector<MediaId> wanted = {ids[4], ids[1], 999, ids[0], ids[4]};
    CHECK(fixture.library->remove(wanted, "ann").value() == std::vector<MediaId>{ids[4], ids[0]});
    CHECK(fixture.library->remove(wanted, std::nullopt).value() == std::vector<MediaId>{ids[1]});
    CHECK(fixture.library->remove(std::vector<MediaId>(), std::nullopt).value().empty());
    CHECK(fixture.library->list({}).value().media.size() == 3);
  }
}
