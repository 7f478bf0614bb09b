// Promised uploads, and what changes a media afterwards: the library's half of signed URLs, links and PATCH.
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

UploadPromise promise_of(const std::vector<std::byte>& content) {
  UploadPromise promise;
  promise.owner = "ann";
  promise.filename = "photo.png";
  promise.media_type = "image/png";
  promise.size_bytes = content.size();
  return promise;
}

Result<IngestOutcome> send(test::LibraryFixture& fixture, const std::string& token, const std::vector<std::byte>& content) {
  IngestRequest request;
  request.upload_token = token;
  MEDIA_TRY_ASSIGN(auto ingest, fixture.library->begin(request));
  MEDIA_TRY(ingest->write(content));
  return fixture.library->finish(std::move(ingest));
}

std::size_t count_media(const test::LibraryFixture& fixture) { return fixture.library->list({}).value().media.size(); }

}  // namespace

TEST_CASE("library: a promised upload fills the media that was made for it") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto content = test::png(1);
    UploadPromise promise = promise_of(content);
    promise.visibility = Visibility::is_public;
    promise.token_prefix = "upload_k_";
    const auto session = fixture.library->promise(promise).value();
    CHECK(session.token.starts_with("upload_k_"));
    CHECK(session.token.size() == 9 + 32);
    CHECK(session.state == UploadState::open);
    const auto waiting = fixture.library->find(session.media_id).value().value();
    CHECK(waiting.status == MediaStatus::pending);
    CHECK_FALSE(waiting.digest.has_value());
    CHECK(fixture.library->read(session.media_id).error().code == Errc::not_found);

    const auto outcome = send(fixture, session.token, content).value();
    CHECK(outcome.status == IngestStatus::stored);
    CHECK(outcome.media.id == session.media_id);
    const auto filled = fixture.library->find(session.media_id).value().value();
    CHECK(filled.owner == "ann");
    CHECK(filled.filename == "photo.png");
    CHECK(filled.visibility == Visibility::is_public);
    CHECK(filled.digest == Digest::of(content));
    CHECK(filled.status == MediaStatus::processing);
    CHECK(fixture.library->find_job(session.media_id).value().has_value());
    CHECK(fixture.content_of(session.media_id) == content);
    CHECK(count_media(fixture) == 1);

    // A lost answer is asked for again: the same answer, and no second job or media.
    const auto again = send(fixture, session.token, content).value();
    CHECK(again.status == IngestStatus::duplicate);
    CHECK(again.media.id == session.media_id);
    CHECK(count_media(fixture) == 1);
    // Other bytes of the same size are not that upload.
    auto other = test::png(2);
    REQUIRE(other.size() == content.size());
    CHECK(send(fixture, session.token, other).error().code == Errc::conflict);
    if (on_disk) CHECK_FALSE(fixture.on_disk(Digest::of(other)));
    CHECK(fixture.content_of(session.media_id) == content);
  }
}

TEST_CASE("library: a promise is kept by a whole content too, known to the store or not") {
  test::LibraryFixture fixture;
  auto content = test::png(1);
  // Above the size from which known contents are found by hashing alone.
  auto large = test::png(700, 700, [](std::uint32_t x, std::uint32_t y) {
    return test::Rgba{static_cast<std::uint8_t>(x * 31 + y * 17), static_cast<std::uint8_t>(x * y), static_cast<std::uint8_t>(x ^ y), 255};
  });
  REQUIRE(large.size() > 256U << 10U);
  fixture.ingest(large, {.owner = "bob", .filename = "bob.png"});
  for (const auto& each : {content, large}) {
    const auto session = fixture.library->promise(promise_of(each)).value();
    const auto before = count_media(fixture);
    const auto outcome =
        fixture.library->ingest(MemoryReader(std::span<const std::byte>(each)), {.any_content = true, .upload_token = session.token})
            .value();
    CHECK(outcome.status == IngestStatus::stored);
    CHECK(outcome.media.id == session.media_id);
    CHECK(outcome.media.owner == "ann");
    CHECK(outcome.media.info.format == Format::png);
    CHECK(count_media(fixture) == before);
    CHECK(fixture.library->ingest(MemoryReader(std::span<const std::byte>(each)), {.upload_token = session.token}).value().status ==
          IngestStatus::duplicate);
  }
}

TEST_CASE("library: bytes that break the promise are not kept, and the upload may be tried again") {
  test::LibraryFixture fixture;
  const auto content = test::png(1);
  UploadPromise promise = promise_of(content);
  promise.digest = Digest::of(content);
  const auto session = fixture.library->promise(promise).value();

  auto longer = content;
  longer.push_back(std::byte{0});
  CHECK(send(fixture, session.token, longer).error().code == Errc::invalid_argument);
  CHECK(send(fixture, session.token, std::vector(content.begin(), content.end() - 1)).error().code == Errc::invalid_argument);
  const auto other = test::png(2);
  REQUIRE(other.size() == content.size());
  CHECK_THAT(send(fixture, session.token, other).error().message, ContainsSubstring("sha256"));
  CHECK(fixture.library->find(session.media_id).value()->status == MediaStatus::pending);
  CHECK_FALSE(fixture.on_disk(Digest::of(other)));
  CHECK(send(fixture, session.token, content).value().status == IngestStatus::stored);

  // Another type than the promised one is refused by the verdict.
  const auto text = test::bytes(std::string(100, 'x'));
  const auto second = fixture.library->promise(promise_of(text)).value();
  CHECK(send(fixture, second.token, text).value().status == IngestStatus::refused);
  CHECK(fixture.library->find(second.media_id).value()->status == MediaStatus::pending);
}

TEST_CASE("library: a promise expires, and is swept with the media that waited for it") {
  test::LibraryFixture fixture;
  const auto content = test::png(1);
  const auto kept = fixture.library->promise(promise_of(content)).value();
  CHECK(send(fixture, kept.token, content).value().status == IngestStatus::stored);
  const auto lost = fixture.library->promise(promise_of(content)).value();
  // One that has begun when the time runs out: the bytes come too late all the same once it is swept.
  IngestRequest request;
  request.upload_token = lost.token;
  auto begun = fixture.library->begin(request).value();
  REQUIRE(begun->write(content));

  fixture.clock->advance(15min - 2s);
  CHECK(fixture.library->sweep_uploads().value() == 0);
  fixture.clock->advance(3s);
  CHECK(fixture.library->begin(request).error().code == Errc::expired);
  CHECK(fixture.library->sweep_uploads().value() == 2);
  CHECK_FALSE(fixture.library->find(lost.media_id).value().has_value());
  CHECK(fixture.library->find(kept.media_id).value().has_value());
  CHECK_FALSE(fixture.library->find_upload(kept.token).value().has_value());
  CHECK(fixture.library->finish(std::move(begun)).error().code == Errc::expired);
  CHECK(count_media(fixture) == 1);
  CHECK(fixture.library->begin({.upload_token = "upload_of_nobody"}).error().code == Errc::expired);
}

TEST_CASE("library: an idempotency key makes one promise, and no other one") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto content = test::png(1);
    UploadPromise promise = promise_of(content);
    promise.idempotency_key = "key";
    const auto first = fixture.library->promise(promise).value();
    fixture.clock->advance(1s);
    CHECK(fixture.library->promise(promise).value() == first);
    promise.owner = "bob";
    CHECK(fixture.library->promise(promise).value().media_id != first.media_id);
    promise.owner = "ann";
    promise.size_bytes += 1;
    CHECK(fixture.library->promise(promise).error().code == Errc::conflict);
    CHECK(count_media(fixture) == 2);
  }
}

TEST_CASE("library: a promise that ran out is renewed under its key, before and after it was kept and swept") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto content = test::png(1);
    UploadPromise promise = promise_of(content);
    promise.idempotency_key = "key";
    const auto first = fixture.library->promise(promise).value();
    // Asked for anew although it lives: the token before it is of no use any more.
    promise.renew = true;
    const auto renewed = fixture.library->promise(promise).value();
    promise.renew = false;
    CHECK(renewed.media_id == first.media_id);
    CHECK(renewed.token != first.token);
    CHECK(send(fixture, first.token, content).error().code == Errc::expired);
    CHECK(fixture.library->promise(promise).value() == renewed);

    // Expired and not swept: the same media, and time to send its bytes.
    fixture.clock->advance(15min + 1s);
    const auto fresh = fixture.library->promise(promise).value();
    CHECK(fresh.media_id == first.media_id);
    CHECK(fresh.token != renewed.token);
    CHECK(fresh.expires_at > fixture.clock->now());
    CHECK(fixture.library->sweep_uploads().value() == 0);
    CHECK(send(fixture, fresh.token, content).value().media.id == first.media_id);
    CHECK(fixture.library->promise(promise).value().token == fresh.token);

    // Kept, then expired, then swept: whoever asks again may send the same bytes, and no other ones.
    auto other = test::png(2);
    REQUIRE(other.size() == content.size());
    for (const bool swept : {false, true}) {
      fixture.clock->advance(15min + 1s);
      if (swept) CHECK(fixture.library->sweep_uploads().value() == 1);
      const auto again = fixture.library->promise(promise).value();
      CHECK(again.media_id == first.media_id);
      CHECK(again.state == UploadState::complete);
      CHECK(send(fixture, again.token, content).value().status == IngestStatus::duplicate);
      CHECK(send(fixture, again.token, other).error().code == Errc::conflict);
    }
    fixture.clock->advance(15min + 1s);
    CHECK(fixture.library->sweep_uploads().value() == 1);
    promise.filename = "other.png";
    CHECK(fixture.library->promise(promise).error().code == Errc::conflict);
    CHECK(count_media(fixture) == 1);

    // Never kept, and swept with its media: another one.
    promise.idempotency_key = "second";
    const auto lost = fixture.library->promise(promise).value();
    fixture.clock->advance(15min + 1s);
    CHECK(fixture.library->sweep_uploads().value() == 1);
    CHECK(fixture.library->promise(promise).value().media_id > lost.media_id);
  }
}

TEST_CASE("library: of two senders of one upload one wins, and both hear the truth") {
  test::LibraryFixture fixture;
  for (int round = 0; round < 20; ++round) {
    const auto one = test::png(static_cast<std::uint64_t>(100 + 2 * round));
    const auto two = round % 2 == 0 ? one : test::png(static_cast<std::uint64_t>(101 + 2 * round));
    REQUIRE(one.size() == two.size());
    const auto session = fixture.library->promise(promise_of(one)).value();
    std::optional<Result<IngestOutcome>> first;
    std::optional<Result<IngestOutcome>> second;
    std::thread other([&] { second = send(fixture, session.token, two); });
    first = send(fixture, session.token, one);
    other.join();
    const auto digest = fixture.library->find(session.media_id).value()->digest;
    CHECK((digest == Digest::of(one) || digest == Digest::of(two)));
    if (round % 2 == 0) {
      CHECK((first->has_value() && second->has_value()));
    } else {
      CHECK(first->has_value() != second->has_value());
      CHECK((first->has_value() ? *second : *first).error().code == Errc::conflict);
      CHECK(digest == Digest::of(first->has_value() ? one : two));
    }
  }
}

TEST_CASE("library: a promise that nothing can keep is refused") {
  test::LibraryFixture fixture(false);
  const auto content = test::png(1);
  const auto refused = [&](auto change) {
    UploadPromise promise = promise_of(content);
    change(promise);
    return fixture.library->promise(promise).error().code;
  };
  CHECK(refused([](auto& promise) { promise.size_bytes = 0; }) == Errc::invalid_argument);
  CHECK(refused([](auto& promise) { promise.size_bytes = UINT64_MAX; }) == Errc::too_large);
  CHECK(refused([](auto& promise) { promise.filename.clear(); }) == Errc::invalid_argument);
  CHECK(refused([](auto& promise) { promise.filename = std::string(256, 'x'); }) == Errc::invalid_argument);
  CHECK(refused([](auto& promise) { promise.owner.clear(); }) == Errc::invalid_argument);
  CHECK(refused([](auto& promise) { promise.lifetime = 0s; }) == Errc::invalid_argument);
  CHECK(count_media(fixture) == 0);
}

TEST_CASE("library: a media is renamed, opened to others and linked") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto id = fixture.ingest(test::png(1), {.filename = "a.png"}).media.id;
    const auto before = fixture.library->find(id).value().value();
    fixture.clock->advance(1s);
    const auto after = fixture.library->update(id, {.filename = "b.png", .visibility = Visibility::is_public}).value();
    CHECK(after.filename == "b.png");
    CHECK(after.visibility == Visibility::is_public);
    CHECK(after.updated_at == before.updated_at + 1s);
    CHECK(fixture.library->find(id).value() == after);
    CHECK(fixture.library->update(id, {.filename = "c.png", .expected_updated_at = before.updated_at}).error().code == Errc::conflict);
    CHECK(fixture.library->update(id, {.filename = "c.png", .expected_updated_at = after.updated_at}).value().filename == "c.png");
    // The clock stands still, and still of two who saw the same one comes too late.
    CHECK(fixture.library->update(id, {.filename = "d.png", .expected_updated_at = after.updated_at}).error().code == Errc::conflict);
    CHECK(fixture.library->update(id, {.filename = ""}).error().code == Errc::invalid_argument);
    CHECK(fixture.library->update(999, {}).error().code == Errc::not_found);

    const auto second = fixture.ingest(test::png(2), {.filename = "d.png"}).media.id;
    REQUIRE(fixture.library->link({"recipe/1", id, 5}));
    REQUIRE(fixture.library->link({"recipe/1", second, 2}));
    CHECK(fixture.library->links("recipe/1").value() == std::vector<Link>{{"recipe/1", second, 2}, {"recipe/1", id, 5}});
    CHECK(fixture.library->link({"recipe/1", 999, 0}).error().code == Errc::not_found);
    CHECK(fixture.library->link({"", id, 0}).error().code == Errc::invalid_argument);
    CHECK(fixture.library->unlink("recipe/1", id).value());
    CHECK_FALSE(fixture.library->unlink("recipe/1", id).value());
    CHECK(fixture.library->links("recipe/2").value().empty());
  }
}
