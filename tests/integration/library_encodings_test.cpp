// Videos that are ordered: who sees them, whose turn it is, what they count, and what an end that is not theirs leaves of them.
#include <algorithm>

#include "cage/encoded_content.hpp"
#include "ffmpeg.hpp"
#include "library_fixture.hpp"
#include "media/video.hpp"

using namespace media;
using test::LibraryFixture;
using test::mp4;

namespace {

constexpr Transform kMp4{.format = Format::mp4};

Transform of_width(std::uint32_t width) {
  Transform transform = kMp4;
  transform.width = width;
  return transform;
}

/// With its index behind its frames, as phones write it.
std::vector<std::byte> index_last() {
  const auto front = mp4(64, 48, 1000, 5000);
  const auto size_at = [&](std::size_t at) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8U | std::to_integer<std::size_t>(front.at(at + i));
    return size;
  };
  const std::size_t head = size_at(0);
  const std::size_t index = size_at(head);
  std::vector<std::byte> behind(front.begin(), front.begin() + static_cast<std::ptrdiff_t>(head));
  behind.insert(behind.end(), front.begin() + static_cast<std::ptrdiff_t>(head + index), front.end());
  const std::size_t moved = behind.size();
  behind.insert(behind.end(), front.begin() + static_cast<std::ptrdiff_t>(head), front.begin() + static_cast<std::ptrdiff_t>(head + index));
  const std::string_view text(reinterpret_cast<const char*>(behind.data()), behind.size());
  const std::size_t place = text.find("stco", moved) + 12;
  for (std::size_t i = 0; i < 4; ++i) behind.at(place + i) = static_cast<std::byte>((head + 8) >> (24 - 8 * i));
  return behind;
}

/// A library that shows and encodes videos.
struct Fixture : LibraryFixture {
  Fixture() : LibraryFixture(false) { processor->shows_videos = true; }

  Media film(std::uint32_t number, const std::string& owner = "anna") {
    return ingest(mp4(64, 48, 1000, 500 + number), {.owner = owner, .filename = "a.mp4"}).media;
  }
  Result<Video> order(const Media& media, std::uint32_t width = 0) { return library->order_video(media, of_width(width)); }
  std::size_t encode(std::size_t limit = SIZE_MAX) { return library->run_encodings({.limit = limit}).value(); }
  std::vector<std::string> encoded(const Media& media) {
    std::vector<std::string> ready;
    for (const Video& video : library->videos(media).value()) {
      if (video.rendition) ready.push_back(video.transform);
    }
    return ready;
  }
  Job job_of(const Media& media) {
    for (const Job& job : library->list_jobs(std::nullopt, 1000).value()) {
      if (job.kind == "encode" && job.media_id == media.id) return job;
    }
    return {};
  }
};

}  // namespace

TEST_CASE("library: what was encoded of the same bytes for somebody else is not to be seen, had, or told by an order") {
  Fixture f;
  const Media hers = f.film(1);
  const Media his = f.film(1, "bert");
  REQUIRE(hers.digest == his.digest);
  REQUIRE(f.order(hers));
  REQUIRE(f.encode() == 1);
  CHECK(f.encoded(hers) == std::vector<std::string>{"format=mp4"});
  CHECK(f.library->derive(hers.id, kMp4));

  CHECK(f.library->videos(his).value().empty());
  const auto refused = f.library->derive(his.id, kMp4);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::not_found);
  CHECK(refused.error().message.find("ordered first") != std::string::npos);

  // His order waits like any other, and finds the bytes that are there.
  const int calls = f.processor->calls;
  const auto ordered = f.order(his);
  REQUIRE(ordered);
  CHECK_FALSE(ordered->rendition);
  REQUIRE(ordered->job);
  CHECK(f.encoded(his).empty());
  CHECK(f.library->videos(his).value().at(0).job->state == JobState::queued);
  REQUIRE(f.encode() == 1);
  CHECK(f.processor->calls == calls);
  CHECK(f.encoded(his) == std::vector<std::string>{"format=mp4"});
  CHECK(f.library->derive(his.id, kMp4).value().rendition == f.library->derive(hers.id, kMp4).value().rendition);
  CHECK(f.order(his)->rendition);

  // Hers goes, his stays; and another one of his, of the same bytes, has to be ordered itself.
  REQUIRE(f.library->erase({.owner = "anna"}));
  CHECK(f.encoded(his) == std::vector<std::string>{"format=mp4"});
  CHECK(f.library->derive(his.id, kMp4));
  f.clock->advance(std::chrono::hours(1));
  const Media again = f.film(1, "bert");
  REQUIRE(again.id != his.id);
  CHECK(f.library->videos(again).value().empty());
}

TEST_CASE("library: what an encoded video has lost of its sound is told to all who ordered it, and found out again where nobody can tell") {
  Fixture f;
  const auto heard = test::film("a.mp4", {"-f", "lavfi", "-i", "testsrc2=s=32x32:r=5:d=1", "-f", "lavfi", "-i", "sine=d=1", "-c:v",
                                          "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"});
  std::chrono::milliseconds lost_sound{4'400};
  f.processor->content_of = [&](const Transform&) {
    return std::make_shared<const cage::EncodedContent>(std::make_shared<const MemoryReader>(heard), lost_sound);
  };
  const auto film = [&](const std::string& owner) { return f.ingest(heard, {.owner = owner, .filename = "a.mp4"}).media; };
  const auto remark = [&](const Media& media) { return f.library->videos(media).value().at(0).remark; };
  const std::string lost = "without 4 seconds of its sound, which could not be decoded";
  const Media hers = film("anna");
  REQUIRE(f.order(hers));
  REQUIRE(f.encode() == 1);
  CHECK(remark(hers) == lost);
  CHECK(f.order(hers)->remark == lost);

  // Of equal bytes nothing is encoded, and the same is said.
  const int calls = f.processor->calls;
  const Media his = film("bert");
  const Media theirs = film("cora");
  REQUIRE(f.order(his));
  REQUIRE(f.encode() == 1);
  CHECK(f.processor->calls == calls);
  CHECK(remark(his) == lost);

  // Who ordered it before has gone; the order that waits is not one that can tell.
  REQUIRE(f.order(theirs));
  REQUIRE(f.library->erase({.owner = "anna"}));
  REQUIRE(f.library->erase({.owner = "bert"}));
  REQUIRE(f.encode() == 1);
  CHECK(f.processor->calls == calls + 1);
  CHECK(remark(theirs) == lost);

  // What lost nothing has no remark, for anybody.
  lost_sound = std::chrono::milliseconds(0);
  REQUIRE(f.order(theirs, 16));
  REQUIRE(f.encode() == 1);
  CHECK(f.library->videos(theirs).value().at(1).remark.empty());
}

TEST_CASE("library: owners take turns at the encoders, however many videos one of them ordered") {
  Fixture f;
  std::vector<Media> hers;
  for (std::uint32_t i = 0; i < 10; ++i) hers.push_back(f.film(i));
  for (const Media& media : hers) REQUIRE(f.order(media));
  REQUIRE(f.encode(3) == 3);
  const Media his = f.film(100, "bert");
  const Media another = f.film(101, "cora");
  REQUIRE(f.order(his));
  REQUIRE(f.order(his, 32));
  REQUIRE(f.order(another));
  // One of hers, whose turn came first, and then each of the others'.
  REQUIRE(f.encode(3) == 3);
  CHECK(f.encoded(his).size() == 1);
  CHECK(f.encoded(another).size() == 1);
  REQUIRE(f.encode(2) == 2);
  CHECK(f.encoded(his).size() == 2);
  const auto done = std::count_if(hers.begin(), hers.end(), [&](const Media& media) { return !f.encoded(media).empty(); });
  CHECK(done == 5);
  CHECK(f.encode() == 5);
}

TEST_CASE("library: the queue of encodings has an end, and nobody fills it alone") {
  Fixture f;
  f.encoding_queue = 8;
  f.open();
  f.processor->shows_videos = true;
  const Media hers = f.film(1);
  for (std::uint32_t width = 2; width <= 8; width += 2) REQUIRE(f.order(hers, width));
  const auto refused = f.order(hers, 10);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unavailable);
  CHECK(is_full_encoding_queue(refused.error()));
  CHECK_FALSE(is_full_encoding_queue({Errc::unavailable, "write to the catalog: too many writers are waiting"}));
  CHECK_FALSE(is_full_encoding_queue({Errc::internal, refused.error().message}));
  CHECK(f.order(hers, 2)->job);  // it is on its way
  const Media his = f.film(2, "bert");
  CHECK(f.order(his, 2));
  CHECK(f.order(his, 4));
  CHECK(f.order(his, 6).error().code == Errc::unavailable);
  CHECK(f.order(f.film(3, "cora")));
  CHECK(f.order(f.film(4, "dora")));
  CHECK(f.order(f.film(5, "emil")).error().code == Errc::unavailable);
  CHECK(f.encode() == 8);
  CHECK(f.order(f.film(5, "emil")));
}

TEST_CASE("library: encoded videos count in their owner's quota") {
  Fixture f;
  const Media hers = f.film(1);
  const auto used = [&] { return f.library->gate().quota("anna").value().usage.size_bytes; };
  const std::uint64_t before = used();
  REQUIRE(f.order(hers));
  REQUIRE(f.encode() == 1);
  const std::uint64_t size = f.library->videos(hers).value().at(0).rendition->size_bytes;
  REQUIRE(size > 0);
  CHECK(used() == before + size);
  // Twice as many bytes of hers as there are: what is beyond it ends as a job that says why.
  REQUIRE(f.library->gate().set_quota("anna", {.max_bytes = before + size + 10, .max_media = {}}));
  REQUIRE(f.order(hers, 2));
  CHECK(f.encode() == 1);
  const Video over = f.library->videos(hers).value().at(1);
  REQUIRE(over.job);
  CHECK(over.job->state == JobState::dead);
  CHECK(over.job->last_error.find("quota") != std::string::npos);
  CHECK(used() == before + size);
  CHECK(f.library->ingest(MemoryReader(mp4(64, 48, 1000, 600)), {.owner = "anna", .filename = "b.mp4"}).value().status ==
        IngestStatus::refused);
  REQUIRE(f.library->gate().set_quota("anna", {.max_bytes = before + size, .max_media = {}}));
  CHECK(f.order(hers, 4).error().code == Errc::too_large);
  // What others had made of the same bytes counts as soon as it is ordered, as equal bytes do.
  const Media his = f.film(1, "bert");
  REQUIRE(f.order(his));
  CHECK(f.encode() == 1);
  CHECK(f.library->gate().quota("bert").value().usage.size_bytes == before + size);
}

TEST_CASE("library: where nothing encodes no order is taken, and none of others' is touched") {
  Fixture f;
  const Media media = f.film(1);
  REQUIRE(f.order(media));
  f.processor->encodes_videos = false;
  CHECK_FALSE(f.library->encodes());
  CHECK(f.order(media, 2).error().code == Errc::unsupported);
  CHECK(f.library->run_encodings({}).error().code == Errc::unsupported);
  CHECK(f.job_of(media).attempts == 0);
  CHECK(f.job_of(media).state == JobState::queued);
  // A worker that does not start is no fault of the video's.
  f.processor->encodes_videos = true;
  for (int i = 0; i < 30; ++i) {
    f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::unavailable, "no worker to be had"}; };
    REQUIRE(f.encode() == 1);
    CHECK(f.job_of(media).attempts == 0);
    CHECK(f.job_of(media).state == JobState::queued);
    f.clock->advance(std::chrono::minutes(1));
  }
  f.processor->before = {};
  CHECK(f.encode() == 1);
  CHECK(f.encoded(media).size() == 1);
}

TEST_CASE("library: an orderly stop is no attempt, and neither it nor a full disk makes the first death the last") {
  Fixture f;
  const Media media = f.film(1);
  REQUIRE(f.order(media));
  for (int i = 0; i < 3; ++i) {
    std::stop_source stop;
    f.processor->before = [&](const DeriveOptions&) -> Result<void> {
      stop.request_stop();
      return Error{Errc::cancelled, "stopped by the caller"};
    };
    CHECK(f.library->run_encodings({.stop = stop.get_token()}).value() == 1);
    CHECK(f.job_of(media).attempts == 0);
    CHECK(f.job_of(media).state == JobState::queued);
  }
  f.processor->before = [](const DeriveOptions&) -> Result<void> { return Error{Errc::no_space, "the disk is full"}; };
  CHECK(f.encode() == 1);
  CHECK(f.job_of(media).attempts == 1);
  f.clock->advance(std::chrono::hours(1));
  int deaths = 0;
  f.processor->before = [&](const DeriveOptions&) -> Result<void> {
    ++deaths;
    return Error{Errc::internal, "the worker was killed by signal 9"};
  };
  CHECK(f.encode() == 2);  // once more at once, and that is all
  CHECK(deaths == 2);
  CHECK(f.job_of(media).state == JobState::dead);
  CHECK(f.library->videos(media).value().at(0).job->last_error == "the worker was killed by signal 9");
  // Ordering again begins anew.
  f.processor->before = {};
  REQUIRE(f.order(media));
  CHECK(f.encode() == 1);
  CHECK(f.encoded(media).size() == 1);
}

TEST_CASE("library: an MP4 that is arranged for browsers is read out of its own blob, and nothing is stored") {
  Fixture f;
  f.rendition_budget_bytes = 1;
  f.open();
  f.processor->shows_videos = true;
  Transform keep = kMp4;
  keep.keep_codecs = true;
  const auto behind = index_last();
  const Media moved = f.ingest(behind, {.filename = "a.mp4"}).media;
  const auto before = f.library->storage_usage().value();
  const auto first = f.library->derive(moved.id, keep);
  REQUIRE(first);
  CHECK(first->content->size() == behind.size());
  const auto bytes = read_all(*first->content, 1U << 20U).value();
  CHECK(bytes == read_all(*open_web_ready(MemoryReader(behind)).value(), 1U << 20U).value());
  CHECK(bytes != behind);
  const auto second = f.library->derive(moved.id, keep);
  CHECK(second->rendition.digest == first->rendition.digest);
  CHECK(second->rendition.digest != *moved.digest);
  // Where nothing moves it is the blob itself.
  const Media good = f.ingest(bytes, {.filename = "b.mp4"}).media;
  const auto whole = f.library->derive(good.id, keep);
  REQUIRE(whole);
  CHECK(whole->rendition.digest == *good.digest);
  CHECK(whole->content->window().has_value() == f.library->read(good).value()->window().has_value());
  CHECK(f.library->storage_usage().value().blobs == before.blobs + 1);
  CHECK(f.library->rendition_usage(false).value().renditions == 0);
  CHECK(f.processor->calls == 0);
  // A removed one is gone.
  REQUIRE(f.library->erase({.owner = "local"}));
  CHECK(f.library->derive(moved.id, keep).error().code == Errc::not_found);
}
