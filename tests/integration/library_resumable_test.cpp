// Resumable uploads: bytes that come in turns, survive what happens in between, and become a media once.
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

ResumableRequest request_of(const std::vector<std::byte>& content) {
  ResumableRequest request;
  request.owner = "ann";
  request.filename = "photo.png";
  request.declared_type = "image/png";
  request.metadata = "filename cGhvdG8ucG5n";
  request.size_bytes = content.size();
  return request;
}

/// A picture of many bytes.
std::vector<std::byte> big_png(std::uint8_t shade = 0) {
  return test::png(400, 300, [&](std::uint32_t x, std::uint32_t y) {
    const std::uint32_t mixed = (x * 2654435761U) ^ (y * 40503U * (x + 1U)) ^ shade;
    return test::Rgba{static_cast<std::uint8_t>(mixed), static_cast<std::uint8_t>(mixed >> 8U), static_cast<std::uint8_t>(mixed >> 16U),
                      255};
  });
}

std::span<const std::byte> part_of(const std::vector<std::byte>& content, std::size_t from, std::size_t to) {
  return std::span(content).subspan(from, to - from);
}

/// Begins an upload and sends `count` bytes in the first turn.
std::string begin(test::LibraryFixture& fixture, const ResumableRequest& request, const std::vector<std::byte>& content,
                  std::size_t count) {
  const auto turn = fixture.library->begin_resumable(request);
  REQUIRE(turn);
  REQUIRE((*turn)->write(part_of(content, 0, count)));
  REQUIRE((*turn)->settle());
  return (*turn)->upload().id;
}

/// Sends the rest and finishes.
Result<IngestOutcome> send_rest(test::LibraryFixture& fixture, const std::string& id, const std::vector<std::byte>& content) {
  MEDIA_TRY_ASSIGN(auto turn, fixture.library->resume(id, 1s));
  MEDIA_TRY(turn->write(part_of(content, turn->offset(), content.size())));
  MEDIA_TRY(turn->settle());
  return fixture.library->finish(std::move(turn));
}

std::size_t spooled(const test::LibraryFixture& fixture) { return test::count_files(fixture.folder / "store" / "uploads"); }
std::size_t count_media(const test::LibraryFixture& fixture) { return fixture.library->list({}).value().media.size(); }

}  // namespace

TEST_CASE("library: a resumable upload becomes an ordinary media with its last byte") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto content = big_png();
    const std::string id = begin(fixture, request_of(content), content, 1'000);
    const auto waiting = fixture.library->find_resumable(id).value().value();
    CHECK(waiting.owner == "ann");
    CHECK(waiting.media_id == 0);
    CHECK(waiting.metadata == "filename cGhvdG8ucG5n");
    CHECK(fixture.library->settled_offset(waiting).value() == 1'000);
    {
      auto turn = fixture.library->resume(id, 1s).value();
      CHECK(turn->offset() == 1'000);
      CHECK(fixture.library->finish(std::move(turn)).error().code == Errc::invalid_argument);
    }
    const auto outcome = send_rest(fixture, id, content).value();
    CHECK(outcome.status == IngestStatus::stored);
    CHECK(outcome.media.owner == "ann");
    CHECK(outcome.media.filename == "photo.png");
    CHECK(outcome.media.media_type == "image/png");
    CHECK(fixture.content_of(outcome.media.id) == content);
    CHECK(fixture.library->find_job(outcome.media.id).value().has_value());
    const auto done = fixture.library->find_resumable(id).value().value();
    CHECK(done.media_id == outcome.media.id);
    CHECK(fixture.library->settled_offset(done).value() == content.size());

    // Asked again, because the answer was lost: the same media, and nothing more to write.
    auto again = fixture.library->resume(id, 1s).value();
    CHECK(again->offset() == content.size());
    CHECK(again->write(test::bytes("x")).error().code == Errc::too_large);
    const auto repeated = fixture.library->finish(std::move(again)).value();
    CHECK(repeated.status == IngestStatus::duplicate);
    CHECK(repeated.media.id == outcome.media.id);
    CHECK(count_media(fixture) == 1);
    if (on_disk) CHECK(spooled(fixture) == 0);

    // The media is not the upload's: forgetting the one leaves the other, but not the other way round.
    CHECK(fixture.library->remove(outcome.media.id).value());
    CHECK_FALSE(fixture.library->find_resumable(id).value().has_value());
  }
}

TEST_CASE("library: a resumable upload goes on after the program ended, and is completed if only the end was missing") {
  test::LibraryFixture fixture;
  const auto content = big_png();
  const std::string id = begin(fixture, request_of(content), content, 5'000);
  {
    const auto turn = fixture.library->resume(id, 1s).value();
    REQUIRE(turn->write(part_of(content, 5'000, 6'000)));  // written, never settled
  }
  fixture.open();
  CHECK(fixture.library->settled_offset(fixture.library->find_resumable(id).value().value()).value() == 5'000);
  {
    const auto turn = fixture.library->resume(id, 1s).value();
    REQUIRE(turn->write(part_of(content, 5'000, content.size())));
    REQUIRE(turn->settle());
  }
  // All bytes are there, and nobody said so: the next one who takes a turn does.
  fixture.open();
  CHECK(fixture.library->find_resumable(id).value()->media_id == 0);
  const auto outcome = fixture.library->finish(fixture.library->resume(id, 1s).value()).value();
  CHECK(outcome.status == IngestStatus::stored);
  CHECK(fixture.content_of(outcome.media.id) == content);
  CHECK(spooled(fixture) == 0);
}

TEST_CASE("library: what is held back counts only when it is settled, and long turns settle by themselves") {
  test::LibraryFixture fixture;
  ResumableRequest request;
  request.size_bytes = 40U << 20U;
  const auto turn = fixture.library->begin_resumable(request).value();
  const auto piece = test::noise(1U << 20U);
  turn->hold_back();
  for (int i = 0; i < 20; ++i) REQUIRE(turn->write(piece));
  CHECK(turn->settled_offset() == 0);
  REQUIRE(turn->discard());
  CHECK(turn->offset() == 0);
  REQUIRE(turn->write(piece));
  REQUIRE(turn->settle());
  CHECK(turn->settled_offset() == piece.size());

  const auto open = fixture.library->begin_resumable(request).value();
  for (int i = 0; i < 20; ++i) REQUIRE(open->write(piece));
  CHECK(open->settled_offset() >= (8U << 20U));
  CHECK(open->write(test::noise(21U << 20U)).error().code == Errc::too_large);
  CHECK(open->offset() == (20U << 20U));
}

TEST_CASE("library: who comes to an upload asks the one before to give way") {
  test::LibraryFixture fixture;
  const auto content = big_png();
  const std::string id = begin(fixture, request_of(content), content, 100);

  SECTION("one that gives way settles what it has") {
    auto first = fixture.library->resume(id, 1s).value();
    CHECK_FALSE(first->asked_to_stop().stop_requested());
    std::thread waiting([&] {
      while (!first->asked_to_stop().stop_requested()) std::this_thread::sleep_for(1ms);
      CHECK(first->write(part_of(content, 100, 200)));
      CHECK(first->settle());
      first.reset();
    });
    const auto second = fixture.library->resume(id, 10s);
    waiting.join();
    REQUIRE(second);
    CHECK((*second)->offset() == 200);
  }
  SECTION("one that does not keeps its turn") {
    const auto first = fixture.library->resume(id, 1s).value();
    const auto begun = std::chrono::steady_clock::now();
    CHECK(fixture.library->resume(id, 50ms).error().code == Errc::unavailable);
    CHECK(std::chrono::steady_clock::now() - begun < 5s);
    CHECK(fixture.library->remove_resumable(id, 50ms).error().code == Errc::unavailable);
    CHECK(first->asked_to_stop().stop_requested());
    REQUIRE(first->write(part_of(content, 100, content.size())));
    REQUIRE(first->settle());
  }
  SECTION("another process cannot be asked, and is waited for") {
    LibraryOptions options;
    options.base_path = fixture.folder / "store";
    options.processor = std::make_unique<test::ScriptedProcessor>();
    options.clock = fixture.clock;
    const auto other = Library::open(std::move(options)).value();
    auto first = other->resume(id, 1s).value();
    CHECK(fixture.library->resume(id, 50ms).error().code == Errc::unavailable);
    std::thread ending([&] {
      std::this_thread::sleep_for(100ms);
      first.reset();
    });
    CHECK(fixture.library->resume(id, 10s));
    ending.join();
  }
  CHECK(send_rest(fixture, id, content).value().status == IngestStatus::stored);
}

TEST_CASE("library: many at one upload leave one media with the right bytes") {
  test::LibraryFixture fixture;
  const auto content = big_png();
  const std::string id = begin(fixture, request_of(content), content, 1);
  std::atomic<int> finished{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (true) {
        auto turn = fixture.library->resume(id, 30s);
        if (!turn) continue;
        const std::size_t from = (*turn)->offset();
        const std::size_t to = std::min(content.size(), from + content.size() / 7);
        if (!(*turn)->write(part_of(content, from, to)) || !(*turn)->settle()) return;
        if (to < content.size()) continue;
        if (fixture.library->finish(std::move(turn).value())) ++finished;
        return;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(finished == 4);
  REQUIRE(count_media(fixture) == 1);
  CHECK(fixture.content_of(fixture.library->list({}).value().media.front().id) == content);
}

TEST_CASE("library: refused content takes its upload along") {
  test::LibraryFixture fixture;
  const auto noise = test::noise(10'000);
  const std::string id = begin(fixture, request_of(noise), noise, 10);
  const auto outcome = send_rest(fixture, id, noise).value();
  CHECK(outcome.status == IngestStatus::refused);
  CHECK(outcome.verdict.refusal == Refusal::not_media);
  CHECK_FALSE(fixture.library->find_resumable(id).value().has_value());
  CHECK(spooled(fixture) == 0);
  CHECK(count_media(fixture) == 0);

  ResumableRequest request = request_of(noise);
  request.size_bytes = 0;
  CHECK(fixture.library->begin_resumable(request).error().code == Errc::invalid_argument);
  request.size_bytes = fixture.library->policy().max_bytes() + 1;
  CHECK(fixture.library->begin_resumable(request).error().code == Errc::too_large);
  request.size_bytes = 1;
  request.owner.clear();
  CHECK(fixture.library->begin_resumable(request).error().code == Errc::invalid_argument);
  CHECK(fixture.library->resume("none", 1ms).error().code == Errc::not_found);
  CHECK_FALSE(fixture.library->remove_resumable("none", 1ms).value());
}

TEST_CASE("library: parts are joined in the order given, and are not needed afterwards") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    const auto content = big_png();
    const std::size_t cut = content.size() / 3;
    const std::vector<std::byte> head(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(cut));
    const std::vector<std::byte> tail(content.begin() + static_cast<std::ptrdiff_t>(cut), content.end());
    const auto begin_part = [&](const std::vector<std::byte>& bytes, std::size_t count) {
      ResumableRequest request = request_of(bytes);
      request.is_part = true;
      return begin(fixture, request, bytes, count);
    };
    const std::string first = begin_part(head, head.size());
    const std::string second = begin_part(tail, 100);
    ResumableRequest request = request_of(content);
    const auto join = [&](const std::vector<std::string>& parts) { return fixture.library->join(request, parts); };
    CHECK(join({first, second}).error().code == Errc::conflict);
    {
      auto turn = fixture.library->resume(second, 1s).value();
      REQUIRE(turn->write(part_of(tail, 100, tail.size())));
      REQUIRE(turn->settle());
      CHECK(fixture.library->finish(std::move(turn)).error().code == Errc::invalid_argument);
    }
    CHECK(join({}).error().code == Errc::invalid_argument);
    CHECK(join({first, "none"}).error().code == Errc::not_found);
    CHECK(join({begin(fixture, request_of(content), content, 1)}).error().code == Errc::invalid_argument);
    request.owner = "bob";
    CHECK(join({first, second}).error().code == Errc::not_found);
    request.owner = "ann";
    CHECK(join({second, first}).value().outcome.status == IngestStatus::refused);

    const auto joined = join({first, second}).value();
    CHECK(joined.outcome.status == IngestStatus::stored);
    CHECK(fixture.content_of(joined.outcome.media.id) == content);
    const auto row = fixture.library->find_resumable(joined.upload.id).value().value();
    CHECK(row.kind == ResumableKind::joined);
    CHECK(row.parts == std::vector<std::string>{first, second});
    CHECK(row.media_id == joined.outcome.media.id);
    CHECK(fixture.library->settled_offset(row).value() == content.size());
    // The answer was lost and the same is asked for again: the same media.
    CHECK(join({first, second}).value().outcome.media.id == joined.outcome.media.id);

    fixture.clock->advance(11min);
    CHECK(fixture.library->sweep_uploads().value() == 2);
    CHECK_FALSE(fixture.library->find_resumable(first).value().has_value());
    CHECK(fixture.library->find_resumable(joined.upload.id).value().has_value());
    if (on_disk) CHECK(spooled(fixture) == 1);
  }
}

TEST_CASE("library: uploads that ran out are swept, their bytes too, and bytes that nobody knows of") {
  test::LibraryFixture fixture;
  const auto content = big_png();
  ResumableRequest request = request_of(content);
  request.lifetime = 60s;
  const std::string short_lived = begin(fixture, request, content, 10);
  request.lifetime = 600s;
  const std::string long_lived = begin(fixture, request, content, 10);
  {
    // Left by a crash between the file and the row, and between the row and the file.
    const auto spool = make_filesystem_spool(fixture.folder / "store" / "uploads");
    REQUIRE(spool->create("abandoned"));
    const auto being_made = spool->create("beingmade").value();
    CHECK(spooled(fixture) == 4);
    CHECK(fixture.library->sweep_uploads().value() == 0);
    CHECK(spooled(fixture) == 3);
    CHECK_FALSE(spool->settled_length("abandoned").value().has_value());
    CHECK(spool->settled_length("beingmade").value().has_value());
  }
  test::write_file(fixture.folder / "store" / "uploads" / "damaged", test::noise(5'000));
  test::write_file(fixture.folder / "store" / "uploads" / "short", test::noise(5));
  test::write_file(fixture.folder / "store" / "uploads" / "Not ours.txt", "x");
  fixture.clock->advance(61s);
  CHECK(fixture.library->resume(short_lived, 1s).error().code == Errc::expired);
  CHECK(fixture.library->sweep_uploads().value() == 1);
  CHECK(spooled(fixture) == 2);
  CHECK(fixture.library->resume(short_lived, 1s).error().code == Errc::not_found);
  CHECK(fixture.library->resume(long_lived, 1s));
  CHECK(fixture.library->remove_resumable(long_lived, 1s).value());
  CHECK_FALSE(fixture.library->remove_resumable(long_lived, 1s).value());
  CHECK(spooled(fixture) == 1);
}
