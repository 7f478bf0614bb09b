// Quotas: on every way in, at once, and true whatever happens to the media.
#include <array>
#include <random>

#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;

namespace {

Quota of_bytes(std::uint64_t bytes) { return {bytes, std::nullopt}; }
Quota of_media(std::uint64_t media) { return {std::nullopt, media}; }

OwnerUsage usage_of(LibraryFixture& fixture, const std::string& owner = "local") {
  return fixture.library->gate().quota(owner).value().usage;
}

UploadPromise promise_of(std::uint64_t size_bytes, const std::string& owner = "local") {
  UploadPromise promise;
  promise.owner = owner;
  promise.filename = "a.png";
  promise.media_type = "image/png";
  promise.size_bytes = size_bytes;
  return promise;
}

ResumableRequest resumable_of(std::uint64_t size_bytes, const std::string& owner = "local") {
  ResumableRequest request;
  request.owner = owner;
  request.filename = "a.png";
  request.declared_type = "image/png";
  request.size_bytes = size_bytes;
  return request;
}

}  // namespace

TEST_CASE("gate: an owner's quota takes the place of everybody's, and goes again") {
  LibraryFixture fixture;
  fixture.gate.default_quota = of_media(2);
  fixture.open();
  Gate& gate = fixture.library->gate();
  CHECK(gate.quota("local").value().quota == of_media(2));
  CHECK_FALSE(gate.quota("local").value().is_own);
  fixture.ingest(test::png(1));
  fixture.ingest(test::png(2));
  const auto refused = fixture.ingest(test::png(3));
  CHECK(refused.status == IngestStatus::refused);
  CHECK(refused.verdict.refusal == Refusal::over_quota);
  CHECK(refused.verdict.message.find("quota: its owner has 2 media") != std::string::npos);
  IngestRequest others;
  others.owner = "bert";
  CHECK(fixture.ingest(test::png(1), others).status == IngestStatus::stored);

  REQUIRE(gate.set_quota("local", of_media(3)));
  CHECK(gate.quota("local").value().is_own);
  CHECK(fixture.ingest(test::png(3)).status == IngestStatus::stored);
  REQUIRE(gate.list_quotas().value().size() == 1);
  CHECK(gate.clear_quota("local").value());
  CHECK_FALSE(gate.clear_quota("local").value());
  CHECK(fixture.ingest(test::png(4)).status == IngestStatus::refused);
  CHECK(gate.set_quota("", {}).error().code == Errc::invalid_argument);
}

TEST_CASE("gate: bytes count for every media, shared or not, and what is refused leaves nothing behind") {
  LibraryFixture fixture;
  const auto content = test::png(1);
  REQUIRE(fixture.library->gate().set_quota("local", of_bytes(content.size() * 2)));
  IngestRequest request;
  request.filename = "a.png";
  CHECK(fixture.ingest(content, request).status == IngestStatus::stored);
  // The same upload again is no media, and so no more bytes.
  CHECK(fixture.ingest(content, request).status == IngestStatus::duplicate);
  request.filename = "b.png";
  CHECK(fixture.ingest(content, request).status == IngestStatus::stored);
  CHECK(usage_of(fixture) == OwnerUsage{2, content.size() * 2});
  request.filename = "c.png";
  CHECK(fixture.ingest(content, request).verdict.refusal == Refusal::over_quota);
  CHECK(usage_of(fixture) == OwnerUsage{2, content.size() * 2});
  // An answer that was lost is given again at the limit, too.
  request.filename = "b.png";
  CHECK(fixture.ingest(content, request).status == IngestStatus::duplicate);
}

TEST_CASE("gate: a quota is looked at before the bytes where the size is known, on every way in") {
  LibraryFixture fixture;
  REQUIRE(fixture.library->gate().set_quota("local", of_bytes(300'000)));
  IngestRequest large;
  large.expected_size = 400'000;
  const auto direct = fixture.library->begin(large);
  REQUIRE_FALSE(direct);
  CHECK(direct.error().code == Errc::too_large);
  CHECK(direct.error().message.starts_with("quota: "));

  const std::vector<std::byte> zeros(400'000);
  IngestRequest any;
  any.any_content = true;
  auto prepared = fixture.library->prepare(MemoryReader(zeros), any);
  REQUIRE(prepared);
  CHECK(fixture.library->finish(std::move(*prepared))->verdict.refusal == Refusal::over_quota);

  // A body of chunks ends where the quota does.
  auto chunked = fixture.library->begin({});
  REQUIRE(chunked);
  CHECK((*chunked)->write(std::span(zeros).first(300'000)));
  const auto beyond = (*chunked)->write(std::span(zeros).first(1));
  REQUIRE_FALSE(beyond);
  CHECK(beyond.error().code == Errc::too_large);

  CHECK(fixture.library->promise(promise_of(300'001)).error().code == Errc::too_large);
  CHECK(fixture.library->begin_resumable(resumable_of(300'001)).error().code == Errc::too_large);
  CHECK(fixture.library->begin_resumable(resumable_of(300'000)));
  // Promises count as long as they stand.
  const auto promise = fixture.library->promise(promise_of(200'000));
  REQUIRE(promise);
  CHECK(usage_of(fixture) == OwnerUsage{1, 200'000});
  CHECK(fixture.library->promise(promise_of(100'001)).error().code == Errc::too_large);
  fixture.clock->advance(std::chrono::hours(1));
  CHECK(fixture.library->sweep_uploads().value() == 1);
  CHECK(usage_of(fixture) == OwnerUsage{});
}

TEST_CASE("gate: a promise that was counted is kept, and a resumable upload is counted when it ends") {
  LibraryFixture fixture;
  const auto content = test::png(1);
  REQUIRE(fixture.library->gate().set_quota("local", of_media(1)));
  const auto promise = fixture.library->promise(promise_of(content.size()));
  REQUIRE(promise);
  auto turn = fixture.library->begin_resumable(resumable_of(content.size(), "bert"));
  REQUIRE(turn);
  REQUIRE((*turn)->write(content));
  REQUIRE((*turn)->settle());
  IngestRequest request;
  request.upload_token = promise->token;
  CHECK(fixture.ingest(content, request).status == IngestStatus::stored);
  CHECK(usage_of(fixture) == OwnerUsage{1, content.size()});
  CHECK(fixture.library->promise(promise_of(content.size())).error().code == Errc::too_large);
  REQUIRE(fixture.library->gate().set_quota("bert", of_media(0)));
  CHECK(fixture.library->finish(std::move(*turn))->verdict.refusal == Refusal::over_quota);
}

TEST_CASE("gate: unfinished resumable uploads are counted when another one is begun") {
  for (const bool on_disk : {true, false}) {
    LibraryFixture fixture(on_disk);
    REQUIRE(fixture.library->gate().set_quota("local", of_bytes(100'000)));
    IngestRequest any;
    any.any_content = true;
    fixture.ingest(test::noise(30'000), any);
    auto first = fixture.library->begin_resumable(resumable_of(40'000));
    REQUIRE(first);
    const std::string first_id = (*first)->upload().id;
    const auto beyond = fixture.library->begin_resumable(resumable_of(30'001));
    REQUIRE_FALSE(beyond);
    CHECK(beyond.error().code == Errc::too_large);
    CHECK(beyond.error().message.starts_with("quota: its owner has "));
    CHECK(beyond.error().message.find("unfinished uploads of 70001 bytes") != std::string::npos);
    // What was refused leaves nothing that would count.
    REQUIRE(fixture.library->begin_resumable(resumable_of(30'000)));
    CHECK(fixture.library->begin_resumable(resumable_of(1)).error().code == Errc::too_large);
    // Others' do not count, and neither do those that are gone or have expired.
    CHECK(fixture.library->begin_resumable(resumable_of(90'000, "bert")));
    first->reset();
    CHECK(fixture.library->remove_resumable(first_id, std::chrono::milliseconds(100)).value());
    CHECK(fixture.library->begin_resumable(resumable_of(40'000)));
    CHECK(fixture.library->begin_resumable(resumable_of(1)).error().code == Errc::too_large);
    fixture.clock->advance(std::chrono::hours(24 * 30));
    CHECK(fixture.library->begin_resumable(resumable_of(70'000)));
  }
}

TEST_CASE("gate: of many uploads that begin at once no more are let in than the quota has room for") {
  LibraryFixture fixture;
  REQUIRE(fixture.library->gate().set_quota("local", of_bytes(50'000)));
  std::atomic<int> begun{0};
  {
    std::vector<std::jthread> senders;
    for (int i = 0; i < 8; ++i) {
      senders.emplace_back([&] {
        if (fixture.library->begin_resumable(resumable_of(10'000))) ++begun;
      });
    }
  }
  CHECK(begun <= 5);
  while (fixture.library->begin_resumable(resumable_of(10'000))) ++begun;
  CHECK(begun == 5);
}

TEST_CASE("gate: of many senders at once exactly as many come in as the quota has room for") {
  LibraryFixture fixture;
  REQUIRE(fixture.library->gate().set_quota("local", of_media(5)));
  std::atomic<int> stored{0};
  std::atomic<int> refused{0};
  {
    std::vector<std::jthread> senders;
    for (int i = 0; i < 16; ++i) {
      senders.emplace_back([&, i] {
        for (int k = 0; k < 3; ++k) {
          const auto content = test::png(static_cast<std::uint64_t>(100 * i + k));
          const auto outcome = fixture.library->ingest(MemoryReader(content), {});
          if (!outcome) continue;
          ++(outcome->status == IngestStatus::stored ? stored : refused);
        }
      });
    }
  }
  CHECK(stored == 5);
  CHECK(refused == 43);
  CHECK(usage_of(fixture).media == 5);
}

TEST_CASE("gate: what is counted never drifts from what there is") {
  LibraryFixture fixture;
  std::mt19937 chance(7);
  const auto draw = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(chance); };
  const std::array<std::string, 3> owners = {"anna", "bert", "carl"};
  REQUIRE(fixture.library->gate().set_quota("anna", of_media(12)));
  REQUIRE(fixture.library->gate().set_quota("bert", of_bytes(2000)));
  const auto ids_of = [&](const std::string& owner) {
    MediaQuery query;
    query.owner = owner;
    query.limit = 1000;
    query.alive_at = Timestamp{};  // expired ones count until they are swept
    return fixture.library->list(query).value().media;
  };
  for (int step = 0; step < 250; ++step) {
    const std::string& owner = owners[draw(owners.size())];
    const auto content = test::png(draw(12));
    const auto there = ids_of(owner);
    switch (draw(9)) {
      case 0:
      case 1:
      case 2: {
        IngestRequest request;
        request.owner = owner;
        request.filename = std::to_string(draw(4)) + ".png";
        if (draw(3) == 0) request.idempotency_key = std::to_string(draw(6));
        static_cast<void>(fixture.library->ingest(MemoryReader(content), request));
        break;
      }
      case 3: {
        auto promise = fixture.library->promise(promise_of(content.size(), owner));
        if (!promise || draw(2) == 0) break;
        IngestRequest request;
        request.upload_token = promise->token;
        static_cast<void>(fixture.library->ingest(MemoryReader(content), request));
        break;
      }
      case 4: {
        auto turn = fixture.library->begin_resumable(resumable_of(content.size(), owner));
        if (!turn) break;
        REQUIRE((*turn)->write(content));
        REQUIRE((*turn)->settle());
        static_cast<void>(fixture.library->finish(std::move(*turn)));
        break;
      }
      case 5:
        if (!there.empty()) static_cast<void>(fixture.library->remove(there[draw(there.size())].id));
        break;
      case 6: {
        EraseRequest request;
        request.owner = owner;
        if (!there.empty() && draw(3) != 0) request.media = {there[draw(there.size())].id};
        static_cast<void>(fixture.library->erase(request));
        break;
      }
      case 7: {
        if (there.empty()) break;
        MediaChanges changes;
        changes.expires_at = std::optional(fixture.clock->now() + std::chrono::seconds(30));
        static_cast<void>(fixture.library->update(there[draw(there.size())].id, changes));
        break;
      }
      default:
        fixture.clock->advance(std::chrono::minutes(10));
        static_cast<void>(fixture.library->sweep_expired());
        static_cast<void>(fixture.library->sweep_uploads());
        static_cast<void>(fixture.library->collect(std::chrono::seconds(0)));
    }
    for (const std::string& each : owners) {
      OwnerUsage counted;
      for (const Media& media : ids_of(each)) {
        ++counted.media;
        counted.size_bytes += media.size_bytes;
      }
      INFO(step << " " << each);
      REQUIRE(usage_of(fixture, each) == counted);
    }
    REQUIRE(usage_of(fixture, "anna").media <= 12);
    REQUIRE(usage_of(fixture, "bert").size_bytes <= 2000);
  }
}
