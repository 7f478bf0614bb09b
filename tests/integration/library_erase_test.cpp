// Erasure: all of one owner's, at once, and nothing of anybody else's.
#include <algorithm>
#include <set>

#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;
using test::LibraryFixture;
using test::png;
namespace fs = std::filesystem;

namespace {

/// Does this text or these bytes lie in any file of the store, its catalog and their logs included?
bool lies_anywhere(const fs::path& store, std::span<const std::byte> bytes) {
  for (const auto& entry : fs::recursive_directory_iterator(store)) {
    if (!entry.is_regular_file()) continue;
    const auto content = test::read_file(entry.path());
    if (std::search(content.begin(), content.end(), bytes.begin(), bytes.end()) != content.end()) return true;
  }
  return false;
}

/// Noise that is like no other.
std::vector<std::byte> secret(std::uint64_t number) { return test::noise(600, 5'000 + number); }

const ErasedBlob* find(const EraseReport& report, const Digest& digest) {
  const auto found = std::find_if(report.blobs.begin(), report.blobs.end(), [&](const ErasedBlob& blob) { return blob.digest == digest; });
  return found == report.blobs.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("library: what an owner had lies nowhere in the store after an erasure, and what others have is untouched") {
  LibraryFixture f;
  const auto store = f.folder / "store";
  const auto ingest = [&](std::span<const std::byte> content, const std::string& owner, const std::string& name) {
    return f.ingest(content, {.owner = owner, .filename = name, .any_content = true}).media;
  };
  const auto own = ingest(secret(1), "ada", "diary-of-ada.bin");
  const auto large = test::noise(700'000, 99);
  ingest(large, "ada", "film-of-ada.bin");
  const auto shared = ingest(secret(2), "ada", "shared-by-ada.bin");
  const auto others = ingest(secret(2), "bob", "shared-by-bob.bin");
  const auto pictured = f.ingest(png(1), {.owner = "ada", .filename = "picture-of-ada.png"}).media;
  const auto pictured_too = f.ingest(png(2), {.owner = "ada", .filename = "another-of-ada.png"}).media;
  const auto of_bob = f.ingest(png(2), {.owner = "bob", .filename = "of-bob.png"}).media;
  // Removed before, and not collected yet: it waits in a segment.
  const auto removed = ingest(secret(3), "ada", "removed-by-ada.bin");
  REQUIRE(f.library->remove(removed.id).value());
  REQUIRE(f.library->collect(0s, {}));
  REQUIRE(f.library->run_jobs({}));
  REQUIRE(f.library->link({"recipe/1", own.id, 0}));
  const auto renditions = f.library->renditions(pictured.id).value();
  REQUIRE(renditions.size() == 9);
  CHECK(lies_anywhere(store, secret(1)));
  CHECK(lies_anywhere(store, secret(3)));
  CHECK(lies_anywhere(store, test::bytes("diary-of-ada")));

  const auto report = f.library->erase({.owner = "ada"});
  REQUIRE(report);
  CHECK(report->owner == "ada");
  CHECK(report->erased_at == f.clock->now());
  std::set<MediaId> ids;
  for (const ErasedMedia& each : report->media) ids.insert(each.id);
  CHECK(ids.size() == 5);
  CHECK(ids.contains(own.id));
  CHECK(find(*report, *own.digest)->outcome == ErasedBlob::Outcome::erased);
  CHECK(find(*report, *own.digest)->size_bytes == 600);
  CHECK(find(*report, *shared.digest)->outcome == ErasedBlob::Outcome::retained);
  CHECK(find(*report, *pictured_too.digest)->outcome == ErasedBlob::Outcome::retained);
  for (const Rendition& rendition : renditions) {
    REQUIRE(find(*report, rendition.digest) != nullptr);
    CHECK(find(*report, rendition.digest)->kind == ErasedBlob::Kind::rendition);
    CHECK(find(*report, rendition.digest)->outcome == ErasedBlob::Outcome::erased);
  }

  CHECK_FALSE(lies_anywhere(store, secret(1)));
  CHECK_FALSE(lies_anywhere(store, secret(3)));
  CHECK_FALSE(lies_anywhere(store, std::span(large).subspan(300'000, 64)));
  for (const char* const name : {"diary-of-ada", "film-of-ada", "shared-by-ada", "picture-of-ada", "another-of-ada", "removed-by-ada"}) {
    CAPTURE(name);
    CHECK_FALSE(lies_anywhere(store, test::bytes(name)));
  }
  for (const Rendition& rendition : renditions) CHECK_FALSE(f.on_disk(rendition.digest));
  CHECK_FALSE(f.library->find(own.id).value());
  CHECK(f.library->links("recipe/1").value().empty());

  CHECK(f.content_of(others.id) == secret(2));
  CHECK(f.content_of(of_bob.id) == png(2));
  CHECK(f.library->renditions(of_bob.id).value().size() == 9);
  CHECK(f.library->verify({}).value().intact());
  const auto collected = f.library->collect(0s, {}).value();
  CHECK(collected.removed == 0);
  CHECK(collected.strays_removed == 0);
  // Nothing is left to be erased, and an owner who never was has as much.
  CHECK(f.library->erase({.owner = "ada"}).value().media.empty());
  CHECK(f.library->erase({.owner = "nobody"}).value().blobs.empty());
}

TEST_CASE("library: some media of an owner can be erased, and never another's") {
  for (const bool on_disk : {true, false}) {
    CAPTURE(on_disk);
    LibraryFixture f(on_disk);
    const auto first = f.ingest(png(1), {.owner = "ada", .filename = "1.png"}).media;
    const auto second = f.ingest(png(2), {.owner = "ada", .filename = "2.png"}).media;
    const auto again = f.ingest(png(1), {.owner = "ada", .filename = "1 again.png"}).media;
    const auto bobs = f.ingest(png(3), {.owner = "bob", .filename = "3.png"}).media;
    CHECK(f.library->erase({.owner = "ada", .media = {first.id, bobs.id}}).error().code == Errc::not_found);
    CHECK(f.library->erase({.owner = "ada", .media = {first.id, 999}}).error().code == Errc::not_found);
    CHECK(f.library->erase({}).error().code == Errc::invalid_argument);
    CHECK(f.library->find(first.id).value());
    auto report = f.library->erase({.owner = "ada", .media = {first.id}}).value();
    CHECK(report.media.size() == 1);
    CHECK(find(report, *first.digest)->outcome == ErasedBlob::Outcome::retained);  // by another media of the same owner's
    CHECK(f.content_of(again.id) == png(1));
    report = f.library->erase({.owner = "ada", .media = {again.id}}).value();
    CHECK(find(report, *first.digest)->outcome == ErasedBlob::Outcome::erased);
    CHECK(f.content_of(second.id) == png(2));
    CHECK(f.content_of(bobs.id) == png(3));
    CHECK(f.library->verify({}).value().intact());
  }
}

TEST_CASE("library: an erasure of many goes in parts and tells of each blob once") {
  LibraryFixture f;
  constexpr std::size_t kMedia = 300;
  for (std::size_t i = 0; i < kMedia; ++i) {
    // Contents that come again in later parts.
    f.ingest(secret(i % 100), {.owner = "ada", .filename = std::to_string(i), .any_content = true});
  }
  const auto report = f.library->erase({.owner = "ada"}).value();
  CHECK(report.media.size() == kMedia);
  CHECK(report.blobs.size() == 100);
  CHECK(std::all_of(report.blobs.begin(), report.blobs.end(),
                    [](const ErasedBlob& blob) { return blob.outcome == ErasedBlob::Outcome::erased; }));
  CHECK(f.library->storage_usage().value().blobs == 0);
  std::stop_source stop;
  stop.request_stop();
  f.ingest(secret(1), {.owner = "ada", .filename = "x", .any_content = true});
  CHECK(f.library->erase({.owner = "ada", .stop = stop.get_token()}).error().code == Errc::cancelled);
}

TEST_CASE("library: what an owner had only begun to send goes too") {
  LibraryFixture f;
  const auto begin = [&](const std::string& owner) {
    ResumableRequest request;
    request.owner = owner;
    request.filename = "film of " + owner;
    request.size_bytes = 10'000;
    auto turn = f.library->begin_resumable(request).value();
    REQUIRE(turn->write(test::noise(5'000, 77)));
    REQUIRE(turn->settle());
    return turn->upload().id;
  };
  const std::string ada = begin("ada");
  const std::string bob = begin("bob");
  UploadPromise promise;
  promise.owner = "ada";
  promise.filename = "promised";
  promise.media_type = "image/png";
  promise.size_bytes = 100;
  REQUIRE(f.library->promise(promise));
  const auto report = f.library->erase({.owner = "ada"}).value();
  CHECK(report.uploads == 1);
  REQUIRE(report.media.size() == 1);
  CHECK_FALSE(report.media.front().digest);
  CHECK_FALSE(f.library->find_resumable(ada).value());
  CHECK(f.library->find_resumable(bob).value());
  CHECK(test::count_files(f.folder / "store/uploads") >= 1);
  CHECK_FALSE(lies_anywhere(f.folder / "store", test::bytes("film of ada")));
}

TEST_CASE("library: a removed event is told of what is erased") {
  LibraryFixture f;
  std::vector<std::string> told;
  f.describe_event = [](MediaEvent event, const Media& media) {
    return std::string(event == MediaEvent::removed ? "removed " : "") + std::to_string(media.id);
  };
  f.open();
  const auto media = f.ingest(png(1), {.owner = "ada", .filename = "1.png"}).media;
  REQUIRE(f.library->erase({.owner = "ada"}));
  REQUIRE(f.library->send_notifications(
      [&](const Notification& notification) -> Result<void> {
        told.push_back(notification.payload);
        return {};
      },
      {}));
  CHECK(std::count(told.begin(), told.end(), "removed " + std::to_string(media.id)) == 1);
}

TEST_CASE("library: an owner who sent a rendition of a picture of his own as a picture is rid of both, and of their renditions") {
  for (std::uint64_t number = 1; number <= 6; ++number) {  // so that either of the two comes first by its digest
    CAPTURE(number);
    LibraryFixture f;
    const auto picture = f.ingest(png(number), {.owner = "ada", .filename = "a.png"}).media;
    REQUIRE(f.library->run_jobs({}));
    const auto renditions = f.library->renditions(picture.id).value();
    const auto content = f.library->derive(picture.id, parse_transform(renditions.front().transform).value()).value();
    const auto again =
        f.ingest(read_all(*content.content, 1U << 20U).value(), {.owner = "ada", .filename = "r", .any_content = true}).media;
    REQUIRE(again.digest == renditions.front().digest);
    const auto report = f.library->erase({.owner = "ada"}).value();
    CHECK(std::all_of(report.blobs.begin(), report.blobs.end(),
                      [](const ErasedBlob& blob) { return blob.outcome == ErasedBlob::Outcome::erased; }));
    CHECK(f.library->storage_usage().value().blobs == 0);
    CHECK(f.library->rendition_usage(false).value().renditions == 0);
  }
}

TEST_CASE("library: a picture that is being made while its media is erased is not kept") {
  LibraryFixture f;
  const auto media = f.ingest(png(1), {.owner = "ada", .filename = "a.png"}).media;
  REQUIRE(f.library->run_jobs({}));
  f.processor->before = [&](const DeriveOptions&) -> Result<void> {
    f.processor->before = nullptr;
    CHECK(f.library->erase({.owner = "ada"}));
    return {};
  };
  const auto picture = f.library->derive(media.id, Transform{.width = 33, .format = Format::webp});
  REQUIRE_FALSE(picture);
  CHECK(picture.error().code == Errc::not_found);
  CHECK(f.library->rendition_usage(false).value().renditions == 0);
  CHECK(f.library->storage_usage().value().blobs == 0);
}

TEST_CASE("library: an erasure that fails on the way tells what was erased") {
  std::stop_source stop;
  std::size_t announced = 0;
  LibraryFixture g;
  for (std::uint64_t i = 0; i < 40; ++i) g.ingest(secret(i), {.owner = "ada", .filename = std::to_string(i), .any_content = true});
  g.on_media_changed = [&](MediaId) {
    if (++announced == 1) stop.request_stop();
  };
  g.open();
  const auto report = g.library->erase({.owner = "ada", .stop = stop.get_token()});
  REQUIRE(report);
  REQUIRE(report->failure);
  CHECK(report->failure->code == Errc::cancelled);
  CHECK_FALSE(report->media.empty());
  CHECK(report->media.size() < 40);
  CHECK(report->blobs.size() == report->media.size());
  for (const ErasedBlob& blob : report->blobs) CHECK_FALSE(g.on_disk(blob.digest));
  const auto rest = g.library->erase({.owner = "ada"}).value();
  CHECK_FALSE(rest.failure);
  CHECK(rest.media.size() == 40 - report->media.size());
}
