// Pages of a listing against a model that walks every row.
#include "listing.hpp"

#include <algorithm>
#include <random>

#include "catch.hpp"
#include "support.hpp"

using namespace media;
using namespace media::server;

namespace {

/// A library over rows that a test made, in memory.
std::unique_ptr<Library> library_of(std::span<const Media> rows) {
  auto repository = make_memory_repository();
  REQUIRE(repository->write([&](Transaction& transaction) -> Result<void> {
    for (const Media& row : rows) MEDIA_TRY(transaction.insert_media(row));
    return {};
  }));
  LibraryOptions options;
  options.store = make_memory_store();
  options.repository = std::move(repository);
  options.isolation = Isolation::none;
  auto opened = Library::open(std::move(options));
  REQUIRE(opened);
  return std::move(opened).value();
}

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(engine_); }

 private:
  std::mt19937_64 engine_;
};

Media random_row(MediaId id, Random& random) {
  Media media;
  media.id = id;
  media.owner = random.below(3) == 0 ? "other" : "owner";
  media.filename = random.below(4) == 0 ? "Summer.png" : "x";
  media.media_type = random.below(2) == 0 ? "image/png" : "video/mp4";
  media.status = static_cast<MediaStatus>(random.below(4));
  media.uploaded_at = Timestamp(std::chrono::milliseconds(id * 1000));
  if (random.below(3) == 0) media.tags = {"a", "b"};
  return media;
}

MediaQuery random_query(Random& random) {
  MediaQuery query;
  if (random.below(4) != 0) query.owner = "owner";
  if (random.below(3) == 0) query.status = static_cast<MediaStatus>(random.below(4));
  if (random.below(3) == 0) query.media_type_prefix = "image/";
  if (random.below(3) == 0) query.filename_contains = random.below(4) == 0 ? "nowhere" : "summer";
  if (random.below(4) == 0) query.tag = "b";
  if (random.below(4) == 0) query.uploaded_from = Timestamp(std::chrono::milliseconds(40'000));
  query.descending = random.below(2) == 0;
  query.limit = 1 + random.below(9);
  return query;
}

std::vector<MediaId> model_of(std::span<const Media> rows, const MediaQuery& query) {
  std::vector<MediaId> ids;
  for (const Media& row : rows) {
    const bool matches = (!query.owner || row.owner == *query.owner) && (!query.status || row.status == *query.status) &&
                         row.media_type.starts_with(query.media_type_prefix) &&
                         (query.filename_contains.empty() || (query.filename_contains == "summer" && row.filename == "Summer.png")) &&
                         (query.tag.empty() || !row.tags.empty()) && (!query.uploaded_from || row.uploaded_at >= *query.uploaded_from);
    if (matches) ids.push_back(row.id);
  }
  if (query.descending) std::reverse(ids.begin(), ids.end());
  return ids;
}

ListingPage page_at(const Library& library, const MediaQuery& query, const std::optional<Cursor>& at) {
  // Through its text, as a client has it.
  auto page = read_page(library, query, at ? parse_cursor(to_string(*at)).value() : at);
  REQUIRE(page);
  CHECK(page->items.size() <= query.limit);
  return std::move(page).value();
}

std::vector<MediaId> ids_of(const ListingPage& page) {
  std::vector<MediaId> ids;
  for (const Media& media : page.items) ids.push_back(media.id);
  return ids;
}

std::vector<Media> random_rows(Random& random, std::size_t count) {
  std::vector<Media> rows;
  MediaId id = 0;
  for (std::size_t i = 0; i < count; ++i) rows.push_back(random_row(id += 1 + static_cast<MediaId>(random.below(3)), random));
  return rows;
}

}  // namespace

TEST_CASE("server: a listing walked forward, back and forward again has the same pages, under any filter in any order") {
  Random random(20261128);
  for (int round = 0; round < 10; ++round) {
    const auto rows = random_rows(random, random.below(120));
    const auto library = library_of(rows);
    for (int each = 0; each < 40; ++each) {
      const MediaQuery query = random_query(random);
      const auto model = model_of(rows, query);
      std::vector<std::vector<MediaId>> pages;
      ListingPage page = page_at(*library, query, std::nullopt);
      CHECK_FALSE(page.prev);
      for (;; page = page_at(*library, query, page.next)) {
        const std::size_t seen = pages.size() * query.limit;
        const auto begin = model.begin() + static_cast<std::ptrdiff_t>(std::min(seen, model.size()));
        const auto end = model.begin() + static_cast<std::ptrdiff_t>(std::min(seen + query.limit, model.size()));
        REQUIRE(ids_of(page) == std::vector<MediaId>(begin, end));
        CHECK(page.prev.has_value() == (seen > 0));
        CHECK(page.next.has_value() == (end != model.end()));
        pages.push_back(ids_of(page));
        if (!page.next) break;
      }
      for (std::size_t i = pages.size() - 1; i > 0; --i) {
        REQUIRE(page.prev);
        page = page_at(*library, query, page.prev);
        REQUIRE(ids_of(page) == pages[i - 1]);
        CHECK(page.next);
        CHECK(page.prev.has_value() == (i > 1));
      }
      for (std::size_t i = 1; i < pages.size(); ++i) {
        page = page_at(*library, query, page.next);
        REQUIRE(ids_of(page) == pages[i]);
      }
      CHECK_FALSE(page.next);
    }
  }
}

TEST_CASE("server: a listing whose scan is cut goes on through empty pages, either way, and misses nothing") {
  Random random(7);
  for (int round = 0; round < 10; ++round) {
    const auto rows = random_rows(random, 1 + random.below(150));
    const auto library = library_of(rows);
    for (int each = 0; each < 40; ++each) {
      MediaQuery query = random_query(random);
      query.scan_limit = 1 + random.below(20);
      const auto model = model_of(rows, query);
      std::vector<MediaId> found;
      std::optional<Cursor> at;
      ListingPage page;
      for (std::size_t pages = 0;; at = page.next, ++pages) {
        REQUIRE(pages <= rows.size());
        page = page_at(*library, query, at);
        // A client that turns round anywhere finds the end of what it has seen.
        CHECK((page.prev || found.empty()));
        if (page.prev) {
          const auto before = ids_of(page_at(*library, query, page.prev));
          REQUIRE(before.size() <= found.size());
          CHECK(std::equal(before.begin(), before.end(), found.end() - static_cast<std::ptrdiff_t>(before.size())));
        }
        const auto ids = ids_of(page);
        found.insert(found.end(), ids.begin(), ids.end());
        if (!page.next) break;
      }
      REQUIRE(found == model);
      // Back from the end; what the last page had is told once more.
      found = ids_of(page);
      for (std::size_t pages = 0; page.prev; ++pages) {
        REQUIRE(pages <= rows.size());
        page = page_at(*library, query, page.prev);
        CHECK((page.next || found.empty()));
        const auto ids = ids_of(page);
        found.insert(found.begin(), ids.begin(), ids.end());
      }
      REQUIRE(found == model);
    }
  }
}

TEST_CASE("server: a cursor at an end of all ids leads to an empty page that knows its way back") {
  Random random(1);
  std::vector<Media> rows = random_rows(random, 5);
  rows.back().id = kMaxMediaId;
  for (Media& row : rows) row.owner = "owner";
  const auto library = library_of(rows);
  MediaQuery query;
  query.owner = "owner";
  for (const bool descending : {false, true}) {
    query.descending = descending;
    const Cursor beyond{descending ? rows.front().id : kMaxMediaId, false};
    const auto empty = page_at(*library, query, beyond);
    CHECK(empty.items.empty());
    CHECK_FALSE(empty.next);
    REQUIRE(empty.prev);
    const auto back = page_at(*library, query, empty.prev);
    CHECK(back.items.size() == 5);
    CHECK_FALSE(back.prev);
    const Cursor before{descending ? kMaxMediaId : rows.front().id, true};
    const auto none = page_at(*library, query, before);
    CHECK(none.items.empty());
    CHECK_FALSE(none.prev);
    REQUIRE(none.next);
    CHECK(page_at(*library, query, none.next).items.size() == 5);
  }
  query.owner = "nobody";
  const auto nothing = page_at(*library, query, Cursor{3, false});
  CHECK((nothing.items.empty() && !nothing.next && !nothing.prev));
  query.descending = true;
  CHECK(read_page(*library, query, Cursor{0, false}).error().code == Errc::invalid_argument);
}
