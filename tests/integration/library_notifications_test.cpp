// What others are told of a media's end: kept with the change, told at least once, given up in the end.
#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;
using test::png;

namespace {

std::string describe(MediaEvent event, const Media& media) {
  if (media.filename == "quiet.png") return {};
  const char* const name = event == MediaEvent::completed ? "completed" : event == MediaEvent::failed ? "failed" : "removed";
  return std::string(name) + " " + media.filename;
}

struct Telling : LibraryFixture {
  Telling() {
    describe_event = &describe;
    on_media_changed = [this](MediaId id) { changed.push_back(id); };
    open();
  }
  /// Hands out what waits; what the sender was given.
  std::vector<Notification> send(const Result<void>& answer = {}) {
    std::vector<Notification> seen;
    const auto told = library->send_notifications(
        [&](const Notification& notification) {
          seen.push_back(notification);
          return answer;
        },
        {});
    REQUIRE(told);
    CHECK(*told == seen.size());
    return seen;
  }

  std::vector<MediaId> changed;
};

}  // namespace

TEST_CASE("library: what becomes of a media is told in order, once, and never of what nobody asked about") {
  Telling f;
  const auto good = f.ingest(png(1), {.filename = "good.png"});
  CHECK(f.send().empty());
  CHECK(f.library->process(good.media.id).value().status == MediaStatus::complete);
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "the scan ends early"}; };
  const auto bad = f.ingest(png(2), {.filename = "bad.png"});
  CHECK(f.library->process(bad.media.id).value().status == MediaStatus::failed);
  f.ingest(test::bytes("anything"), {.filename = "notes.txt", .any_content = true});  // complete as it comes
  CHECK(f.library->remove(f.ingest(png(3), {.filename = "quiet.png"}).media.id).value());
  CHECK(f.library->remove(good.media.id).value());
  CHECK_FALSE(f.library->remove(good.media.id).value());

  f.open();  // they survive the process, and the media that they tell of
  const auto told = f.send();
  REQUIRE(told.size() == 4);
  CHECK(told[0].payload == "completed good.png");
  CHECK(told[1].payload == "failed bad.png");
  CHECK(told[2].payload == "completed notes.txt");
  CHECK(told[3].payload == "removed good.png");
  for (std::size_t i = 1; i < told.size(); ++i) CHECK(told[i - 1].id < told[i].id);
  CHECK(f.send().empty());
  CHECK(std::count(f.changed.begin(), f.changed.end(), good.media.id) == 3);  // stored, complete, removed
}

TEST_CASE("library: media that are removed together, or expire, are told each for itself") {
  Telling f;
  std::vector<MediaId> ids;
  for (std::uint64_t i = 0; i < 3; ++i) {
    ids.push_back(f.ingest(png(i), {.filename = std::to_string(i) + ".png"}).media.id);
    REQUIRE(f.library->process(ids.back()));
  }
  CHECK(f.send().size() == 3);
  MediaChanges changes;
  changes.expires_at = f.clock->now() + std::chrono::hours(1);
  REQUIRE(f.library->update(ids[2], changes));
  const std::vector<MediaId> doomed = {ids[0], ids[1], ids[0]};
  CHECK(f.library->remove(doomed, std::nullopt).value().size() == 2);
  f.clock->advance(std::chrono::hours(2));
  CHECK(f.library->sweep_expired().value() == 1);
  const auto told = f.send();
  REQUIRE(told.size() == 3);
  CHECK(told[0].payload == "removed 0.png");
  CHECK(told[1].payload == "removed 1.png");
  CHECK(told[2].payload == "removed 2.png");
}

TEST_CASE("library: a receiver that is away is told later, with growing pauses, and is given up after a day and a half") {
  Telling f;
  REQUIRE(f.library->process(f.ingest(png(1), {.filename = "a.png"}).media.id));
  const Error away{Errc::unavailable, "no answer"};
  const Timestamp begun = f.clock->now();
  std::uint32_t attempts = 0;
  std::int64_t id = 0;
  for (int minutes = 0; minutes < 60 * 24 * 3; ++minutes) {
    const auto seen = f.send(away);
    REQUIRE(seen.size() <= 1);
    if (!seen.empty()) {
      CHECK(seen[0].attempts == ++attempts);
      CHECK((id == 0 || seen[0].id == id));
      id = seen[0].id;
      CHECK(f.clock->now() - begun < std::chrono::hours(40));
    }
    f.clock->advance(std::chrono::minutes(1));
  }
  CHECK(attempts == 16);
  CHECK(f.send().empty());
  // One that comes back in time is told, and one that is gone for good never again.
  REQUIRE(f.library->process(f.ingest(png(2), {.filename = "b.png"}).media.id));
  CHECK(f.send(away).size() == 1);
  CHECK(f.send().empty());
  f.clock->advance(std::chrono::seconds(10));
  CHECK(f.send().size() == 1);
  REQUIRE(f.library->process(f.ingest(png(3), {.filename = "c.png"}).media.id));
  CHECK(f.send(Error{Errc::denied, "gone"}).size() == 1);
  f.clock->advance(std::chrono::hours(48));
  CHECK(f.send().empty());
}

TEST_CASE("library: telling others holds up no pictures, and pictures no telling") {
  Telling f;
  const auto first = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->process(first.media.id));
  const auto second = f.ingest(png(2), {.filename = "b.png"});
  CHECK(f.send().size() == 1);                  // the second's job is not a notification
  CHECK(f.library->run_jobs({}).value() == 1);  // nor the other way round
  CHECK(f.library->find(second.media.id).value()->status == MediaStatus::complete);
}
