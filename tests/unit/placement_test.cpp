// Rules of placement: what they mean, and what is none.
#include "media/placement.hpp"
#include "catch.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

constexpr Timestamp kNow{std::chrono::hours{24 * 20'000}};

BlobUse use_of(BlobKind kind, std::uint64_t size, Timestamp since, std::uint64_t reads = 0, std::optional<Timestamp> read_at = {}) {
  BlobUse use;
  use.kind = kind;
  use.size_bytes = size;
  use.since = since;
  use.reads = reads;
  use.read_at = read_at;
  return use;
}

bool meets(const std::string& rule, const BlobUse& use) {
  const auto parsed = PlacementRule::parse(rule);
  INFO(rule);
  REQUIRE(parsed);
  return parsed->reason(use, kNow).has_value();
}

}  // namespace

TEST_CASE("placement: age, size, reads and kind are compared as they are written") {
  const BlobUse use = use_of(BlobKind::video, 1'000'000, kNow - 48h, 5);
  CHECK(meets("age>47h", use));
  CHECK(meets("age>=2d", use));
  CHECK_FALSE(meets("age>2d", use));
  CHECK(meets("age<=172800s", use));
  CHECK_FALSE(meets("age<2880m", use));
  CHECK(meets("size>=1M", use));
  CHECK_FALSE(meets("size>1M", use));
  CHECK(meets("size<1000001", use));
  CHECK(meets("size>=1000k", use));
  CHECK_FALSE(meets("size>=1G", use));
  CHECK(meets("reads<6", use));
  CHECK_FALSE(meets("reads<=4", use));
  CHECK(meets("kind=image|video", use));
  CHECK_FALSE(meets("kind=rendition", use));
  CHECK(meets("kind!=rendition|other", use));
  CHECK_FALSE(meets("kind!=video", use));
}

TEST_CASE("placement: what was never read counts from when it was stored, and a later upload counts as use") {
  CHECK(meets("unread>30d", use_of(BlobKind::image, 1, kNow - 24h * 31)));
  CHECK_FALSE(meets("unread>30d", use_of(BlobKind::image, 1, kNow - 24h * 31, 1, kNow - 24h)));
  CHECK(meets("unread>30d", use_of(BlobKind::image, 1, kNow - 24h * 90, 1, kNow - 24h * 31)));
  CHECK_FALSE(meets("unread>30d", use_of(BlobKind::image, 1, kNow - 24h * 2, 1, kNow - 24h * 31)));
  // A clock that was set back.
  CHECK_FALSE(meets("age>0s", use_of(BlobKind::image, 1, kNow + 24h)));
}

TEST_CASE("placement: all conditions of one alternative must be met, and the reason names them") {
  const std::string rule = "kind=video age>7d; unread>30d, size>=1M";
  const BlobUse film = use_of(BlobKind::video, 10, kNow - 24h * 8);
  const BlobUse photo = use_of(BlobKind::image, 3'200'000, kNow - 24h * 42);
  CHECK(PlacementRule::parse(rule)->reason(film, kNow) == "video (kind=video), stored 8d ago (age>7d)");
  CHECK(PlacementRule::parse(rule)->reason(photo, kNow) == "not read for 42d (unread>30d), 3200000 bytes (size>=1M)");
  CHECK_FALSE(meets(rule, use_of(BlobKind::image, 10, kNow - 24h * 42)));
  CHECK_FALSE(meets(rule, use_of(BlobKind::video, 10, kNow - 24h * 6)));
}

TEST_CASE("placement: nothing meets no rule") {
  for (const char* const none : {"", "none", " ", ";", " ; ,"}) CHECK_FALSE(meets(none, use_of(BlobKind::image, 1, Timestamp())));
  CHECK_FALSE(PlacementRule().reason(use_of(BlobKind::image, 1, Timestamp()), kNow));
}

TEST_CASE("placement: what is no condition is refused by its own words") {
  for (const char* const wrong : {"age",
                                  "age>",
                                  "age>30",
                                  "age>30w",
                                  "age=30d",
                                  "age>-1d",
                                  "age>30dd",
                                  "age>>30d",
                                  "age!=30d",
                                  "size>1d",
                                  "size>M",
                                  "size>1.5M",
                                  "reads>1k",
                                  "kind=picture",
                                  "kind=",
                                  "kind>video",
                                  "kind==video",
                                  "kind!video",
                                  "colour=red",
                                  ">3",
                                  "none;age>1d",
                                  "age>99999999999999999999d",
                                  "age>9223372036854775807d"}) {
    const auto parsed = PlacementRule::parse(wrong);
    INFO(wrong);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::invalid_argument);
  }
  CHECK(PlacementRule::parse("size>1M colour=red").error().message.find("'colour=red'") != std::string::npos);
  std::string many = "age>1d";
  for (int i = 0; i < 20; ++i) many += ";age>1d";
  CHECK(PlacementRule::parse(many).error().code == Errc::invalid_argument);
}
