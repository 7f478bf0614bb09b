// Renditions as a stock: within a budget, dropped, and proven by being made again.
#include <algorithm>
#include <map>
#include <set>

#include "library_fixture.hpp"
#include "repository/migrations.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;

namespace {

Transform wide(std::uint32_t width) { return Transform{.width = width, .format = Format::webp}; }

/// The scripted processor's outputs of these widths have all the same size.
constexpr std::uint64_t kSize = 85;

std::set<std::uint32_t> widths_of(const Library& library, MediaId id) {
  std::set<std::uint32_t> widths;
  for (const Rendition& rendition : library.renditions(id).value()) {
    if (rendition.on_demand) widths.insert(rendition.width);
  }
  return widths;
}

/// Makes or fetches a picture, a minute after whatever was before.
Rendition use(LibraryFixture& f, MediaId id, std::uint32_t width) {
  f.clock->advance(1min);
  auto picture = f.library->derive(id, wide(width));
  INFO((picture ? std::string() : picture.error().message));
  REQUIRE(picture);
  return picture->rendition;
}

std::unique_ptr<Repository> catalog_of(const LibraryFixture& f) {
  return open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
}

using Problem = RenditionFault::Problem;

std::map<std::string, Problem> faults_of(Library& library, VerifyRenditionsReport& report,
                                         std::optional<std::size_t> sample = std::nullopt) {
  std::map<std::string, Problem> faults;
  VerifyRenditionsOptions options;
  options.sample = sample;
  options.on_fault = [&](const RenditionFault& fault) {
    faults[fault.rendition.transform] = fault.problem;
    CHECK_FALSE(fault.message.empty());
  };
  const auto verified = library.verify_renditions(options);
  INFO((verified ? std::string() : verified.error().message));
  REQUIRE(verified);
  report = *verified;
  return faults;
}

}  // namespace

TEST_CASE("library: of the pictures made on demand the least recently used go first, and presets' stay") {
  LibraryFixture f;
  f.rendition_budget_bytes = 3 * kSize + 20;
  f.open();
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  const MediaId id = stored.media.id;
  REQUIRE(f.library->process(id));
  REQUIRE(use(f, id, 101).size_bytes == kSize);
  const Rendition second = use(f, id, 102);
  use(f, id, 103);
  CHECK(widths_of(*f.library, id) == std::set<std::uint32_t>{101, 102, 103});
  use(f, id, 101);  // Now 102 is the one that nobody asked for the longest.
  use(f, id, 104);
  CHECK(widths_of(*f.library, id) == std::set<std::uint32_t>{101, 103, 104});
  CHECK(f.library->derivation_stats().evicted == 1);
  CHECK(f.library->rendition_usage(true).value() == RenditionUsage{3, 3 * kSize});

  // A preset's rendition neither counts nor goes, also where it was made on demand.
  CHECK(f.library->renditions(id).value().size() == 3 + 9);
  REQUIRE(f.library->drop_renditions({.media = id}).value().renditions == 12);
  Transform preset = f.library->presets().front().transform;
  preset.format = Format::webp;
  CHECK_FALSE(f.library->derive(id, preset).value().rendition.on_demand);
  CHECK(f.library->rendition_usage(true).value() == RenditionUsage{});
  CHECK(f.library->rendition_usage(false).value().renditions == 1);

  // The bytes go the way of all that nothing refers to.
  CHECK(f.on_disk(second.digest));
  CHECK(f.library->collect().value().removed == 0);
  CHECK(f.on_disk(second.digest));
  f.clock->advance(25h);
  CHECK(f.library->collect().value().removed == 12);
  CHECK_FALSE(f.on_disk(second.digest));
  CHECK(f.library->verify({}).value().intact());
  CHECK(use(f, id, 102).digest == second.digest);
}

TEST_CASE("library: the order of uses survives a reopening, and a collection keeps within the budget too") {
  LibraryFixture f;
  const MediaId id = f.ingest(png(1), {.filename = "a.png"}).media.id;
  for (std::uint32_t width = 101; width <= 110; ++width) use(f, id, width);
  use(f, id, 101);
  use(f, id, 103);
  f.rendition_budget_bytes = 4 * kSize + 20;
  f.open();  // without a word to the library before: its end writes down what it has seen
  CHECK(widths_of(*f.library, id).size() == 10);
  const auto report = f.library->collect().value();
  CHECK(report.evicted == RenditionUsage{6, 6 * kSize});
  CHECK(widths_of(*f.library, id) == std::set<std::uint32_t>{101, 103, 109, 110});
  CHECK(report.condemned == 6);  // at once, and not a collection later
  CHECK(f.library->collect().value().evicted == RenditionUsage{});
}

TEST_CASE("library: uses are written down together, not one by one") {
  LibraryFixture f;
  const MediaId id = f.ingest(png(1), {.filename = "a.png"}).media.id;
  const Rendition made = use(f, id, 101);
  const auto catalog = catalog_of(f);
  const auto noted = [&] { return catalog->find_rendition(made.source, made.transform, made.encoder).value()->used_at; };
  const Timestamp before = noted();
  for (int i = 0; i < 20; ++i) use(f, id, 101);
  CHECK(noted() == before);
  CHECK(f.library->drop_renditions({.unused_for = 5min}).value() == RenditionUsage{});  // It knows better, and says so from now on.
  CHECK(noted() == f.clock->now());
}

TEST_CASE("library: one picture that is larger than the budget is handed out, and not kept") {
  LibraryFixture f;
  f.rendition_budget_bytes = kSize / 2;
  f.open();
  const MediaId id = f.ingest(png(1), {.filename = "a.png"}).media.id;
  for (int i = 0; i < 2; ++i) {
    const auto picture = f.library->derive(id, wide(101));
    REQUIRE(picture);
    CHECK(read_all(*picture->content, 1000).value().size() == kSize);
    CHECK(widths_of(*f.library, id).empty());
  }
  CHECK(f.processor->calls == 2);
}

TEST_CASE("library: a thousand pictures by many callers stay within the budget, and all are good") {
  LibraryFixture f;
  f.pack_below_bytes = 1000;
  f.rendition_budget_bytes = 50 * kSize;
  f.open();
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> callers;
    for (std::uint32_t t = 0; t < 4; ++t) {
      callers.emplace_back([&, t] {
        for (std::uint32_t i = 0; i < 250; ++i) {
          const auto picture = f.library->derive(stored.media.id, wide(100 + t * 200 + i % 190));
          if (picture && read_all(*picture->content, 1000).value().size() == kSize) ++good;
        }
      });
    }
  }
  CHECK(good == 1000);
  CHECK(f.library->rendition_usage(true).value().size_bytes <= f.rendition_budget_bytes);
  CHECK(f.library->rendition_usage(true).value().renditions >= 45);
  f.clock->advance(25h);
  REQUIRE(f.library->collect());
  f.clock->advance(25h);
  REQUIRE(f.library->collect());
  CHECK(f.library->verify({}).value().intact());
}

TEST_CASE("library: two on one store share the budget, and neither is handed a picture that the other dropped") {
  LibraryFixture f;
  f.rendition_budget_bytes = 5 * kSize;
  f.open();
  const MediaId id = f.ingest(png(1), {.filename = "a.png"}).media.id;
  LibraryOptions options;
  options.base_path = f.folder / "store";
  options.processor = std::make_unique<test::ScriptedProcessor>();
  options.clock = f.clock;
  const auto other = Library::open(std::move(options)).value();  // has no budget of its own
  for (std::uint32_t width = 101; width <= 120; ++width) REQUIRE(other->derive(id, wide(width)));
  CHECK(f.library->collect(0s).value().evicted.renditions >= 15);
  CHECK(f.library->rendition_usage(true).value().size_bytes <= f.rendition_budget_bytes);
  for (std::uint32_t width = 101; width <= 120; ++width) {
    const auto picture = other->derive(id, wide(width));
    REQUIRE(picture);
    CHECK(read_all(*picture->content, 1000).value().size() == kSize);
  }
}

TEST_CASE("library: renditions are dropped all, of a media, or those that nobody was handed for long") {
  LibraryFixture f;
  const auto one = f.ingest(png(1), {.filename = "a.png"}).media;
  const auto two = f.ingest(png(2), {.filename = "b.png"}).media;
  const auto pending = f.library->promise({.filename = "c.png", .media_type = "image/png", .size_bytes = 10}).value();
  for (const MediaId id : {one.id, two.id}) {
    for (std::uint32_t width = 101; width <= 103; ++width) use(f, id, width);
  }
  CHECK(f.library->drop_renditions({.media = one.id}).value() == RenditionUsage{3, 3 * kSize});
  CHECK(widths_of(*f.library, one.id).empty());
  CHECK(widths_of(*f.library, two.id).size() == 3);
  CHECK(f.library->drop_renditions({.media = one.id}).value() == RenditionUsage{});
  CHECK(f.library->drop_renditions({.media = pending.media_id}).value() == RenditionUsage{});
  CHECK(f.library->drop_renditions({.media = 999}).error().code == Errc::not_found);
  CHECK(f.library->drop_renditions({.unused_for = -1s}).error().code == Errc::invalid_argument);

  f.clock->advance(1h);
  use(f, two.id, 102);
  CHECK(f.library->drop_renditions({.unused_for = std::chrono::hours(24 * 365 * 1000)}).value() == RenditionUsage{});
  CHECK(f.library->drop_renditions({.media = one.id, .unused_for = 0s}).value() == RenditionUsage{});
  CHECK(f.library->drop_renditions({.unused_for = 30min}).value() == RenditionUsage{2, 2 * kSize});
  CHECK(widths_of(*f.library, two.id) == std::set<std::uint32_t>{102});

  // More than one look at the catalog takes in.
  for (std::uint32_t width = 200; width < 900; ++width) REQUIRE(f.library->derive(one.id, wide(width)));
  CHECK(f.library->drop_renditions({}).value() == RenditionUsage{701, 701 * kSize});
  CHECK(f.library->rendition_usage(false).value() == RenditionUsage{});
  CHECK(f.library->derive(two.id, wide(102)).has_value());

  LibraryOptions options;
  options.base_path = f.folder / "store";
  options.processor = std::make_unique<test::ScriptedProcessor>();
  options.read_only = true;
  CHECK(Library::open(std::move(options)).value()->drop_renditions({}).error().code == Errc::denied);
}

TEST_CASE("library: renditions are proven by being made again, and what is wrong is told apart") {
  LibraryFixture f;
  const auto one = f.ingest(png(1), {.filename = "a.png"});
  const auto two = f.ingest(png(2), {.filename = "b.png"});
  REQUIRE(f.library->process(one.media.id));
  for (std::uint32_t width = 101; width <= 103; ++width) use(f, one.media.id, width);
  use(f, two.media.id, 104);
  VerifyRenditionsReport report;
  CHECK(faults_of(*f.library, report).empty());
  CHECK(report.reproducible());
  CHECK(report.checked == 13);
  CHECK(report.same == 13);
  CHECK(report.outdated == 0);
  CHECK(faults_of(*f.library, report, 5).empty());
  CHECK(report.checked == 5);
  CHECK(faults_of(*f.library, report, 5000).empty());
  CHECK(report.checked == 13);

  // Older ones are counted, and left alone; one that this build cannot read is no proof of anything.
  const auto catalog = catalog_of(f);
  REQUIRE(catalog->write([&](Transaction& transaction) -> Result<void> {
    MEDIA_TRY_ASSIGN(auto rows, transaction.list_renditions(two.digest));
    Rendition older = rows.front();
    older.encoder = "webp-0.1";
    MEDIA_TRY(transaction.put_rendition(older));
    Rendition future = rows.front();
    future.transform = "w=105,shine=1,format=webp";
    return transaction.put_rendition(future);
  }));
  // What the encoder does today is not what it did.
  f.processor->salt = "!";
  auto faults = faults_of(*f.library, report);
  CHECK(faults.size() == 14);
  CHECK(faults.at("w=101,format=webp") == Problem::differs);
  CHECK(faults.at("w=105,shine=1,format=webp") == Problem::not_made);
  CHECK(report.differing == 13);
  CHECK(report.not_made == 1);
  CHECK(report.same == 0);
  CHECK(report.outdated == 1);
  CHECK_FALSE(report.reproducible());
  CHECK(f.library->renditions(one.media.id).value().size() == 12);  // Nothing was changed.
  f.processor->salt.clear();

  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::too_large, "too much"}; };
  faults = faults_of(*f.library, report);
  CHECK(report.not_made == 14);
  CHECK(faults.at("w=102,format=webp") == Problem::not_made);
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::unavailable, "no worker to be had"}; };
  CHECK(f.library->verify_renditions({}).error().code == Errc::unavailable);  // That says nothing of any rendition.
  f.processor->before = nullptr;

  test::lose_blob(f.folder / "store", two.digest.to_hex());
  f.open();
  faults = faults_of(*f.library, report);
  CHECK(faults.size() == 2);
  CHECK(faults.at("w=104,format=webp") == Problem::source_lost);
  CHECK(report.source_lost == 2);
  CHECK(report.same == 12);

  std::stop_source stop;
  stop.request_stop();
  VerifyRenditionsOptions stopped;
  stopped.stop = stop.get_token();
  CHECK(f.library->verify_renditions(stopped).error().code == Errc::cancelled);
}

TEST_CASE("library: what a migration took for presets' renditions are those of the presets that there are") {
  const std::string sql(catalog_migrations()[7].sql);
  REQUIRE(sql.find("on_demand") != std::string::npos);
  for (const Preset& preset : default_presets()) {
    for (const Format format : preset.formats) {
      Transform transform = preset.transform;
      transform.format = format;
      CHECK(sql.find("'" + to_string(transform) + "'") != std::string::npos);
    }
  }
}
