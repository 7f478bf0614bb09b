// What a library tells of the time its stages take, by the format of what goes through them.
#include <numeric>

#include "library_fixture.hpp"
#include "media/measures.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;

namespace {

/// How often a stage was gone through.
std::uint64_t times(const Measures& measured, Stage stage, Format format) {
  std::uint64_t all = 0;
  for (const StageTimes& each : measured.stages) {
    if (each.stage == stage && each.format == format) all += std::accumulate(each.counts.begin(), each.counts.end(), std::uint64_t{0});
  }
  return all;
}
const StageTimes& only(const Measures& measured, Stage stage) {
  const StageTimes* found = nullptr;
  for (const StageTimes& each : measured.stages) {
    if (each.stage != stage) continue;
    REQUIRE(found == nullptr);
    found = &each;
  }
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("library: each stage of a content's way is measured under its format, and nothing before it happened") {
  LibraryFixture f;
  CHECK(measures(*f.library).stages.empty());
  const Media media = f.ingest(png(1), {.filename = "a.png"}).media;
  f.ingest(png(2), {.filename = "b.png"});
  const auto refused = f.ingest(test::bytes("no picture"), {.filename = "c.png"});
  REQUIRE(refused.status == IngestStatus::refused);
  auto measured = measures(*f.library);
  CHECK(times(measured, Stage::ingest_admit, Format::png) == 2);
  CHECK(times(measured, Stage::ingest_admit, Format::unknown) == 1);
  CHECK(only(measured, Stage::ingest_keep).format == Format::png);
  CHECK(times(measured, Stage::ingest_keep, Format::png) == 2);
  CHECK(times(measured, Stage::ingest_scan, Format::png) == 0);  // there is no scanner
  CHECK(times(measured, Stage::derive_make, Format::png) == 0);

  REQUIRE(f.library->run_jobs({}).value() == 2);
  REQUIRE(f.library->derive(media.id, Transform{.width = 77}));
  REQUIRE(f.library->derive(media.id, Transform{.width = 77}));  // is there already
  measured = measures(*f.library);
  CHECK(times(measured, Stage::derive_wait, Format::png) == 3);
  CHECK(times(measured, Stage::derive_make, Format::png) == 3);
  CHECK(times(measured, Stage::derive_keep, Format::png) == 3);
}

TEST_CASE("library: a stage's time is in the bucket that it belongs to, that of failures too") {
  LibraryFixture f;
  const Media media = f.ingest(png(1), {.filename = "a.png"}).media;
  f.processor->before = [](const DeriveOptions&) -> Result<void> {
    std::this_thread::sleep_for(60ms);
    return Error{Errc::corrupt, "scripted"};
  };
  REQUIRE_FALSE(f.library->derive(media.id, Transform{.width = 77}));
  const Measures measured = measures(*f.library);
  const StageTimes& make = only(measured, Stage::derive_make);
  CHECK(make.sum_seconds >= 0.06);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < StageTimes::kBounds.size() && StageTimes::kBounds.at(i) <= 0.05; ++i) below += make.counts.at(i);
  CHECK(below == 0);
  CHECK(std::accumulate(make.counts.begin(), make.counts.end(), std::uint64_t{0}) == 1);
  CHECK(times(measured, Stage::derive_keep, Format::png) == 0);
}
