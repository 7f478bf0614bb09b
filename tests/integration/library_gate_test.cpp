// Bans, and what the scanner says; what clamd itself says is in clamd_test.cpp.
#include <deque>
#include <set>

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
    if (during) during();
    return says;
  }
  Result<void> check() override {
    if (!says) return says.error();
    return {};
  }

  Result<Scan> says = Scan{};
  int scans = 0;
  std::size_t seen_bytes = 0;
  std::function<void()> during;

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

TEST_CASE("gate: what the scanner finds infected in one sender's bytes goes from everybody who sent them before it knew") {
  ScannedLibrary fixture(UnscannedRule::refuse);
  IngestRequest anna;
  anna.owner = "anna";
  const auto known = fixture.ingest(test::png(1), anna);
  fixture.work();
  REQUIRE(fixture.find(known.media.id).status == MediaStatus::complete);

  fixture.scanner->says = Scan{Scan::Finding::infected, "Test.Bad"};
  IngestRequest bert;
  bert.owner = "bert";
  CHECK(fixture.ingest(test::png(1), bert).verdict.refusal == Refusal::infected);
  const Media media = fixture.find(known.media.id);
  CHECK(media.held == Hold::infected);
  CHECK(media.status == MediaStatus::failed);
  CHECK(fixture.library->read(media.id).error().code == Errc::denied);
  CHECK(fixture.library->gate().quarantine_counts().value().infected == 1);
  CHECK(fixture.library->gate().find_quarantined(known.digest).value()->detail == "Test.Bad");

  // What a person has let go all the same stays so; others still do not get it in.
  REQUIRE(fixture.library->gate().release({known.digest, "a false alarm", true}));
  CHECK(fixture.ingest(test::png(1), bert).verdict.refusal == Refusal::infected);
  CHECK(fixture.find(known.media.id).held == Hold::none);
  // Bytes that nobody has leave no trace.
  CHECK(fixture.ingest(test::png(2), bert).verdict.refusal == Refusal::infected);
  CHECK(fixture.library->gate().list_quarantine({}).value().empty());
}

TEST_CASE("gate: a scan that takes longer than a lease keeps its job") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.scanner->says = kDown;
  const auto held = fixture.ingest(test::png(1));
  fixture.scanner->says = Scan{};
  fixture.clock->advance(std::chrono::minutes(2));
  int renewed = 0;
  fixture.scanner->during = [&] {
    const auto lease_until = [&] { return fixture.library->list_jobs(JobState::running, 10).value().at(0).lease_until; };
    for (int i = 0; i < 2; ++i) {
      const auto before = lease_until();
      fixture.clock->advance(std::chrono::seconds(40));
      for (int waited = 0; waited < 200 && lease_until() == before; ++waited) std::this_thread::sleep_for(std::chrono::milliseconds(50));
      renewed += lease_until() > before ? 1 : 0;
    }
  };
  CHECK(fixture.work() >= 1);
  CHECK(renewed == 2);
  CHECK(fixture.find(held.media.id).held == Hold::none);
}

TEST_CASE("gate: what cannot be read is not scanned for ever, and stays away") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.pack_below_bytes = 0;
  fixture.open();
  fixture.scanner->says = kDown;
  const auto damaged = fixture.ingest(test::png(1));
  const auto missing = fixture.ingest(test::png(2));
  fixture.scanner->says = Scan{};
  test::damage_blob(fixture.folder / "store", damaged.digest.to_hex(), 20);
  test::lose_blob(fixture.folder / "store", missing.digest.to_hex());
  fixture.open();
  fixture.clock->advance(std::chrono::minutes(2));
  fixture.work();
  CHECK(fixture.library->list_jobs(std::nullopt, 10).value().empty());
  for (const MediaId id : {damaged.media.id, missing.media.id}) {
    const Media media = fixture.find(id);
    CHECK(media.status == MediaStatus::failed);
    CHECK(media.held == Hold::unscanned);
    CHECK(media.error_message.starts_with("cannot be scanned: "));
    CHECK(media.error_message.find(" /") == std::string::npos);
    CHECK(fixture.library->read(id).error().code == Errc::denied);
    CHECK(fixture.library->gate().find_quarantined(*media.digest).value()->detail.starts_with("cannot be scanned"));
  }
  // Whole again, it is let go as ever.
  const auto content = test::png(1);
  const auto path = fixture.blob_path(damaged.digest);
  std::filesystem::create_directories(path.parent_path());
  test::write_file(path, std::string(reinterpret_cast<const char*>(content.data()), content.size()));
  REQUIRE(fixture.library->gate().release({damaged.digest, "from the backup", false}));
  fixture.work();
  CHECK(fixture.find(damaged.media.id).status == MediaStatus::complete);
}

TEST_CASE("gate: a scanner that was down for long costs no attempt at reading, and bytes that cannot be read are given up after five") {
  ScannedLibrary fixture(UnscannedRule::hold);
  fixture.scanner->says = kDown;
  const auto held = fixture.ingest(test::png(1));
  const auto try_once = [&] {
    fixture.clock->advance(std::chrono::minutes(2));
    fixture.work();
  };
  for (int i = 0; i < 10; ++i) try_once();
  fixture.scanner->says = Error{Errc::io, "read a blob: Input/output error"};
  for (int i = 0; i < 4; ++i) {
    try_once();
    CHECK(fixture.find(held.media.id).status == MediaStatus::processing);
    CHECK(fixture.library->list_jobs(std::nullopt, 10).value().at(0).last_error.find("Input/output error") != std::string::npos);
  }
  SECTION("the disk recovers") {
    fixture.scanner->says = Scan{};
    try_once();
    CHECK(fixture.find(held.media.id).held == Hold::none);
  }
  SECTION("it does not") {
    try_once();
    CHECK(fixture.find(held.media.id).status == MediaStatus::failed);
    CHECK(fixture.find(held.media.id).held == Hold::unscanned);
    CHECK(fixture.library->list_jobs(std::nullopt, 10).value().empty());
  }
}

TEST_CASE("gate: scans and pictures do not wait for each other's queues") {
  ScannedLibrary fixture(UnscannedRule::hold);
  SECTION("one scan behind many pictures") {
    fixture.scanner->says = kDown;
    const auto held = fixture.ingest(test::png(100));
    fixture.scanner->says = Scan{};
    for (std::uint64_t i = 0; i < 10; ++i) fixture.ingest(test::png(i));
    fixture.clock->advance(std::chrono::minutes(2));
    CHECK(fixture.library->run_jobs({.limit = 2}).value() == 2);
    CHECK(fixture.find(held.media.id).held == Hold::none);
  }
  SECTION("one picture behind many scans of a scanner that is down") {
    const auto picture = fixture.ingest(test::png(100));
    fixture.scanner->says = kDown;
    for (std::uint64_t i = 0; i < 10; ++i) CHECK(fixture.ingest(test::png(i)).media.held == Hold::unscanned);
    fixture.clock->advance(std::chrono::minutes(2));
    CHECK(fixture.library->run_jobs({.limit = 2}).value() == 2);
    CHECK(fixture.find(picture.media.id).status == MediaStatus::complete);
  }
}

TEST_CASE("gate: putting away by looks goes on beyond a thousand, past what was removed meanwhile, and where it ended before") {
  LibraryOptions options;
  options.store = make_memory_store();
  options.repository = make_memory_repository();
  Repository& repository = *options.repository;
  options.processor = std::make_unique<test::ScriptedProcessor>();
  const auto library = Library::open(std::move(options)).value();
  constexpr std::uint64_t kMany = 1'200;
  const auto add = [&](std::uint64_t from, std::uint64_t to) {
    repository
        .write([&](Transaction& transaction) -> Result<void> {
          for (std::uint64_t i = from; i < to; ++i) {
            Media media;
            media.owner = "somebody";
            media.digest = Digest::of(test::png(i));
            media.filename = "a.png";
            media.status = MediaStatus::complete;
            media.appearance = {std::vector<std::byte>(17), "#405060", PerceptualHash{0xF0F0'1234}};
            MEDIA_TRY(transaction.insert_media(media));
          }
          return {};
        })
        .value();
  };
  const auto held = [&] {
    std::uint64_t count = 0;
    for (MediaId id = 1;; ++id) {
      const auto media = library->find(id).value();
      if (!media) return count;
      count += media->held == Hold::banned ? 1U : 0U;
    }
  };
  add(0, kMany);
  BanRequest request;
  request.perceptual_hash = PerceptualHash{0xF0F0'1234};
  const auto told = library->gate().add_ban(request);
  REQUIRE(told);
  CHECK_FALSE(told->put_away);
  CHECK(told->stored.size() == kMany);
  CHECK(held() == 0);
  REQUIRE(library->gate().remove_ban(told->ban.id).value());
  request.put_away = true;
  const auto report = library->gate().add_ban(request);
  REQUIRE(report);
  CHECK(report->put_away);
  std::set<MediaId> named;
  for (const Media& media : report->stored) named.insert(media.id);
  CHECK(named.size() == kMany);
  CHECK(report->stored.size() == kMany);
  CHECK(held() == kMany);
  // Nobody finds them by how they look.
  CHECK(library->similar({.perceptual_hash = *request.perceptual_hash}).value().empty());
  CHECK(library->similar(1, {}).value().empty());

  add(kMany, kMany + 3);
  CHECK(library->gate().add_ban(request)->put_away);
  CHECK(held() == kMany + 3);
  CHECK(library->gate().list_bans().value().size() == 1);
  request.put_away = false;
  CHECK(library->gate().add_ban(request).error().code == Errc::already_exists);
  // Bytes that nobody has (any more) are no failure.
  BanRequest gone;
  gone.digest = Digest::of(test::png(99'999));
  gone.put_away = true;
  CHECK(library->gate().add_ban(gone)->put_away);
}
