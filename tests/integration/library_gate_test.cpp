// Bans, and what the scanner says; what clamd itself says is in clamd_test.cpp.
#include <deque>

#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;

namespace {

/// Says what it was told to: the last word again and again.
class ScriptedScanner final : public Scanner {
 public:
  Result<Scan> scan(const ByteReader& content) override {
    const std::lock_guard lock(mutex_);
    ++scans;
    seen_bytes += read_all(content, 1U << 30U).value().size();
    return says;
  }
  Result<void> check() override {
    if (!says) return says.error();
    return {};
  }

  Result<Scan> says = Scan{};
  int scans = 0;
  std::size_t seen_bytes = 0;

 private:
  std::mutex mutex_;
};

const Error kDown{Errc::unavailable, "clamd: connect: Connection refused"};

struct ScannedLibrary : LibraryFixture {
  explicit ScannedLibrary(UnscannedRule rule) {
    gate.scanner = scanner;
    gate.unscanned = rule;
    open();
  }
  Media find(MediaId id) { return library->find(id).value().value(); }
  std::size_t work() { return library->run_jobs({}).value(); }

  std::shared_ptr<ScriptedScanner> scanner = std::make_shared<ScriptedScanner>();
};

std::size_t stored_blobs(const LibraryFixture& fixture) { return fixture.library->storage_usage().value().blobs; }

}  // namespace

TEST_CASE("gate: a clean file comes in, an infected one leaves nothing behind, whatever way it comes") {
  ScannedLibrary fixture(UnscannedRule::refuse);
  const auto clean = fixture.ingest(test::png(1));
  CHECK(clean.status == IngestStatus::stored);
  CHECK(clean.media.held == Hold::none);
  CHECK(fixture.scanner->seen_bytes == test::png(1).size());

  fixture.scanner->says = Scan{Scan::Finding::infected, "Test.Bad"};
  const auto before = stored_blobs(fixture);
  const auto infected = fixture.ingest(test::png(2));
  CHECK(infected.status == IngestStatus::refused);
  CHECK(infected.verdict.refusal == Refusal::infected);
  CHECK(infected.verdict.message.find("Test.Bad") != std::string::npos);
  // Known bytes are looked at again: signatures grow.
  CHECK(fixture.ingest(test::png(1)).verdict.refusal == Refusal::infected);

  UploadPromise promise;
  promise.filename = "a.png";
  promise.media_type = "image/png";
  promise.size_bytes = test::png(3).size();
  const auto session = fixture.library->promise(promise);
  REQUIRE(session);
  IngestRequest promised;
  promised.upload_token = session->token;
  CHECK(fixture.ingest(test::png(3), promised).verdict.refusal == Refusal::infected);

  ResumableRequest resumable;
  resumable.size_bytes = test::png(4).size();
  auto turn = fixture.library->begin_resumable(resumable);
  REQUIRE(turn);
  REQUIRE((*turn)->write(test::png(4)));
  REQUIRE((*turn)->settle());
  CHECK(fixture.library->finish(std::move(*turn))->verdict.refusal == Refusal::infected);

  IngestRequest any;
  any.any_content = true;
  CHECK(fixture.ingest(test::bytes("anything"), any).verdict.refusal == Refusal::infected);
  CHECK(stored_blobs(fixture) == before);
  CHECK(fixture.library->gate().scan_stats().clean == 1);
  CHECK(fixture.library->gate().scan_stats().infected == 5);
}

TEST_CASE("gate: while the scanner is down nothing comes in where the rule is to refuse") {
  ScannedLibrary fixture(UnscannedRule::refuse);
  fixture.scanner->says = kDown;
  const auto content = test::png(1);
  const auto outcome = fixture.library->ingest(MemoryReader(content), {});
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == Errc::unavailable);
  CHECK(fixture.library->gate().check_scanner().error().code == Errc::unavailable);
  fixture.scanner->says = Scan{Scan::Finding::too_large, {}};
  CHECK(fixture.ingest(content).verdict.refusal == Refusal::unscannable);
  CHECK(stored_blobs(fixture) == 0);
  fixture.scanner->says = Scan{};
  CHECK(fixture.ingest(content).status == IngestStatus::stored);
  CHECK(fixture.library->gate().scan_stats().failed == 1);
}

TEST_CASE("gate: while the scanner is down everything comes in where the rule is to accept") {
  ScannedLibrary fixture(UnscannedRule::accept);
  fixture.scanner->says = kDown;
  const auto outcome = fixture.ingest(test::png(1));
  CHECK(outcome.media.held == Hold::none);
  CHECK(fixture.library->read(outcome.media.id));
  fixture.scanner->says = Scan{Scan::Finding::infected, "Test.Bad"};
  CHECK(fixture.ingest(test::png(2)).verdict.refusal == Refusal::infected);
}

TEST_CASE("gate: what was not scanned is handed to nobody until it was, however long that takes") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.scanner->says = kDown;
  const auto held = fixture.ingest(test::png(1));
  REQUIRE(held.status == IngestStatus::stored);
  CHECK(held.media.held == Hold::unscanned);
  CHECK(held.media.status == MediaStatus::processing);
  IngestRequest others;
  others.owner = "bert";
  const auto twin = fixture.ingest(test::png(1), others);
  CHECK(twin.media.held == Hold::unscanned);
  for (const MediaId id : {held.media.id, twin.media.id}) {
    CHECK(fixture.library->read(id).error().code == Errc::denied);
    Transform transform;
    transform.width = 8;
    CHECK(fixture.library->derive(id, transform).error().code == Errc::denied);
    CHECK(fixture.library->process(id)->held == Hold::unscanned);
  }
  for (int i = 0; i < 20; ++i) {
    fixture.work();
    fixture.clock->advance(std::chrono::minutes(2));
  }
  CHECK(fixture.find(held.media.id).held == Hold::unscanned);
  CHECK(fixture.processor->calls == 0);
  CHECK(fixture.library->gate().quarantine_counts().value().unscanned == 1);

  fixture.scanner->says = Scan{};
  fixture.work();
  for (const MediaId id : {held.media.id, twin.media.id}) {
    CHECK(fixture.find(id).held == Hold::none);
    CHECK(fixture.find(id).status == MediaStatus::complete);
    CHECK(fixture.library->read(id));
  }
  CHECK(fixture.library->gate().quarantine_counts().value() == QuarantineCounts{});
  CHECK(fixture.library->gate().list_quarantine({}).value().empty());
}

TEST_CASE("gate: what turns out infected later stays away, for all who have it and all who send it again") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.scanner->says = kDown;
  const auto held = fixture.ingest(test::png(1));
  fixture.scanner->says = Scan{Scan::Finding::infected, "Test.Bad"};
  fixture.clock->advance(std::chrono::minutes(2));
  fixture.work();
  const Media media = fixture.find(held.media.id);
  CHECK(media.held == Hold::infected);
  CHECK(media.status == MediaStatus::failed);
  CHECK(media.error_message == "infected: Test.Bad");
  CHECK(fixture.library->read(media.id).error().code == Errc::denied);
  // Even where the scanner is away again.
  fixture.scanner->says = kDown;
  CHECK(fixture.ingest(test::png(1)).verdict.refusal == Refusal::infected);
  CHECK(fixture.library->gate().quarantine_counts().value().infected == 1);
}

TEST_CASE("gate: what is too large for the scanner waits for a person where the rule is to hold") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.scanner->says = Scan{Scan::Finding::too_large, {}};
  const auto held = fixture.ingest(test::png(1));
  fixture.work();
  CHECK(fixture.find(held.media.id).held == Hold::unscanned);
  Gate& gate = fixture.library->gate();
  CHECK(gate.release({held.digest, "me", false}).error().code == Errc::denied);
  REQUIRE(gate.release({held.digest, "me: it is my own film", true}));
  fixture.work();
  CHECK(fixture.find(held.media.id).status == MediaStatus::complete);
  const auto released = gate.list_quarantine({.released = true}).value();
  REQUIRE(released.size() == 1);
  CHECK(released[0].released_by == "me: it is my own film");
  CHECK(released[0].forced);
  // A second media of what a person has let go is not kept back again.
  IngestRequest others;
  others.owner = "bert";
  CHECK(fixture.ingest(test::png(1), others).media.held == Hold::none);
}

TEST_CASE("gate: banned bytes do not come in, and those that are there are told of and can be put away") {
  LibraryFixture fixture;
  const auto there = fixture.ingest(test::png(1));
  fixture.library->run_jobs({}).value();
  Gate& gate = fixture.library->gate();
  BanRequest request;
  request.digest = there.digest;
  request.reason = "stolen";
  const auto report = gate.add_ban(request);
  REQUIRE(report);
  REQUIRE(report->stored.size() == 1);
  CHECK(report->stored[0].id == there.media.id);
  CHECK(fixture.library->read(there.media.id));
  CHECK(gate.add_ban(request).error().code == Errc::already_exists);
  IngestRequest others;
  others.owner = "bert";
  CHECK(fixture.ingest(test::png(1), others).verdict.refusal == Refusal::banned);

  request.digest = Digest::of(test::png(2));
  const auto second = gate.add_ban(request);
  REQUIRE(second);
  CHECK(second->stored.empty());
  const auto before = stored_blobs(fixture);
  CHECK(fixture.ingest(test::png(2)).verdict.refusal == Refusal::banned);
  CHECK(stored_blobs(fixture) == before);
  CHECK_FALSE(fixture.on_disk(*request.digest));

  REQUIRE(gate.remove_ban(report->ban.id).value());
  request.digest = there.digest;
  request.put_away = true;
  REQUIRE(gate.add_ban(request)->put_away);
  const Media media = fixture.library->find(there.media.id)->value();
  CHECK(media.held == Hold::banned);
  CHECK(media.status == MediaStatus::failed);
  CHECK(fixture.library->read(media.id).error().code == Errc::denied);
  // Its renditions stand, and are handed to nobody either.
  const auto& preset = fixture.library->presets().front();
  Transform transform = preset.transform;
  transform.format = preset.formats.front();
  CHECK(fixture.library->derive(media.id, transform).error().code == Errc::denied);

  REQUIRE(gate.list_bans().value().size() == 2);
  CHECK_FALSE(gate.remove_ban(4711).value());
  CHECK(gate.add_ban({}).error().code == Errc::invalid_argument);
}

TEST_CASE("gate: pictures that look like a banned one are seen by nobody before they have been compared") {
  LibraryFixture fixture;
  Gate& gate = fixture.library->gate();
  const auto model = fixture.ingest(test::png(1));
  fixture.library->run_jobs({}).value();
  BanRequest request;
  request.like_media = model.media.id;
  request.reason = "not here";
  const auto report = gate.add_ban(request);
  REQUIRE(report);
  REQUIRE(report->ban.perceptual_hash == test::ScriptedProcessor::appearance_of(test::png(1)).perceptual_hash);
  CHECK(report->stored.size() == 1);

  // Another picture, and one that looks the same.
  const auto other = fixture.ingest(test::png(2));
  CHECK(other.media.held == Hold::unseen);
  CHECK(fixture.library->read(other.media.id).error().code == Errc::denied);
  IngestRequest bert;
  bert.owner = "bert";
  const auto same = fixture.ingest(test::png(1), bert);
  CHECK(same.media.held == Hold::unseen);
  fixture.library->run_jobs({}).value();
  CHECK(fixture.library->find(other.media.id)->value().held == Hold::none);
  CHECK(fixture.library->read(other.media.id));
  const Media banned = fixture.library->find(same.media.id)->value();
  CHECK(banned.held == Hold::banned);
  CHECK(banned.error_message == "banned");
  CHECK(gate.find_quarantined(same.digest).value()->detail == "not here");
  // The bytes are the same, and so the first one is kept back with it.
  CHECK(fixture.library->find(model.media.id)->value().held == Hold::banned);
  CHECK(gate.release({same.digest, "", false}).error().code == Errc::denied);
  REQUIRE(gate.remove_ban(report->ban.id).value());
  REQUIRE(gate.release({same.digest, "the ban was lifted", false}));
  fixture.library->run_jobs({}).value();
  CHECK(fixture.library->find(same.media.id)->value().status == MediaStatus::complete);
  CHECK(fixture.library->read(same.media.id));
}

TEST_CASE("gate: what cannot be decoded stays away while pictures are banned") {
  LibraryFixture fixture;
  BanRequest request;
  request.perceptual_hash = PerceptualHash{1};
  REQUIRE(fixture.library->gate().add_ban(request));
  fixture.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "no picture"}; };
  const auto broken = fixture.ingest(test::png(1));
  fixture.library->run_jobs({}).value();
  const Media media = fixture.library->find(broken.media.id)->value();
  CHECK(media.status == MediaStatus::failed);
  CHECK(media.held == Hold::unseen);
  CHECK(fixture.library->read(media.id).error().code == Errc::denied);
  CHECK(fixture.library->gate().quarantine_counts().value().unseen == 1);
  REQUIRE(fixture.library->gate().release({broken.digest, "", true}));
  CHECK(fixture.library->read(media.id));
}
