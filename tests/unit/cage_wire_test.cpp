#include <cmath>
#include <limits>
#include <string>

#include "cage/wire.hpp"
#include "catch.hpp"
#include "support.hpp"

using namespace media;
using namespace media::cage;
using namespace std::chrono_literals;

namespace {

/// Every way of cutting a message short, and one byte too many, must be refused.
template <class Parse>
void check_only_whole(std::vector<std::byte> payload, const Parse& parse) {
  REQUIRE(parse(payload).has_value());
  for (std::size_t size = 0; size < payload.size(); ++size) {
    CAPTURE(size);
    REQUIRE_FALSE(parse(std::span(payload).first(size)).has_value());
  }
  payload.push_back(std::byte{0});
  REQUIRE_FALSE(parse(payload).has_value());
}

/// Of a square opaque picture: 5 bytes and 37 waves.
Appearance looks() {
  Appearance appearance{std::vector<std::byte>(24, std::byte{0x77}), "#123456", PerceptualHash{0x8000'0000'0000'0001}};
  appearance.thumbhash[2] = std::byte{0x01};
  appearance.thumbhash[3] = std::byte{0x07};
  appearance.thumbhash[4] = std::byte{0x01};
  appearance.thumbhash.back() = std::byte{0x07};
  return appearance;
}

Derived two_outputs() {
  Derived derived{{Format::avif, 4000, 3000, 1, 6, true, 5s}, "#00ff7f", {}, {}};
  derived.outputs.push_back(Encoded{{}, 320, 240, test::noise(100), 71, 96.5});
  derived.outputs.push_back(Encoded{{}, 65'535, 1, test::noise(1)});
  return derived;
}

}  // namespace

TEST_CASE("cage: requests survive the wire with every field, and only whole") {
  Request request{123'456'789'012, {1, 2, 3, 4, 5ms, 6, 7}, 8ms, {}};
  Transform plain;
  plain.width = 320;
  plain.height = 240;
  plain.fit = Fit::cover;
  plain.format = Format::webp;
  plain.quality = 77;
  plain.enlarge = true;
  plain.background = Colour{1, 2, 3};
  plain.frames = Frames::all;
  plain.score = 965;
  plain.max_bytes = 123'456;
  request.transforms.push_back(plain);
  request.transforms.push_back({});
  Transform edited;
  edited.fit = Fit::pad;
  edited.gravity = {123, 456, true};
  edited.dpr_hundredths = 250;
  edited.rotate_degrees = 270;
  edited.flip_horizontal = true;
  edited.trim = 99;
  edited.sharpen_hundredths = 321;
  edited.sharpen_sigma_hundredths = 654;
  edited.blur_hundredths = 9876;
  edited.keep_profile = true;
  request.transforms.push_back(edited);
  edited.flip_horizontal = false;
  edited.flip_vertical = true;
  edited.keep_profile = false;
  edited.keep_copyright = true;
  request.transforms.push_back(edited);
  edited.frames = Frames::sheet;
  edited.at = 12'500ms;
  edited.depth = 10;
  request.transforms.push_back(edited);
  const auto bytes = write_request(request);
  const auto back = parse_request(bytes);
  REQUIRE(back.has_value());
  CHECK(back->source_bytes == request.source_bytes);
  CHECK(back->budget.max_pixels == 1);
  CHECK(back->budget.max_memory_bytes == 2);
  CHECK(back->budget.max_source_bytes == 3);
  CHECK(back->budget.max_output_bytes == 4);
  CHECK(back->budget.deadline == 5ms);
  CHECK(back->budget.max_frames == 6);
  CHECK(back->budget.max_total_pixels == 7);
  CHECK(back->search_time == 8ms);
  CHECK(back->transforms == request.transforms);
  check_only_whole(bytes, [](auto payload) { return parse_request(payload); });
}

TEST_CASE("cage: a transform out of range does not come through") {
  const auto comes_through = [](auto&& change) {
    Request request;
    request.transforms.resize(1);
    change(request.transforms.front());
    return parse_request(write_request(request)).has_value();
  };
  CHECK(comes_through([](Transform&) {}));
  CHECK_FALSE(comes_through([](Transform& t) { t.score = 1000; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.depth = 12; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.blur_hundredths = 29; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.gravity.y = 1001; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.rotate_degrees = 100; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.dpr_hundredths = 401; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.sharpen_sigma_hundredths = 1001; }));
  CHECK_FALSE(comes_through([](Transform& t) { t.fit = static_cast<Fit>(6); }));
  CHECK_FALSE(comes_through([](Transform& t) { t.frames = static_cast<Frames>(4); }));
  CHECK_FALSE(comes_through([](Transform& t) { t.at = 100h + 1ms; }));
  CHECK(comes_through([](Transform& t) { t.at = 100h; }));
}

TEST_CASE("cage: the largest request fits into a message") {
  const Request request{1, {}, {}, std::vector<Transform>(kMaxTransforms)};
  const auto bytes = write_request(request);
  CHECK(bytes.size() <= kMaxMessageBytes);
  CHECK(parse_request(bytes).has_value());
  CHECK_FALSE(parse_request(write_request({1, {}, {}, std::vector<Transform>(kMaxTransforms + 1)})).has_value());
}

TEST_CASE("cage: facts survive the wire, and impossible ones do not") {
  const MediaInfo info{Format::mp4, 1920, 1080, 0, 8, false, 61'234ms};
  CHECK(parse_info(write_info(info)).value() == info);
  CHECK(parse_info(write_info({})).value() == MediaInfo{});
  check_only_whole(write_info(info), [](auto payload) { return parse_info(payload); });
  for (const int orientation : {0, 9, 255}) {
    MediaInfo odd = info;
    odd.orientation = static_cast<std::uint8_t>(orientation);
    CHECK_FALSE(parse_info(write_info(odd)).has_value());
  }
  MediaInfo odd = info;
  odd.format = static_cast<Format>(static_cast<std::uint8_t>(Format::ogg) + 1);
  CHECK_FALSE(parse_info(write_info(odd)).has_value());
  odd = info;
  odd.duration = std::chrono::milliseconds::max();
  CHECK_FALSE(parse_info(write_info(odd)).has_value());
}

TEST_CASE("cage: what is told of an encoded video survives the wire, and only whole") {
  const EncodedHead head{{Format::mp4, 640, 360, 75, 1, false, 3s}, 320, 180, 2'500ms};
  const auto bytes = write_encoded(head);
  const auto read = parse_encoded(bytes);
  REQUIRE(read.has_value());
  CHECK(read->source == head.source);
  CHECK(read->width == 320);
  CHECK(read->height == 180);
  CHECK(read->lost_sound == 2'500ms);
  check_only_whole(bytes, [](auto payload) { return parse_encoded(payload); });
  // Two hundred million years without sound.
  auto absurd = bytes;
  absurd.back() = std::byte{0x7f};
  CHECK_FALSE(parse_encoded(absurd).has_value());
  CHECK_FALSE(parse_encoded(write_encoded({head.source, 0, 180, 0ms})).has_value());
}

TEST_CASE("cage: descriptions of outputs survive the wire, and must match what was asked for") {
  const auto bytes = write_derived(two_outputs());
  const auto head = parse_derived(bytes, 2, 100);
  REQUIRE(head.has_value());
  CHECK(head->source == two_outputs().source);
  CHECK(head->placeholder == "#00ff7f");
  REQUIRE(head->outputs.size() == 2);
  CHECK(head->outputs[0].width == 320);
  CHECK(head->outputs[0].size_bytes == 100);
  CHECK(head->outputs[1].width == 65'535);
  check_only_whole(bytes, [](auto payload) { return parse_derived(payload, 2, 100); });
  CHECK_FALSE(parse_derived(bytes, 1, 100).has_value());
  CHECK_FALSE(parse_derived(bytes, 3, 100).has_value());
  CHECK_FALSE(parse_derived(bytes, 2, 99).has_value());
}

TEST_CASE("cage: how a picture looks survives the wire whole, with a hash and without") {
  Derived derived = two_outputs();
  CHECK(parse_derived(write_derived(derived), 2, 100).value().appearance == Appearance{});
  derived.appearance = looks();
  const auto bytes = write_derived(derived);
  CHECK(parse_derived(bytes, 2, 100).value().appearance == looks());
  check_only_whole(bytes, [](auto payload) { return parse_derived(payload, 2, 100); });
  derived.appearance.perceptual_hash.reset();
  CHECK(parse_derived(write_derived(derived), 2, 100).value().appearance == derived.appearance);
}

TEST_CASE("cage: a worker cannot say that a picture looks like what no picture does") {
  Derived derived = two_outputs();
  derived.appearance = looks();
  SECTION("no ThumbHash") { derived.appearance.thumbhash.assign(17, std::byte{0}); }
  SECTION("a short ThumbHash") { derived.appearance.thumbhash.pop_back(); }
  SECTION("a long ThumbHash") { derived.appearance.thumbhash.push_back(std::byte{0}); }
  SECTION("a very long ThumbHash") { derived.appearance.thumbhash.resize(60'000); }
  SECTION("a colour that is none") { derived.appearance.dominant_colour = "#12345g"; }
  SECTION("no colour") { derived.appearance.dominant_colour.clear(); }
  SECTION("a colour alone") { derived.appearance = {{}, "#123456", std::nullopt}; }
  SECTION("a hash alone") { derived.appearance = {{}, "", PerceptualHash{1}}; }
  CHECK_FALSE(parse_derived(write_derived(derived), 2, 100).has_value());
}

TEST_CASE("cage: outputs without pixels or bytes, and placeholders that are no colour, are refused") {
  Derived derived = two_outputs();
  SECTION("no width") { derived.outputs[0].width = 0; }
  SECTION("no height") { derived.outputs[0].height = 0; }
  SECTION("too wide") { derived.outputs[0].width = 65'536; }
  SECTION("no bytes") { derived.outputs[0].bytes.clear(); }
  SECTION("script for a colour") { derived.placeholder = "<b>hi"; }
  SECTION("short colour") { derived.placeholder = "#fff"; }
  SECTION("long text") { derived.placeholder = "#00ff7f0"; }
  SECTION("capitals") { derived.placeholder = "#00FF7F"; }
  CHECK_FALSE(parse_derived(write_derived(derived), 2, 100).has_value());
}

TEST_CASE("cage: errors from a worker keep honest codes and printable text") {
  Error into;
  for (const Errc code : {Errc::invalid_argument, Errc::unsupported, Errc::corrupt, Errc::too_large}) {
    REQUIRE(parse_error(write_error({code, "why"}), into).has_value());
    CHECK(into == Error{code, "why"});
  }
  for (const Errc code : {Errc::not_found, Errc::denied, Errc::expired, Errc::unavailable, Errc::cancelled, Errc::io}) {
    REQUIRE(parse_error(write_error({code, "why"}), into).has_value());
    CHECK(into == Error{Errc::internal, "why"});
  }
  REQUIRE(parse_error(write_error({Errc::corrupt, std::string("a\0b\n\xff", 5)}), into).has_value());
  CHECK(into.message == "a?b??");
  REQUIRE(parse_error(write_error({Errc::corrupt, std::string(100'000, 'x')}), into).has_value());
  CHECK(into.message.size() == kMaxErrorText);
  check_only_whole(write_error({Errc::corrupt, "why"}), [](auto payload) {
    Error ignored;
    return parse_error(payload, ignored);
  });
  auto odd = write_error({Errc::corrupt, ""});
  odd[0] = std::byte{200};
  CHECK_FALSE(parse_error(odd, into).has_value());
}

TEST_CASE("cage: progress is a share") {
  CHECK(parse_progress(write_progress(0)).value() == 0);
  CHECK(parse_progress(write_progress(0.75)).value() == 0.75);
  CHECK(parse_progress(write_progress(1)).value() == 1);
  for (const double odd : {-0.1, 1.1, std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK_FALSE(parse_progress(write_progress(odd)).has_value());
  check_only_whole(write_progress(0.5), [](auto payload) { return parse_progress(payload); });
}

TEST_CASE("cage: a hello is a number and a word") {
  check_only_whole(write_hello({1, "0.1.0"}), [](auto payload) { return parse_hello(payload); });
  CHECK_FALSE(parse_hello(write_hello({1, "0.1.0\n"})).has_value());
  CHECK(parse_hello(write_hello({7, "x"})).value().protocol == 7);
}

TEST_CASE("cage: heads without magic, of unknown kind or with impossible lengths are refused") {
  const auto good = write_head({MessageKind::failed, kMaxMessageBytes});
  const auto back = parse_head(good);
  REQUIRE(back.has_value());
  CHECK(back->kind == MessageKind::failed);
  CHECK(back->length == kMaxMessageBytes);
  for (const std::size_t position : {0U, 3U, 5U, 7U, 11U}) {
    auto bad = good;
    bad[position] ^= std::byte{0x40};
    CAPTURE(position);
    CHECK_FALSE(parse_head(bad).has_value());
  }
  CHECK_FALSE(parse_head(write_head({static_cast<MessageKind>(0), 0})).has_value());
  CHECK_FALSE(parse_head(write_head({static_cast<MessageKind>(11), 0})).has_value());
  CHECK_FALSE(parse_head(write_head({MessageKind::failed, kMaxMessageBytes + 1})).has_value());
}
