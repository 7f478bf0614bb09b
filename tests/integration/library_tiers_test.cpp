// Blobs between tiers: what moves and why, and that nothing is lost whatever fails on the way.
#include <atomic>
#include <set>

#include "library_fixture.hpp"
#include "media/tiers.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::png;

namespace {

/// Counts the calls that a store is asked, and fails one of them, or all from there on.
struct Script {
  std::atomic<int> calls{0};
  std::atomic<int> fail_at{-1};
  std::atomic<bool> for_ever{false};
  std::function<void(const char*)> before;  ///< Each call, by its name.
  std::function<void()> after_open;
  std::function<void(std::span<const Digest>)> on_wipe;
  bool fail_wipe = false;
  std::set<Digest> unwipeable;
  std::optional<Error> fail_open;

  /// False for a tier that is down.
  Result<void> answers() const {
    if (for_ever && fail_at >= 0 && calls >= fail_at) return Error{Errc::unavailable, "nobody answers"};
    return {};
  }
  Result<void> step(const char* name) {
    if (before) before(name);
    const int call = calls++;
    if (fail_at >= 0 && (call == fail_at || (for_ever && call > fail_at))) return Error{Errc::unavailable, std::string(name) + " fails"};
    return {};
  }
};

class ScriptedStore final : public BlobStore {
 public:
  ScriptedStore(std::shared_ptr<BlobStore> inner, Script& script) : inner_(std::move(inner)), script_(script) {}

  Result<std::unique_ptr<BlobWriter>> begin(std::optional<std::uint64_t> expected_size) override {
    MEDIA_TRY(script_.step("begin"));
    return inner_->begin(expected_size);
  }
  Result<void> publish(std::span<const std::unique_ptr<Staged>> staged) override {
    MEDIA_TRY(script_.step("publish"));
    return inner_->publish(staged);
  }
  Result<std::unique_ptr<ByteReader>> open(const Digest& digest) const override {
    MEDIA_TRY(script_.step("open"));
    if (script_.fail_open) return *script_.fail_open;
    auto opened = inner_->open(digest);
    if (script_.after_open) script_.after_open();
    return opened;
  }
  Result<std::optional<BlobStat>> stat(const Digest& digest) const override {
    MEDIA_TRY(script_.step("stat"));
    return inner_->stat(digest);
  }
  Result<bool> remove(const Digest& digest) override {
    MEDIA_TRY(script_.step("remove"));
    return inner_->remove(digest);
  }
  Result<BlobPage> list(const std::string& cursor, std::size_t limit) const override {
    MEDIA_TRY(script_.step("list"));
    return inner_->list(cursor, limit);
  }
  Result<bool> quarantine(const Digest& digest) override { return inner_->quarantine(digest); }
  Result<void> wipe(std::span<const Digest> removed, const std::stop_token& stop) override {
    if (script_.on_wipe) script_.on_wipe(removed);
    if (script_.fail_wipe) return Error{Errc::unavailable, "wipe fails"};
    for (const Digest& each : removed) {
      if (script_.unwipeable.contains(each)) return Error{Errc::io, "wipe fails for ever"};
    }
    return inner_->wipe(removed, stop);
  }
  Result<void> check() override {
    MEDIA_TRY(script_.answers());
    return inner_->check();
  }

 private:
  std::shared_ptr<BlobStore> inner_;
  Script& script_;
};

constexpr std::array kNames{"hot", "warm", "cold"};

/// A library over three tiers in memory, which the test can look into.
struct Tiers {
  Tiers() {
    std::vector<Tier> tiers;
    for (std::size_t i = 0; i < stores.size(); ++i) {
      stores[i] = make_memory_store();
      tiers.push_back({kNames[i], std::make_unique<ScriptedStore>(stores[i], scripts[i]), {}});
    }
    LibraryOptions options;
    options.store = make_tiered_store(std::move(tiers)).value();
    options.repository = make_memory_repository();
    repository = options.repository.get();
    options.processor = std::make_unique<test::ScriptedProcessor>();
    options.clock = clock;
    options.collect_grace = 0s;
    library = Library::open(std::move(options)).value();
  }

  IngestOutcome ingest(const std::vector<std::byte>& content, const std::string& owner = "local") {
    IngestRequest request;
    request.owner = owner;
    request.any_content = true;
    request.filename = "file";
    return library->ingest(MemoryReader(content), request).value();
  }
  [[nodiscard]] std::string places(const Digest& digest) const {
    std::string text;
    for (std::size_t i = 0; i < stores.size(); ++i) {
      if (stores[i]->stat(digest).value()) text += (text.empty() ? "" : " ") + std::string(kNames[i]);
    }
    return text;
  }
  std::vector<std::byte> read(MediaId id) { return read_all(*library->read(id).value(), 1U << 30U).value(); }
  static ArrangeOptions by(const std::string& warm, const std::string& cold) {
    ArrangeOptions options;
    options.rules = {PlacementRule::parse(warm).value(), PlacementRule::parse(cold).value()};
    return options;
  }
  ArrangeReport arrange(const std::string& warm, const std::string& cold) { return library->arrange_tiers(by(warm, cold)).value(); }

  std::array<std::shared_ptr<BlobStore>, 3> stores;
  std::array<Script, 3> scripts;
  std::shared_ptr<test::ManualClock> clock = std::make_shared<test::ManualClock>();
  Repository* repository = nullptr;
  std::unique_ptr<Library> library;
};

/// A library over two folders, where bytes can rot.
struct Folders {
  explicit Folders(std::uint64_t pack_below = 0) : pack_below_bytes(pack_below) { open(); }
  void open(bool read_only = false) {
    library.reset();
    std::vector<Tier> tiers;
    for (const char* const name : {"hot", "cold"}) {
      std::shared_ptr<BlobStore> store = open_filesystem_store(at(name)).value();
      tiers.push_back({name, std::make_unique<ScriptedStore>(std::move(store), scripts[tiers.size()]), {}});
    }
    LibraryOptions options;
    options.store = make_tiered_store(std::move(tiers)).value();
    SqliteRepositoryOptions catalog;
    catalog.path = folder / "catalog.db";
    options.repository = open_sqlite_repository(catalog).value();
    options.processor = std::make_unique<test::ScriptedProcessor>();
    options.clock = clock;
    options.read_only = read_only;
    library = Library::open(std::move(options)).value();
  }
  [[nodiscard]] FilesystemStoreOptions at(const std::string& name) const {
    FilesystemStoreOptions options;
    options.base_path = folder / name;
    options.pack_below_bytes = pack_below_bytes;
    return options;
  }
  /// Stored, with a copy below.
  IngestOutcome ingest(const std::vector<std::byte>& content) const {
    IngestRequest request;
    request.any_content = true;
    auto outcome = library->ingest(MemoryReader(content), request).value();
    const auto cold = open_filesystem_store(at("cold")).value();
    const auto writer = cold->begin().value();
    writer->write(content).value();
    std::array<std::unique_ptr<Staged>, 1> staged{writer->finish().value()};
    cold->publish(staged).value();
    return outcome;
  }
  [[nodiscard]] Result<std::vector<std::byte>> read(MediaId id) const {
    MEDIA_TRY_ASSIGN(const auto reader, library->read(id));
    return read_all(*reader, 1U << 20U);
  }
  /// What a tier has, by itself.
  [[nodiscard]] std::optional<std::vector<std::byte>> in(const std::string& name, const Digest& digest) const {
    const auto reader = open_filesystem_store(at(name)).value()->open(digest);
    if (!reader) return std::nullopt;
    return read_all(**reader, 1U << 20U).value();
  }

  std::uint64_t pack_below_bytes;
  test::TempFolder folder;
  std::array<Script, 2> scripts;
  std::shared_ptr<test::ManualClock> clock = std::make_shared<test::ManualClock>();
  std::unique_ptr<Library> library;
};

/// Puts a content into one tier, past the library.
void put_into(BlobStore& store, const std::vector<std::byte>& content) {
  const auto writer = store.begin().value();
  writer->write(content).value();
  std::array<std::unique_ptr<Staged>, 1> staged{writer->finish().value()};
  store.publish(staged).value();
}

}  // namespace

TEST_CASE("tiers: what a rule is met by goes down, is verified there and gone from above, and the reason is told") {
  Tiers t;
  const auto small = t.ingest(test::noise(1'000, 1));
  const auto large = t.ingest(test::noise(50'000, 2));
  CHECK(t.places(small.digest) == "hot");
  CHECK(t.library->tier_names() == std::vector<std::string>{"hot", "warm", "cold"});

  std::vector<TierMove> moves;
  ArrangeOptions options = Tiers::by("size>=10k", "unread>30d");
  options.dry_run = true;
  options.on_move = [&](const TierMove& move) { moves.push_back(move); };
  const auto plan = t.library->arrange_tiers(options).value();
  CHECK(plan.blobs == 2);
  CHECK(plan.demoted == 1);
  CHECK(plan.copied_bytes == 50'000);
  CHECK(t.places(large.digest) == "hot");
  REQUIRE(moves.size() == 1);
  CHECK(moves[0].digest == large.digest);
  CHECK(moves[0].from == "hot");
  CHECK(moves[0].to == "warm");
  CHECK(moves[0].kind == TierMove::Kind::demote);
  CHECK(moves[0].reason == "50000 bytes (size>=10k)");

  CHECK(t.arrange("size>=10k", "unread>30d").demoted == 1);
  CHECK(t.places(large.digest) == "warm");
  CHECK(t.places(small.digest) == "hot");
  CHECK(t.read(large.media.id) == test::noise(50'000, 2));
  // Nothing is left to be done.
  const auto again = t.arrange("size>=10k", "unread>30d");
  CHECK(again.demoted + again.promoted + again.trimmed == 0);

  // The coldest tier whose rule is met is the one.
  t.clock->advance(31 * 24h);
  CHECK(t.arrange("size>=10k", "unread>30d").demoted == 2);
  CHECK(t.places(large.digest) == "cold");
  CHECK(t.places(small.digest) == "cold");
}

TEST_CASE("tiers: a move does not cost the next reader a hash, for the copy was verified when it was made") {
  Tiers t;
  const auto stored = t.ingest(test::noise(100'000, 1));
  t.arrange("size>0", "none");
  const auto row = t.repository->find_blob(stored.digest).value();
  REQUIRE(row);
  CHECK(row->identity.starts_with("warm/"));
  CHECK(row->verified_at == t.clock->now());
}

TEST_CASE("tiers: reads are noted in batches, and what is read goes up again while the colder copy stays") {
  Tiers t;
  const auto content = test::noise(5'000, 1);
  const auto stored = t.ingest(content);
  t.clock->advance(40 * 24h);
  CHECK(t.arrange("unread>30d", "none").demoted == 1);
  CHECK(t.places(stored.digest) == "warm");
  for (int i = 0; i < 7; ++i) CHECK(t.read(stored.media.id) == content);
  // In memory until they are written together.
  CHECK(t.repository->list_blob_uses(std::nullopt, 10).value().at(0).reads == 0);
  const auto report = t.arrange("unread>30d", "none");
  CHECK(t.repository->list_blob_uses(std::nullopt, 10).value().at(0).reads == 7);
  CHECK(report.promoted == 1);
  CHECK(t.places(stored.digest) == "hot warm");

  t.clock->advance(40 * 24h);
  const auto back = t.arrange("unread>30d", "none");
  CHECK(back.trimmed == 1);
  CHECK(back.copied_bytes == 0);
  CHECK(t.places(stored.digest) == "warm");
  CHECK(t.read(stored.media.id) == content);
}

TEST_CASE("tiers: what was read from below is promoted at once where that is wanted, up to a size") {
  Tiers t;
  const auto small = t.ingest(test::noise(1'000, 1));
  const auto large = t.ingest(test::noise(50'000, 2));
  const auto unread = t.ingest(test::noise(1'001, 3));
  t.arrange("none", "size>0");
  t.read(small.media.id);
  t.read(large.media.id);
  CHECK(t.library->promote_read(10'000, {}).value() == 1);
  CHECK(t.places(small.digest) == "hot cold");
  CHECK(t.places(large.digest) == "cold");
  CHECK(t.places(unread.digest) == "cold");
  CHECK(t.library->promote_read(10'000, {}).value() == 0);
}

TEST_CASE("tiers: a budget leaves the rest for another run") {
  Tiers t;
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < 10; ++i) digests.push_back(t.ingest(test::noise(1'000, i)).digest);
  ArrangeOptions options = Tiers::by("size>0", "none");
  options.budget_bytes = 3'500;
  std::uint64_t moved = 0;
  for (int round = 0; round < 4; ++round) {
    const auto report = t.library->arrange_tiers(options).value();
    CHECK(report.copied_bytes <= 3'500);
    moved += report.demoted;
    CHECK(report.left == 10 - moved);
    CHECK(report.left_bytes == 1'000 * (10 - moved));
  }
  CHECK(moved == 10);
  for (const Digest& digest : digests) CHECK(t.places(digest) == "warm");
}

TEST_CASE("tiers: whichever call of whichever tier fails, once or for ever, nothing is lost and another run finishes") {
  for (const bool for_ever : {false, true}) {
    for (std::size_t tier = 0; tier < 3; ++tier) {
      for (int call = 0;; ++call) {
        Tiers t;
        std::vector<IngestOutcome> stored;
        for (std::uint64_t i = 0; i < 3; ++i) stored.push_back(t.ingest(test::noise(1'000 + i, i)));
        // One that is to go up, one that has a copy below already.
        put_into(*t.stores[1], test::noise(1'000, 0));
        put_into(*t.stores[2], test::noise(1'001, 1));
        t.stores[0]->remove(stored[0].digest).value();
        Script& script = t.scripts[tier];
        script.calls = 0;
        script.fail_at = call;
        script.for_ever = for_ever;
        const auto options = Tiers::by("none", "size>=1001");
        const auto report = t.library->arrange_tiers(options);
        const bool failed = script.calls > call;
        if (failed) {
          CHECK_FALSE(report);
          if (!report) CHECK(report.error().code == Errc::unavailable);
        } else {
          CHECK(report);
        }
        for (std::uint64_t i = 0; i < 3; ++i) {
          INFO("tier " << tier << ", call " << call);
          bool whole = false;
          for (const auto& store : t.stores) {
            const auto reader = store->open(stored[i].digest);
            whole = whole || (reader && read_all(**reader, 1U << 20U).value() == test::noise(1'000 + i, i));
          }
          CHECK(whole);
        }
        script.fail_at = -1;
        CHECK(t.library->arrange_tiers(options));
        CHECK(t.places(stored[0].digest) == "hot warm");
        CHECK(t.places(stored[1].digest) == "cold");
        CHECK(t.places(stored[2].digest) == "cold");
        for (std::uint64_t i = 0; i < 3; ++i) CHECK(t.read(stored[i].media.id) == test::noise(1'000 + i, i));
        if (!failed) break;
        REQUIRE(call < 100);
      }
    }
  }
}

TEST_CASE("tiers: a damaged blob stays where it is and is told of, and a damaged copy below is replaced") {
  Tiers t;
  const auto good = t.ingest(test::noise(1'000, 1));
  const test::TempFolder folder;
  // On disk, where bytes can rot.
  std::vector<Tier> tiers;
  for (const char* const name : {"hot", "cold"}) {
    FilesystemStoreOptions options;
    options.base_path = folder / name;
    options.pack_below_bytes = 0;
    tiers.push_back({name, open_filesystem_store(options).value(), {}});
  }
  LibraryOptions options;
  options.store = make_tiered_store(std::move(tiers)).value();
  options.repository = make_memory_repository();
  options.processor = std::make_unique<test::ScriptedProcessor>();
  const auto library = Library::open(std::move(options)).value();
  std::vector<IngestOutcome> stored;
  for (std::uint64_t i = 0; i < 2; ++i) {
    IngestRequest request;
    request.any_content = true;
    stored.push_back(library->ingest(MemoryReader(test::noise(1'000, i)), request).value());
  }
  test::damage_blob(folder / "hot", stored[0].digest.to_hex(), 5);
  {
    FilesystemStoreOptions cold;
    cold.base_path = folder / "cold";
    cold.pack_below_bytes = 0;
    put_into(*open_filesystem_store(cold).value(), test::noise(1'000, 1));
  }
  test::damage_blob(folder / "cold", stored[1].digest.to_hex(), 5);
  ArrangeOptions arrange;
  arrange.rules = {PlacementRule::parse("size>0").value()};
  std::vector<Digest> problems;
  arrange.on_problem = [&](const TierMove& move, const Error& error) {
    CHECK(error.code == Errc::corrupt);
    problems.push_back(move.digest);
  };
  const auto report = library->arrange_tiers(arrange).value();
  CHECK(report.problems == 1);
  CHECK(problems == std::vector<Digest>{stored[0].digest});
  CHECK(test::find_blob(folder / "hot", stored[0].digest.to_hex()));
  CHECK_FALSE(test::find_blob(folder / "hot", stored[1].digest.to_hex()));
  CHECK(read_all(*library->read(stored[1].media.id).value(), 10'000).value() == test::noise(1'000, 1));
}

TEST_CASE("tiers: what is erased while it is copied is gone from every tier afterwards") {
  for (const std::string at : {"begin", "publish", "open"}) {
    Tiers t;
    const auto content = test::noise(1'000, 1);
    const auto stored = t.ingest(content, "somebody");
    bool erased = false;
    // In the middle of the copy, on the colder side.
    t.scripts[2].before = [&](const char* name) {
      if (erased || name != at) return;
      erased = true;
      EraseRequest request;
      request.owner = "somebody";
      const auto report = t.library->erase(request).value();
      CHECK_FALSE(report.failure);
    };
    ArrangeOptions options = Tiers::by("none", "size>0");
    options.on_problem = [](const TierMove&, const Error&) {};
    const auto report = t.library->arrange_tiers(options);
    INFO(at);
    CHECK(erased);
    CHECK(t.places(stored.digest).empty());
    CHECK_FALSE(t.repository->find_blob(stored.digest).value());
    static_cast<void>(report);
  }
}

TEST_CASE("tiers: what is stored anew while it is moved is never lost") {
  for (const std::string at : {"begin", "publish", "open"}) {
    Tiers t;
    const auto content = test::noise(1'000, 1);
    const auto first = t.ingest(content, "one");
    bool done = false;
    MediaId second = 0;
    t.scripts[2].before = [&](const char* name) {
      if (done || name != at) return;
      done = true;
      CHECK(t.library->remove(first.media.id).value());
      CHECK(t.library->collect(0s));
      CHECK(t.library->collect(0s));
      second = t.ingest(content, "two").media.id;
    };
    static_cast<void>(t.library->arrange_tiers(Tiers::by("none", "size>0")));
    INFO(at);
    CHECK(done);
    CHECK(t.read(second) == content);
    CHECK(t.library->verify({}).value().intact());
  }
}

TEST_CASE("tiers: collection removes from every tier, and verification reads the copies that no reader comes to") {
  Tiers t;
  const auto kept = t.ingest(test::noise(1'000, 1));
  const auto gone = t.ingest(test::noise(2'000, 2));
  for (const auto& store : t.stores) {
    put_into(*store, test::noise(1'000, 1));
    put_into(*store, test::noise(2'000, 2));
  }
  CHECK(t.library->remove(gone.media.id).value());
  CHECK(t.library->collect(0s));
  CHECK(t.library->collect(0s));
  CHECK(t.places(gone.digest).empty());
  CHECK(t.places(kept.digest) == "hot warm cold");
  const auto report = t.library->verify({}).value();
  CHECK(report.intact());
  CHECK(report.blobs == 3);
}

TEST_CASE("tiers: a hidden copy that has rotted is found, and mended from the hotter one") {
  const test::TempFolder folder;
  std::vector<Tier> tiers;
  for (const char* const name : {"hot", "cold"}) {
    FilesystemStoreOptions options;
    options.base_path = folder / name;
    options.pack_below_bytes = 0;
    tiers.push_back({name, open_filesystem_store(options).value(), {}});
  }
  BlobStore& cold = *tiers[1].store;
  LibraryOptions options;
  options.store = make_tiered_store(std::move(tiers)).value();
  options.repository = make_memory_repository();
  options.processor = std::make_unique<test::ScriptedProcessor>();
  const auto library = Library::open(std::move(options)).value();
  IngestRequest request;
  request.any_content = true;
  const auto stored = library->ingest(MemoryReader(test::noise(1'000, 1)), request).value();
  put_into(cold, test::noise(1'000, 1));
  test::damage_blob(folder / "cold", stored.digest.to_hex(), 5);
  std::vector<Fault> faults;
  VerifyOptions verify;
  verify.on_fault = [&](const Fault& fault) { faults.push_back(fault); };
  CHECK(library->verify(verify).value().damaged == 1);
  REQUIRE(faults.size() == 1);
  CHECK(faults[0].location.starts_with("cold:"));
  CHECK(faults[0].repaired);
  CHECK(library->verify({}).value().intact());
  CHECK(read_all(*cold.open(stored.digest).value(), 10'000).value() == test::noise(1'000, 1));
}

TEST_CASE("tiers: where the hot copy has rotted the whole one below answers, and takes its place") {
  Folders f;
  const auto content = test::noise(1'000, 1);
  const auto stored = f.ingest(content);
  test::damage_blob(f.folder / "hot", stored.digest.to_hex(), 5);
  CHECK(f.read(stored.media.id).value() == content);
  CHECK(f.in("hot", stored.digest) == content);
  CHECK(test::count_files(f.folder / "hot/quarantine") == 1);
  CHECK(f.library->gate().quarantine_counts().value().held() == 0);
  CHECK(f.library->gate().list_quarantine({}).value().empty());
  CHECK(f.library->verify({}).value().intact());

  // Gone from the hot one: there is one to read all the same.
  test::lose_blob(f.folder / "hot", stored.digest.to_hex());
  f.open();
  CHECK(f.read(stored.media.id).value() == content);

  // Damaged everywhere, it is that, and nobody gets it.
  const auto other = f.ingest(test::noise(1'000, 2));
  test::damage_blob(f.folder / "hot", other.digest.to_hex(), 5);
  test::damage_blob(f.folder / "cold", other.digest.to_hex(), 6);
  CHECK(f.read(other.media.id).error().code == Errc::corrupt);
  CHECK(f.library->gate().find_quarantined(other.digest).value()->reason == Hold::damaged);
}

TEST_CASE("tiers: where the hot copy cannot be opened the one below is hashed before anybody gets it") {
  Folders f;
  const auto content = test::noise(1'000, 1);
  const auto stored = f.ingest(content);
  test::damage_blob(f.folder / "cold", stored.digest.to_hex(), 6);
  // It is still there to be found, with the identity that was verified.
  f.scripts[0].fail_open = Error{Errc::unavailable, "open: too many open files"};
  f.open();
  CHECK(f.library->read(stored.media.id).error().code == Errc::unavailable);
  f.scripts[0].fail_open.reset();
  f.open();
  CHECK(f.read(stored.media.id).value() == content);

  const auto other = test::noise(1'000, 2);
  const auto whole = f.ingest(other);
  f.scripts[0].fail_open = Error{Errc::io, "open: Input/output error"};
  f.open();
  CHECK(f.read(whole.media.id).value() == other);
}

TEST_CASE("tiers: of many who read a rotted blob at once one puts the whole copy in its place") {
  Folders f;
  const auto content = test::noise(200'000, 1);
  const auto stored = f.ingest(content);
  test::damage_blob(f.folder / "hot", stored.digest.to_hex(), 5);
  f.open();
  std::atomic<int> begun = 0;
  f.scripts[0].before = [&](const char* name) {
    if (std::string_view(name) != "begin") return;
    ++begun;
    // So that the others come to it meanwhile.
    std::this_thread::sleep_for(300ms);
  };
  std::atomic<int> whole = 0;
  {
    std::vector<std::jthread> readers;
    for (int i = 0; i < 8; ++i) {
      readers.emplace_back([&] {
        const auto read = f.read(stored.media.id);
        whole += read && *read == content ? 1 : 0;
      });
    }
  }
  f.scripts[0].before = nullptr;
  CHECK(whole == 8);
  CHECK(begun == 1);
  CHECK(f.in("hot", stored.digest) == content);
  CHECK(test::count_files(f.folder / "hot/quarantine") == 1);
}

TEST_CASE("tiers: a library that is open for reading only answers from the whole copy, and changes nothing") {
  Folders f;
  const auto content = test::noise(1'000, 1);
  const auto stored = f.ingest(content);
  test::damage_blob(f.folder / "hot", stored.digest.to_hex(), 5);
  f.open(true);
  CHECK(f.read(stored.media.id).value() == content);
  CHECK(f.in("hot", stored.digest) != content);
}

TEST_CASE("tiers: verification mends what has rotted from the tier that has it whole") {
  for (const std::uint64_t pack_below_bytes : {0U, 100'000U}) {
    Folders f(pack_below_bytes);
    const auto content = test::noise(1'000, 1);
    const auto stored = f.ingest(content);
    test::damage_blob(f.folder / "hot", stored.digest.to_hex(), 5);
    std::vector<Fault> faults;
    VerifyOptions verify;
    verify.on_fault = [&](const Fault& fault) { faults.push_back(fault); };
    const auto report = f.library->verify(verify).value();
    CHECK(report.damaged == 1);
    CHECK(report.repaired == 1);
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].location.starts_with("hot:"));
    CHECK(f.library->verify({}).value().intact());
    CHECK(f.in("hot", stored.digest) == content);
    CHECK(f.read(stored.media.id).value() == content);
    CHECK(f.library->gate().list_quarantine({}).value().empty());
  }
}

TEST_CASE("tiers: a damaged hot copy above a tier that is down is not called lost") {
  Tiers t;
  const auto stored = t.ingest(test::noise(1'000, 1));
  put_into(*t.stores[2], test::noise(1'000, 1));
  // As a store that cannot read it.
  t.stores[0]->remove(stored.digest).value();
  t.scripts[2].calls = 0;
  t.scripts[2].for_ever = true;
  t.scripts[2].fail_at = 0;
  CHECK(t.library->read(stored.media.id).error().code == Errc::unavailable);
  CHECK(t.library->gate().list_quarantine({}).value().empty());
}

TEST_CASE("tiers: what an embedder opens with the store of its own accord has the tiers that are noted") {
  const test::TempFolder folder;
  const auto open = [&](bool with_tiers) {
    LibraryOptions options;
    options.base_path = folder / "library";
    options.processor = std::make_unique<test::ScriptedProcessor>();
    if (with_tiers) {
      FilesystemStoreOptions files;
      files.base_path = options.base_path;
      OpenTiersOptions tiers;
      tiers.places.cold = (folder / "cold").string();
      options.store = open_tiers(open_filesystem_store(files).value(), options.base_path, tiers).value();
    }
    return Library::open(std::move(options));
  };
  MediaId id = 0;
  {
    const auto library = open(true).value();
    IngestRequest request;
    request.any_content = true;
    id = library->ingest(MemoryReader(test::noise(1'000, 1)), request).value().media.id;
    ArrangeOptions arrange;
    arrange.rules = {PlacementRule::parse("size>0").value()};
    CHECK(library->arrange_tiers(arrange).value().demoted == 1);
  }
  {
    const auto library = open(false).value();
    CHECK(library->tier_names() == std::vector<std::string>{"hot", "cold"});
    CHECK(read_all(*library->read(id).value(), 10'000).value() == test::noise(1'000, 1));
    CHECK(library->verify({}).value().intact());
  }
  test::write_file(folder / "library/blobs", "s3://bucket");
  const auto elsewhere = open(false);
  REQUIRE_FALSE(elsewhere);
  CHECK(elsewhere.error().code == Errc::conflict);
  CHECK(elsewhere.error().message.find("s3://bucket") != std::string::npos);
}

TEST_CASE("tiers: a copy whose publishing failed is settled all the same") {
  Tiers t;
  const auto content = test::noise(1'000, 1);
  const auto stored = t.ingest(content, "somebody");
  t.arrange("none", "size>0");
  t.read(stored.media.id);
  // Erased in the middle of the copy, which arrives although it is told to have failed.
  bool done = false;
  t.scripts[0].before = [&](const char* name) {
    if (done || std::string(name) != "publish") return;
    done = true;
    EraseRequest request;
    request.owner = "somebody";
    CHECK_FALSE(t.library->erase(request).value().failure);
    put_into(*t.stores[0], content);
    t.scripts[0].fail_at = t.scripts[0].calls.load();
  };
  CHECK_FALSE(t.library->promote_read(10'000, {}));
  CHECK(t.places(stored.digest).empty());
  CHECK_FALSE(t.repository->find_blob(stored.digest).value());
}

TEST_CASE("tiers: what could not be promoted is tried again without another read") {
  Tiers t;
  std::vector<IngestOutcome> stored;
  for (std::uint64_t i = 0; i < 3; ++i) stored.push_back(t.ingest(test::noise(1'000, i)));
  t.arrange("none", "size>0");
  for (const auto& each : stored) t.read(each.media.id);
  t.scripts[0].before = [&](const char* name) {
    if (std::string(name) == "publish") t.scripts[0].fail_at = t.scripts[0].calls.load();
  };
  CHECK_FALSE(t.library->promote_read(10'000, {}));
  t.scripts[0].before = {};
  t.scripts[0].fail_at = -1;
  CHECK(t.library->promote_read(10'000, {}).value() == 3);
  for (const auto& each : stored) CHECK(t.places(each.digest) == "hot cold");
}

TEST_CASE("tiers: a copy of what somebody claimed for removal and then died is settled once the claim has lapsed") {
  Tiers t;
  const auto stored = t.ingest(test::noise(1'000, 1));
  t.arrange("none", "size>0");
  t.read(stored.media.id);
  bool claimed = false;
  t.scripts[0].before = [&](const char* name) {
    if (claimed || std::string(name) != "publish") return;
    claimed = true;
    CHECK(t.library->remove(stored.media.id).value());
    t.repository
        ->write([&](Transaction& transaction) -> Result<void> {
          MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(stored.digest));
          row->state = BlobState::deleting;
          row->condemned_at = t.clock->now();
          return transaction.put_blob(*row);
        })
        .value();
    t.clock->advance(61s);
  };
  CHECK(t.library->promote_read(10'000, {}).value() == 0);
  CHECK(claimed);
  CHECK(t.places(stored.digest).empty());
  CHECK_FALSE(t.repository->find_blob(stored.digest).value());
}

TEST_CASE("tiers: what an erasure that died had claimed is wiped by the collection that removes it") {
  Tiers t;
  const auto stored = t.ingest(test::noise(1'000, 1));
  CHECK(t.library->remove(stored.media.id).value());
  t.repository
      ->write([&](Transaction& transaction) -> Result<void> {
        MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(stored.digest));
        row->state = BlobState::deleting;
        row->condemned_at = t.clock->now();
        return transaction.put_blob(*row);
      })
      .value();
  t.clock->advance(61s);
  std::array<std::set<Digest>, 3> wiped;
  for (std::size_t i = 0; i < 3; ++i) {
    t.scripts[i].on_wipe = [&, i](std::span<const Digest> removed) {
      // As long as a wipe may still be needed there is a row that says so.
      CHECK(t.repository->find_blob(stored.digest).value());
      wiped[i].insert(removed.begin(), removed.end());
    };
  }
  const auto report = t.library->collect(0s).value();
  CHECK(report.removed == 1);
  CHECK(t.places(stored.digest).empty());
  for (const auto& tier : wiped) CHECK(tier.contains(stored.digest));
  CHECK_FALSE(t.repository->find_blob(stored.digest).value());
}

TEST_CASE("tiers: an erasure whose wiping fails leaves what the next collection needs to end it") {
  Tiers t;
  const auto stored = t.ingest(test::noise(1'000, 1), "somebody");
  std::set<Digest> wiped;
  t.scripts[1].on_wipe = [&](std::span<const Digest> removed) { wiped.insert(removed.begin(), removed.end()); };
  t.scripts[1].fail_wipe = true;
  EraseRequest request;
  request.owner = "somebody";
  const auto report = t.library->erase(request).value();
  REQUIRE(report.failure);
  CHECK(t.places(stored.digest).empty());
  CHECK(t.repository->find_blob(stored.digest).value()->state == BlobState::deleting);
  t.scripts[1].fail_wipe = false;
  wiped.clear();
  t.clock->advance(61s);
  CHECK(t.library->collect(0s));
  CHECK(wiped.contains(stored.digest));
  CHECK_FALSE(t.repository->find_blob(stored.digest).value());
}

namespace {

/// As an erasure leaves them that died before it wiped what it had removed.
void claim(Tiers& t, std::span<const Digest> digests) {
  t.repository
      ->write([&](Transaction& transaction) -> Result<void> {
        for (const Digest& digest : digests) {
          MEDIA_TRY_ASSIGN(auto row, transaction.find_blob(digest));
          row->state = BlobState::deleting;
          row->condemned_at = t.clock->now();
          MEDIA_TRY(transaction.put_blob(*row));
        }
        return {};
      })
      .value();
  t.clock->advance(61s);
}

/// So many contents that were removed, and whose bytes are claimed by one who died.
std::vector<Digest> claim_some(Tiers& t, std::uint64_t count) {
  std::vector<Digest> digests;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto stored = t.ingest(test::noise(1'000, i));
    CHECK(t.library->remove(stored.media.id).value());
    digests.push_back(stored.digest);
  }
  claim(t, digests);
  return digests;
}

}  // namespace

TEST_CASE("tiers: what can never be wiped is tried again with growing pauses, is told of, and holds up nothing else") {
  Tiers t;
  const std::vector<Digest> digests = claim_some(t, 3);
  const Digest stuck = digests[1];
  int tries = 0;
  t.scripts[1].unwipeable = {stuck};
  t.scripts[1].on_wipe = [&](std::span<const Digest> removed) {
    tries += std::find(removed.begin(), removed.end(), stuck) != removed.end() ? 1 : 0;
  };
  const auto collect = [&] { return t.library->collect(0s); };
  const auto refused = collect();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::io);
  CHECK(refused.error().message.find("3 removed blobs cannot be wiped") != std::string::npos);
  CHECK(refused.error().message.find("wipe fails for ever") != std::string::npos);
  t.clock->advance(61s);
  // Those that were claimed with it go; it stays, and is told of.
  CHECK(collect().error().message.find("1 removed blobs cannot be wiped, such as " + stuck.to_hex() + " (tried 2 times") !=
        std::string::npos);
  CHECK_FALSE(t.repository->find_blob(digests[0]).value());
  CHECK_FALSE(t.repository->find_blob(digests[2]).value());
  CHECK(t.repository->find_blob(stuck).value()->state == BlobState::deleting);
  // Its pause is two minutes by now, and for as long it is only told of.
  t.clock->advance(61s);
  CHECK_FALSE(collect());
  CHECK(tries == 2);
  t.clock->advance(61s);
  CHECK_FALSE(collect());
  CHECK(tries == 3);

  const auto other = t.ingest(test::noise(1'000, 9));
  CHECK(t.library->remove(other.media.id).value());
  CHECK_FALSE(collect());
  CHECK_FALSE(t.repository->find_blob(other.digest).value());

  // A month of collections: once a day in the end.
  for (int hour = 0; hour < 30 * 24; ++hour) {
    t.clock->advance(1h);
    CHECK_FALSE(collect());
  }
  CHECK(tries < 50);
  CHECK(tries > 30);
  // The clock is put back by more than the longest pause: nothing waits for it to catch up.
  const int before = tries;
  t.clock->advance(-48h);
  CHECK_FALSE(collect());
  CHECK(tries == before);  // what was claimed in the future is nobody's yet
  t.clock->advance(72h + 61s);
  t.scripts[1].unwipeable.clear();
  CHECK(collect());
  CHECK_FALSE(t.repository->find_blob(stuck).value());
}

TEST_CASE("tiers: who erases again after an erasure that died ends that one, too, or is told that it is not complete") {
  Tiers t;
  const auto stored = t.ingest(test::noise(1'000, 1), "somebody");
  CHECK(t.library->remove(stored.media.id).value());
  claim(t, std::span(&stored.digest, 1));
  EraseRequest request;
  request.owner = "somebody";
  t.scripts[1].unwipeable = {stored.digest};
  const auto refused = t.library->erase(request).value();
  REQUIRE(refused.failure);
  CHECK(refused.failure->message.find("1 removed blobs cannot be wiped") != std::string::npos);
  t.scripts[1].unwipeable.clear();
  t.clock->advance(61s);
  CHECK_FALSE(t.library->erase(request).value().failure);
  CHECK(t.places(stored.digest).empty());
  CHECK_FALSE(t.repository->find_blob(stored.digest).value());
}

TEST_CASE("tiers: where the place is down one try in a collection is enough, and all of it goes once it is back") {
  Tiers t;
  const std::vector<Digest> digests = claim_some(t, 100);
  int tries = 0;
  t.scripts[2].fail_wipe = true;
  t.scripts[2].on_wipe = [&](std::span<const Digest>) { ++tries; };
  for (int i = 1; i <= 4; ++i) {
    CHECK(t.library->collect(0s).error().code == Errc::unavailable);
    CHECK(tries == i);
    t.clock->advance(61s);
  }
  t.scripts[2].fail_wipe = false;
  t.clock->advance(1h);
  CHECK(t.library->collect(0s).value().removed == 100);
  for (const Digest& digest : digests) CHECK_FALSE(t.repository->find_blob(digest).value());
}

TEST_CASE("tiers: what is erased and sent again before its hotter copy goes keeps the new one") {
  // The copy below was read back; before the hotter one goes the blob is erased and stored anew, so that the hot copy is the only one.
  Tiers t;
  const auto content = test::noise(1'000, 1);
  const auto first = t.ingest(content, "one");
  MediaId second = 0;
  t.scripts[2].after_open = [&] {
    if (second != 0) return;
    EraseRequest request;
    request.owner = "one";
    CHECK_FALSE(t.library->erase(request).value().failure);
    second = t.ingest(content, "two").media.id;
  };
  CHECK(t.library->arrange_tiers(Tiers::by("none", "size>0")).value().demoted == 0);
  REQUIRE(second != 0);
  CHECK(t.places(first.digest) == "hot");
  CHECK(t.read(second) == content);
  CHECK(t.library->verify({}).value().intact());
}

TEST_CASE("tiers: whoever erases and sends again while the hotter copy goes comes after it") {
  Tiers t;
  const auto content = test::noise(1'000, 1);
  t.ingest(content, "one");
  std::jthread other;
  bool copied = false;
  MediaId second = 0;
  t.scripts[2].after_open = [&] { copied = true; };
  t.scripts[2].before = [&](const char* name) {
    // The look at the colder copy, within the transaction in which the hotter one goes.
    if (!copied || other.joinable() || std::string(name) != "stat") return;
    other = std::jthread([&] {
      EraseRequest request;
      request.owner = "one";
      CHECK_FALSE(t.library->erase(request).value().failure);
      second = t.ingest(content, "two").media.id;
    });
    std::this_thread::sleep_for(50ms);
  };
  CHECK(t.library->arrange_tiers(Tiers::by("none", "size>0")).value().demoted == 1);
  REQUIRE(other.joinable());
  other.join();
  CHECK(t.places(Digest::of(content)) == "hot");
  CHECK(t.read(second) == content);
  CHECK(t.library->verify({}).value().intact());
}

TEST_CASE("tiers: while a tier is down nothing is erased, and nothing is said to be") {
  for (std::size_t down = 0; down < 3; ++down) {
    Tiers t;
    const auto stored = t.ingest(test::noise(1'000, 1), "somebody");
    put_into(*t.stores[2], test::noise(1'000, 1));
    Script& script = t.scripts[down];
    script.calls = 0;
    script.for_ever = true;
    script.fail_at = 0;
    EraseRequest request;
    request.owner = "somebody";
    const auto erased = t.library->erase(request);
    INFO(kNames[down]);
    REQUIRE_FALSE(erased);
    CHECK(erased.error().code == Errc::unavailable);
    CHECK(erased.error().message.find(std::string("the ") + kNames[down] + " tier does not answer, and nothing was erased") !=
          std::string::npos);
    CHECK(t.library->find(stored.media.id).value());
    script.fail_at = -1;
    // One that goes down after it was asked: what is gone is told with what failed, and the rest is claimed for the collection.
    script.before = [&](const char* name) {
      if (std::string(name) == "remove") script.fail_at = 0;
    };
    const auto halfway = t.library->erase(request);
    if (halfway) {
      CHECK(halfway->failure);
    } else {
      CHECK(halfway.error().code == Errc::unavailable);
    }
    script.before = {};
    script.fail_at = -1;
    t.clock->advance(61s);
    CHECK(t.library->collect(0s));
    CHECK(t.places(stored.digest).empty());
    CHECK_FALSE(t.repository->find_blob(stored.digest).value());
  }
}

TEST_CASE("tiers: with one down, the others are read and stored into, and arranging says which") {
  Tiers t;
  const auto hot = t.ingest(test::noise(1'000, 1));
  const auto cold = t.ingest(test::noise(60'000, 2));
  t.arrange("none", "size>=10k");
  Script& script = t.scripts[2];
  script.calls = 0;
  script.for_ever = true;
  script.fail_at = 0;
  CHECK(t.read(hot.media.id) == test::noise(1'000, 1));
  CHECK(t.read(t.ingest(test::noise(3'000, 3)).media.id) == test::noise(3'000, 3));
  const auto read = t.library->read(cold.media.id);
  REQUIRE_FALSE(read);
  CHECK(read.error().code == Errc::unavailable);
  CHECK(read.error().message.find("the cold tier") != std::string::npos);
  CHECK(t.library->check_store());
  const auto arranged = t.library->arrange_tiers(Tiers::by("none", "size>=10k"));
  REQUIRE_FALSE(arranged);
  CHECK(arranged.error().code == Errc::unavailable);
  // Nothing is called lost, or thrown away, because of it.
  CHECK_FALSE(t.library->collect(0s));
  script.fail_at = -1;
  CHECK(t.read(cold.media.id) == test::noise(60'000, 2));
  CHECK(t.library->verify({}).value().intact());
}

TEST_CASE("tiers: a library with one store has none") {
  test::LibraryFixture f(false);
  CHECK(f.library->tier_names().empty());
  CHECK(f.library->arrange_tiers({}).error().code == Errc::unsupported);
  CHECK(f.library->promote_read(1'000, {}).value() == 0);
  CHECK(f.library->check_tier(0).error().code == Errc::invalid_argument);
}
