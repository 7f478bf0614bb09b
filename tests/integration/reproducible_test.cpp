// The same source, transform and encoder make the same bytes: on one thread or many, in this process or in workers, alone or in company.
#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "catch.hpp"
#include "media/library.hpp"
#include "pictures.hpp"
#include "support.hpp"

using namespace media;

namespace {

std::vector<Format> outputs() {
  std::vector<Format> formats;
  for (const Format format : {Format::jpeg, Format::png, Format::webp, Format::avif}) {
    if (encoder_version(format)) formats.push_back(format);
  }
  return formats;
}

std::vector<Transform> transforms() {
  std::vector<Transform> all;
  for (const Format format : outputs()) {
    all.push_back({.width = 160, .format = format});
    all.push_back({.width = 90, .height = 90, .fit = Fit::cover, .format = format, .quality = 61});
  }
  return all;
}

/// A photograph as cameras write them, by our own encoder.
std::vector<std::byte> jpeg(std::uint32_t width, std::uint32_t height) {
  const auto noise = test::noise(4096);
  const auto picture = test::png(width, height, [&](std::uint32_t x, std::uint32_t y) {
    const auto grain = static_cast<std::uint8_t>(std::to_integer<unsigned>(noise[(x * 7 + y * 131) % noise.size()]) / 8);
    return test::Rgba{static_cast<std::uint8_t>(x * 200 / width + grain), static_cast<std::uint8_t>(y * 200 / height + grain),
                      static_cast<std::uint8_t>((x / 16 + y / 16) % 2 * 120 + grain), 255};
  });
  const Transform same{.width = width, .format = Format::jpeg, .quality = 92};
  return make_in_process_processor()->derive(MemoryReader(picture), std::span(&same, 1), {}).value().outputs.at(0).bytes;
}

std::vector<std::vector<std::byte>> sources() {
  std::vector<std::vector<std::byte>> all;
  all.push_back(test::gradient_png(700, 500));
  all.push_back(test::png(
      301, 222,
      [](std::uint32_t x, std::uint32_t y) {
        return test::Rgba{static_cast<std::uint8_t>(x), static_cast<std::uint8_t>(y), 90, static_cast<std::uint8_t>((x * y) % 256)};
      },
      true));
  all.push_back(jpeg(1203, 901));
  const auto shared = test::shared_folder();
  if (!shared) {
    WARN("no shared folder beside the project: pictures of this test's own alone");
    return all;
  }
  // Of each kind of photo some, always the same.
  std::map<std::filesystem::path, std::vector<std::filesystem::path>> photos;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared / "corpus" / "photos")) {
    if (entry.is_regular_file() && entry.file_size() < 400'000 && entry.path().extension() == ".jpg") {
      photos[entry.path().parent_path()].push_back(entry.path());
    }
  }
  for (auto& [folder, paths] : photos) {
    std::sort(paths.begin(), paths.end());
    for (std::size_t i = 0; i < std::min<std::size_t>(paths.size(), 2); ++i) all.push_back(test::read_file(paths[i]));
  }
  CHECK(all.size() > 6);
  return all;
}

using Made = std::vector<Digest>;  ///< One for each source and transform; zero for what cannot be decoded.

Digest make(Processor& processor, const std::vector<std::byte>& source, const Transform& transform) {
  const auto derived = processor.derive(MemoryReader(source), std::span(&transform, 1), {});
  return derived ? Digest::of(derived->outputs.at(0).bytes) : Digest();
}

/// All of them by so many threads at once, each beginning at another one.
std::vector<Made> make_all(Processor& processor, const std::vector<std::vector<std::byte>>& sources, unsigned threads) {
  const auto wanted = transforms();
  const std::size_t count = sources.size() * wanted.size();
  std::vector<Made> made(threads, Made(count));
  std::vector<std::jthread> running;
  for (unsigned t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = (i + std::size_t{t} * 5) % count;
        made[t][at] = make(processor, sources[at / wanted.size()], wanted[at % wanted.size()]);
      }
    });
  }
  running.clear();
  return made;
}

}  // namespace

TEST_CASE("reproducible: one, two and eight threads, in process and by workers, make the same bytes in every format") {
  const auto all = sources();
  const auto in_process = make_in_process_processor();
  const Made expected = make_all(*in_process, all, 1).front();
  const auto nothing = static_cast<std::size_t>(std::count(expected.begin(), expected.end(), Digest()));
  CHECK(nothing <= expected.size() / 4);  // a damaged photo among those shared is no picture anywhere
  for (std::size_t i = 0; i < 3 * transforms().size(); ++i) REQUIRE(expected[i] != Digest());
  for (const unsigned threads : {1U, 2U, 8U}) {
    INFO(threads << " threads");
    for (const Made& made : make_all(*in_process, all, threads)) CHECK(made == expected);
    auto workers = make_worker_processor({MEDIA_WORKER_BINARY, threads, 500});
    REQUIRE(workers);
    for (const Made& made : make_all(**workers, all, threads)) CHECK(made == expected);
  }
}

TEST_CASE("reproducible: a job's renditions are those that the same transforms make on demand") {
  // Larger than the largest preset, so that each of the presets could be made from the one above it, and would look different then.
  const auto photo = jpeg(1900, 1301);
  std::map<std::string, Digest> first;
  for (const Isolation isolation : {Isolation::none, Isolation::process}) {
    const test::TempFolder folder;
    LibraryOptions options;
    options.base_path = folder / "store";
    options.isolation = isolation;
    if (isolation == Isolation::process) options.processor = make_worker_processor({MEDIA_WORKER_BINARY, 2, 500}).value();
    const auto library = Library::open(std::move(options)).value();
    const auto stored = library->ingest(MemoryReader(photo), {.filename = "a.jpg"}).value();
    REQUIRE(library->process(stored.media.id).value().status == MediaStatus::complete);
    std::map<std::string, Digest> by_job;
    for (const Rendition& rendition : library->renditions(stored.media.id).value()) by_job[rendition.transform] = rendition.digest;
    REQUIRE(by_job.size() == 3 * (encoder_version(Format::avif) ? 3 : 2));
    const auto verified = library->verify_renditions({});
    REQUIRE(verified);
    CHECK(verified->same == by_job.size());
    CHECK(verified->reproducible());

    REQUIRE(library->drop_renditions({}).value().renditions == by_job.size());
    for (const auto& [spelling, digest] : by_job) {
      const auto picture = library->derive(stored.media.id, parse_transform(spelling).value());
      REQUIRE(picture);
      INFO(spelling);
      CHECK(picture->rendition.digest == digest);
    }
    if (first.empty()) first = by_job;
    CHECK(by_job == first);
  }
}
