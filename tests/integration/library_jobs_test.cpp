#include <set>

#include "library_fixture.hpp"

using namespace media;
using test::LibraryFixture;
using test::mp4;
using test::png;

TEST_CASE("library: an image is processed into every preset and format") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  CHECK(stored.media.status == MediaStatus::processing);
  const auto media = f.library->process(stored.media.id).value();
  CHECK(media.status == MediaStatus::complete);
  CHECK(media.placeholder == "#102030");
  CHECK(media.appearance == test::ScriptedProcessor::appearance_of(png(1)));
  CHECK(f.processor->calls == 1);
  CHECK(media.completed_at.has_value());
  std::set<std::string> made;
  for (const auto& rendition : f.library->renditions(media.id).value()) made.insert(rendition.transform);
  std::set<std::string> wanted;
  for (const auto& preset : f.library->presets()) {
    for (const Format format : preset.formats) {
      Transform transform = preset.transform;
      transform.format = format;
      wanted.insert(to_string(transform));
    }
  }
  CHECK(made == wanted);
  CHECK_FALSE(f.library->find_job(media.id).value());

  const auto before = f.processor->calls.load();
  Transform thumb = f.library->presets().front().transform;
  thumb.format = Format::webp;
  const auto picture = f.library->derive(media.id, thumb).value();
  CHECK(picture.rendition.format == Format::webp);
  CHECK(picture.content->size() == picture.rendition.size_bytes);
  CHECK(f.processor->calls == before);  // it was there
}

TEST_CASE("library: a second media on the same blob needs no second decoding") {
  LibraryFixture f;
  const auto first = f.ingest(png(1), {.filename = "a.png"});
  REQUIRE(f.library->run_jobs({}).value() == 1);
  const auto second = f.ingest(png(1), {.owner = "other", .filename = "b.png"});
  const auto media = f.library->process(second.media.id).value();
  CHECK(media.status == MediaStatus::complete);
  CHECK(f.library->renditions(media.id).value() == f.library->renditions(first.media.id).value());
}

TEST_CASE("library: what cannot be decoded becomes Failed, with the reason") {
  LibraryFixture f;
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "the scan ends early"}; };
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  const auto media = f.library->process(stored.media.id).value();
  CHECK(media.status == MediaStatus::failed);
  CHECK(media.error_message == "the scan ends early");
  CHECK(f.content_of(media.id) == png(1));  // the original stays
  CHECK(f.processor->calls == 1);
}

TEST_CASE("library: a video has pictures where the processor makes them, and is none the worse where nothing can be shown") {
  LibraryFixture f;
  // As ever where nobody decodes videos: Complete at once, and no picture.
  const auto plain = f.ingest(mp4(64, 48, 1000, 500), {.filename = "a.mp4"});
  CHECK(plain.media.status == MediaStatus::complete);
  CHECK(f.library->derive(plain.media.id, {.width = 32}).error().code == Errc::unsupported);
  CHECK(f.processor->calls == 0);

  f.processor->shows_videos = true;
  const auto shown = f.ingest(mp4(64, 48, 1000, 501), {.filename = "b.mp4"});
  CHECK(shown.media.status == MediaStatus::processing);
  CHECK(f.library->process(shown.media.id)->status == MediaStatus::complete);
  CHECK(f.library->renditions(shown.media.id)->size() == 9);
  // What was there before has pictures on demand.
  CHECK(f.library->derive(plain.media.id, {.width = 32}).has_value());

  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::unsupported, "the video is encrypted"}; };
  const auto locked = f.library->process(f.ingest(mp4(64, 48, 1000, 502), {.filename = "c.mp4"}).media.id).value();
  CHECK(locked.status == MediaStatus::complete);
  CHECK(locked.error_message.empty());
  CHECK(f.library->renditions(locked.id)->empty());
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::corrupt, "no frame"}; };
  const auto broken = f.library->process(f.ingest(mp4(64, 48, 1000, 503), {.filename = "d.mp4"}).media.id).value();
  CHECK(broken.status == MediaStatus::failed);
  CHECK(broken.error_message == "no frame");
}

TEST_CASE("library: a worker's death is tried once more, then it is the file's fault") {
  LibraryFixture f;
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::internal, "the worker died of signal 11"}; };
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  const auto media = f.library->process(stored.media.id).value();
  CHECK(media.status == MediaStatus::failed);
  CHECK_THAT(media.error_message, ContainsSubstring("signal 11"));
  CHECK(f.processor->calls == 2);
}

TEST_CASE("library: a passing fault is tried again later") {
  LibraryFixture f;
  int left = 2;
  f.processor->before = [&](const DeriveOptions&) -> Result<void> {
    if (left-- > 0) return Error{Errc::unavailable, "no worker to be had"};
    return {};
  };
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  CHECK(f.library->run_jobs({}).value() == 1);
  CHECK(f.library->run_jobs({}).value() == 0);  // not due yet
  CHECK(f.library->find_job(stored.media.id).value()->last_error == "put off 1 time: no worker to be had");
  f.clock->advance(std::chrono::minutes(1));
  CHECK(f.library->run_jobs({}).value() == 1);
  f.clock->advance(std::chrono::minutes(1));
  CHECK(f.library->run_jobs({}).value() == 1);
  CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::complete);
}

TEST_CASE("library: a fault of the place uses up no media, and tells nobody of its paths") {
  LibraryFixture f;
  const Error fault = GENERATE(Error{Errc::unavailable, "no worker to be had: /opt/media/libexec/media-worker did not start in time"},
                               Error{Errc::io, "read /srv/media/ab/cd: Input/output error"},
                               Error{Errc::no_space, "write /srv/media/temp/x: No space left on device"},
                               Error{Errc::denied, "write /srv/media/temp/x: Read-only file system"});
  INFO(fault.message);
  bool lasts = true;
  f.processor->before = [&](const DeriveOptions&) -> Result<void> { return lasts ? Result<void>(fault) : Result<void>(); };
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  std::chrono::milliseconds pause{1000};
  for (std::uint32_t i = 1; i <= 20; ++i) {
    INFO(i);
    REQUIRE(f.library->run_jobs({}).value() == 1);
    const Job job = f.library->find_job(stored.media.id).value().value();
    CHECK(job.attempts == 0);
    CHECK(job.run_after - f.clock->now() == pause);
    CHECK_THAT(job.last_error, ContainsSubstring(fault.message));  // for whoever runs the server
    const Media media = f.library->find(stored.media.id).value().value();
    CHECK(media.status == MediaStatus::processing);
    CHECK(media.error_message.empty());
    f.clock->advance(pause - std::chrono::milliseconds(1));
    CHECK(f.library->run_jobs({}).value() == 0);
    f.clock->advance(std::chrono::milliseconds(1));
    pause = std::min<std::chrono::milliseconds>(pause * 2, std::chrono::minutes(5));
  }
  SECTION("it passes") {
    lasts = false;
    CHECK(f.library->run_jobs({}).value() == 1);
    CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::complete);
  }
  SECTION("it lasts for a day") {
    const auto begun = f.clock->now();
    while (f.library->find_job(stored.media.id).value()) {
      REQUIRE(f.library->run_jobs({}).has_value());
      f.clock->advance(pause);
      REQUIRE(f.clock->now() - begun < std::chrono::hours(26));
    }
    CHECK(f.clock->now() - begun > std::chrono::hours(23));
    const Media media = f.library->find(stored.media.id).value().value();
    CHECK(media.status == MediaStatus::failed);
    CHECK(media.error_message == "it could not be processed here in 300 attempts (" + std::string(to_string(fault.code)) + ")");
  }
  SECTION("whoever waits for it is told, and it stays in the queue") {
    CHECK(f.library->process(stored.media.id).error().code == Errc::unavailable);
    CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::processing);
    CHECK(f.library->find_job(stored.media.id).value().has_value());
  }
}

TEST_CASE("library: queued jobs survive the process, and a dead owner's lease runs out") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  {
    // Somebody claims the job and is never heard of again.
    const auto repository = open_sqlite_repository({.path = f.folder / "store" / "catalog.db"}).value();
    REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
      MEDIA_TRY_ASSIGN(const auto claimed,
                       transaction.claim_jobs("derive", f.clock->now(), "dead", f.clock->now() + std::chrono::seconds(60), 1, 0));
      if (claimed.size() != 1) return Error{Errc::internal, "nothing to claim"};
      return {};
    }));
  }
  f.open();
  CHECK(f.library->run_jobs({}).value() == 0);
  CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::processing);
  f.clock->advance(std::chrono::seconds(61));
  CHECK(f.library->run_jobs({}).value() == 1);
  CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::complete);
}

TEST_CASE("library: a job that lost its lease writes nothing") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  f.processor->before = [&](const DeriveOptions&) -> Result<void> {
    if (f.processor->calls == 1) {
      f.clock->advance(std::chrono::hours(1));  // slept through its lease; another runner takes the job and finishes it
      CHECK(f.library->run_jobs({.limit = 1}).value() == 1);
    }
    return {};
  };
  CHECK(f.library->run_jobs({.limit = 1}).value() == 1);
  CHECK(f.processor->calls == 2);
  CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::complete);
  CHECK(f.library->renditions(stored.media.id).value().size() == 9);
}

TEST_CASE("library: many runners do each job once") {
  LibraryFixture f;
  constexpr int kMedia = 40;
  for (int i = 0; i < kMedia; ++i) f.ingest(png(static_cast<std::uint64_t>(i)), {.filename = std::to_string(i) + ".png"});
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> runners;
    for (int t = 0; t < 4; ++t) runners.emplace_back([&] { good += f.library->run_jobs({}).has_value() ? 1 : 0; });
  }
  CHECK(good == 4);
  CHECK(f.processor->calls == kMedia);
  CHECK(f.library->list({.status = MediaStatus::complete, .limit = 100}).value().media.size() == kMedia);
}

TEST_CASE("library: a waiting runner wakes for new work and stops when told") {
  LibraryFixture f;
  std::atomic<bool> good{false};
  std::jthread runner([&](const std::stop_token& stop) { good = f.library->run_jobs({.stop = stop, .until_idle = false}).has_value(); });
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  for (int i = 0; i < 500 && f.library->find(stored.media.id).value()->status != MediaStatus::complete; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(f.library->find(stored.media.id).value()->status == MediaStatus::complete);
  runner.request_stop();
  runner.join();
  CHECK(good);
}

TEST_CASE("library: calls for the same rendition share one making") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  f.processor->before = [](const DeriveOptions&) -> Result<void> {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    return {};
  };
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> callers;
    for (int t = 0; t < 8; ++t) {
      callers.emplace_back([&] {
        const auto picture = f.library->derive(stored.media.id, Transform{.width = 77, .format = Format::webp});
        if (picture && picture->rendition.transform == to_string(Transform{.width = 77, .format = Format::webp})) ++good;
      });
    }
  }
  CHECK(good == 8);
  CHECK(f.processor->calls == 1);
}

TEST_CASE("library: a rendition that is lost or damaged is made again") {
  LibraryFixture f;
  const auto stored = f.ingest(png(1), {.filename = "a.png"});
  const Transform transform{.width = 50, .format = Format::webp};
  const auto first = f.library->derive(stored.media.id, transform).value();
  test::lose_blob(f.folder / "store", first.rendition.digest.to_hex());
  const auto second = f.library->derive(stored.media.id, transform).value();
  CHECK(second.rendition.digest == first.rendition.digest);
  CHECK(read_all(*second.content, 1000).value().size() == second.rendition.size_bytes);
  CHECK(f.library->derive(999, transform).error().code == Errc::not_found);
  const auto any = f.ingest(test::noise(100), {.filename = "x", .any_content = true});
  CHECK(f.library->derive(any.media.id, transform).error().code == Errc::unsupported);
}
