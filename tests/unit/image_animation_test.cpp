// Animations in and out: frames, times, plays; and what cut, damaged and boundless ones come to.
#include <webp/mux.h>

#include <array>
#include <filesystem>
#include <random>
#include <set>

#include "avif_refusals.hpp"
#include "catch.hpp"
#include "image/format.hpp"
#include "image/quantise.hpp"
#include "image_samples.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;
using std::chrono::milliseconds;

namespace {

struct Played {
  std::uint32_t plays = 0;
  std::vector<Frame> frames;
  [[nodiscard]] milliseconds total() const {
    milliseconds sum{0};
    for (const Frame& frame : frames) sum += frame.shown;
    return sum;
  }
};

/// All frames as the codec gives them; one without times where the file is a still.
Result<Played> play(std::span<const std::byte> bytes, Format format) {
  const DeriveOptions options;
  const Control control(options);
  const MemoryReader reader(bytes);
  MEDIA_TRY_ASSIGN(auto decoder, find_codec(format)->open(reader, control));
  MEDIA_TRY_ASSIGN(const auto frames, decoder->frames());
  Played played;
  if (!frames) {
    MEDIA_TRY_ASSIGN(auto still, test::decode(bytes, format));
    played.plays = 1;
    played.frames.push_back({std::move(still), milliseconds(0)});
    return played;
  }
  played.plays = frames->plays();
  while (true) {
    MEDIA_TRY_ASSIGN(auto frame, frames->next());
    if (!frame) break;
    played.frames.push_back(std::move(*frame));
  }
  return played;
}

std::vector<std::byte> animation(const std::vector<Frame>& frames, Format format, std::uint32_t plays, int quality = 90) {
  const DeriveOptions options;
  const Control control(options);
  const auto writer = find_codec(format)->animate(frames.front().image.size, quality, plays, control).value();
  for (const Frame& frame : frames) REQUIRE(writer->add(frame.image, frame.shown).has_value());
  return writer->finish().value();
}

/// A smooth picture over which a block moves; with `alpha` the block leaves a hole where it was.
std::vector<Frame> moving(Size size, std::size_t count, Layout layout = Layout::rgb) {
  std::vector<Frame> frames;
  for (std::size_t i = 0; i < count; ++i) {
    Image image = test::scene(size, Layout::rgb);
    if (layout == Layout::rgba) {
      Image with_alpha(size, Layout::rgba);
      for (std::uint64_t p = 0; p < size.pixels(); ++p) {
        std::copy_n(image.data.begin() + static_cast<std::ptrdiff_t>(p * 3), 3,
                    with_alpha.data.begin() + static_cast<std::ptrdiff_t>(p * 4));
        with_alpha.data[p * 4 + 3] = 255;
      }
      image = std::move(with_alpha);
    }
    const std::uint32_t side = size.height / 4;
    const std::uint32_t step = channels(image.layout);
    for (std::uint32_t y = side; y < 2 * side; ++y) {
      for (std::uint32_t x = 0; x < side; ++x) {
        std::uint8_t* pixel = image.row(y).data() + (static_cast<std::size_t>(i) * side / 2 + x) * step;
        if (step == 4) {
          std::fill_n(pixel, 4, std::uint8_t{0});
        } else {
          pixel[0] = 250, pixel[1] = 200, pixel[2] = 20;
        }
      }
    }
    frames.push_back({std::move(image), milliseconds(40 + 30 * (static_cast<int>(i) % 4))});
  }
  return frames;
}

Image as_rgba(const Image& image) {
  if (image.layout == Layout::rgba) return image;
  Image out(image.size, Layout::rgba);
  for (std::uint64_t p = 0; p < image.size.pixels(); ++p) {
    for (std::size_t c = 0; c < 3; ++c)
      out.data[p * 4 + c] = image.data[p * channels(image.layout) + (image.layout == Layout::grey ? 0 : c)];
    out.data[p * 4 + 3] = 255;
  }
  return out;
}

/// Over grey, so that the colour of what cannot be seen does not count.
double alike(const Image& a, const Image& b) {
  return test::psnr(flatten(as_rgba(a), {128, 128, 128}), flatten(as_rgba(b), {128, 128, 128}));
}

std::vector<Format> animated_formats() {
  std::vector<Format> out;
  for (const Format format : {Format::gif, Format::webp, Format::avif}) {
    const Codec* codec = find_codec(format);
    if (codec != nullptr && codec->animate != nullptr) out.push_back(format);
  }
  return out;
}

std::string text_of(Format format, const std::string& more = ",frames=all") { return "format=" + std::string(to_string(format)) + more; }

/// A GIF written by hand: the palette is black, white, red, green; LZW with a clear code before every pixel, so that codes keep 3 bits.
class GifFile {
 public:
  GifFile(std::uint32_t width, std::uint32_t height) {
    test::append(bytes_, "GIF89a");
    number(width, 2), number(height, 2), number(0x81, 1), number(0, 1), number(0, 1);
    for (const std::uint32_t colour : {0x000000U, 0xFFFFFFU, 0x0000FFU, 0x00FF00U}) number(colour, 3);
  }

  GifFile& loop(std::uint32_t repeats) {
    number(0xFF21, 2), number(11, 1);
    test::append(bytes_, "NETSCAPE2.0");
    number(3, 1), number(1, 1), number(repeats, 2), number(0, 1);
    return *this;
  }

  GifFile& frame(std::array<std::uint32_t, 4> area, const std::string& pixels, std::uint32_t delay, std::uint32_t disposal = 0,
                 int transparent = -1) {
    number(0xF921, 2), number(4, 1), number(disposal << 2U | (transparent >= 0 ? 1U : 0U), 1), number(delay, 2);
    number(transparent >= 0 ? static_cast<std::uint32_t>(transparent) : 0, 1), number(0, 1);
    number(0x2C, 1);
    for (const std::uint32_t part : area) number(part, 2);
    number(0, 1), number(2, 1);
    std::vector<std::byte> codes;
    std::uint32_t held = 0;
    int bits = 0;
    const auto code = [&](std::uint32_t value) {
      held |= value << bits;
      for (bits += 3; bits >= 8; bits -= 8, held >>= 8U) codes.push_back(static_cast<std::byte>(held));
    };
    for (const char pixel : pixels) {
      code(4);
      code(static_cast<std::uint32_t>(pixel - '0'));
    }
    code(5);
    codes.push_back(static_cast<std::byte>(held));
    REQUIRE(codes.size() < 256);
    number(static_cast<std::uint32_t>(codes.size()), 1);
    bytes_.insert(bytes_.end(), codes.begin(), codes.end());
    number(0, 1);
    ends_.push_back(bytes_.size());
    return *this;
  }

  [[nodiscard]] std::vector<std::byte> end() const {
    auto out = bytes_;
    out.push_back(std::byte{0x3B});
    return out;
  }
  /// Where each frame ends.
  [[nodiscard]] const std::vector<std::size_t>& ends() const { return ends_; }

 private:
  void number(std::uint32_t value, int width) {
    for (int i = 0; i < width; ++i) bytes_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  std::vector<std::byte> bytes_;
  std::vector<std::size_t> ends_;
};

/// One letter a pixel: black, white, red, green, '.' for transparent.
std::string seen(const Image& image) {
  std::string out;
  const std::uint32_t step = channels(image.layout);
  for (std::size_t at = 0; at < image.data.size(); at += step) {
    const std::uint8_t* pixel = image.data.data() + at;
    const bool hidden = step == 4 && pixel[3] == 0;
    out += hidden ? '.' : pixel[0] > 128 && pixel[1] > 128 ? 'w' : pixel[0] > 128 ? 'r' : pixel[1] > 128 ? 'g' : 'b';
  }
  return out;
}

}  // namespace

TEST_CASE("animation: from each format into each, frames, times, plays and pixels stay") {
  for (const Layout layout : {Layout::rgb, Layout::rgba}) {
    const auto frames = moving({96, 64}, 6, layout);
    for (const Format from : animated_formats()) {
      for (const std::uint32_t plays : {0U, 1U, 3U}) {
        const auto source = animation(frames, from, plays);
        for (const Format to : animated_formats()) {
          INFO(to_string(from) << " to " << to_string(to) << ", " << plays << " plays, layout " << static_cast<int>(layout));
          const auto derived = test::derive(source, {text_of(to, ",q=90,frames=all")});
          REQUIRE(derived.has_value());
          CHECK(derived->source.frames == frames.size());
          CHECK(derived->outputs.at(0).width == 96);
          CHECK(derived->outputs.at(0).height == 64);
          const auto played = play(derived->outputs.at(0).bytes, to);
          REQUIRE(played.has_value());
          CHECK(played->plays == plays);
          REQUIRE(played->frames.size() == frames.size());
          CHECK(std::abs((played->total() - milliseconds(460)).count()) <= 10);
          for (std::size_t i = 0; i < frames.size(); ++i) {
            INFO("frame " << i);
            CHECK(std::abs((played->frames[i].shown - frames[i].shown).count()) <= 10);
            // Two lossy steps, or a palette of 255 colours.
            CHECK(alike(played->frames[i].image, frames[i].image) >= 27);
          }
        }
      }
    }
  }
}

TEST_CASE("animation: frames are resized and cut as stills are") {
  const auto frames = moving({120, 80}, 4);
  const auto source = animation(frames, Format::webp, 0, 100);
  for (const Format to : animated_formats()) {
    for (const std::string key : {"w=60,", "w=40,h=40,fit=cover,", "w=200,enlarge=1,"}) {
      INFO(key << to_string(to));
      const auto derived = test::derive(source, {key + text_of(to, ",q=95,frames=all"), key + "format=png"});
      REQUIRE(derived.has_value());
      const auto played = play(derived->outputs.at(0).bytes, to);
      REQUIRE(played.has_value());
      REQUIRE(played->frames.size() == 4);
      const auto still = test::decode(derived->outputs.at(1).bytes, Format::png);
      REQUIRE(still.has_value());
      CHECK(derived->outputs.at(0).width == derived->outputs.at(1).width);
      CHECK(played->frames[0].image.size == still->size);
      CHECK(alike(played->frames[0].image, *still) >= 27);
    }
  }
}

TEST_CASE("animation: where the target has no frames, or none are asked for, the first one is taken, byte for byte as ever") {
  for (const Format from : animated_formats()) {
    const auto source = animation(moving({64, 48}, 3), from, 0);
    for (const Format to : {Format::jpeg, Format::png, Format::webp, Format::avif, Format::gif}) {
      if (find_codec(to) == nullptr) continue;
      INFO(to_string(from) << " to " << to_string(to));
      const auto plain = test::derive(source, {text_of(to, "")});
      const auto first = test::derive(source, {text_of(to, ",frames=first")});
      REQUIRE(plain.has_value());
      REQUIRE(first.has_value());
      CHECK(plain->outputs.at(0).bytes == first->outputs.at(0).bytes);
      CHECK(plain->source.frames == 3);
      CHECK(play(plain->outputs.at(0).bytes, to)->frames.size() == 1);
      if (can_animate(to)) continue;
      const auto all = test::derive(source, {text_of(to)});
      REQUIRE(all.has_value());
      CHECK(all->outputs.at(0).bytes == plain->outputs.at(0).bytes);
    }
  }
  // A still has one frame, however many are asked for.
  const auto still = test::encode(test::scene({50, 40}), Format::png, 0);
  CHECK(test::derive(still, {"format=webp,frames=all"})->outputs.at(0).bytes == test::derive(still, {"format=webp"})->outputs.at(0).bytes);
}

TEST_CASE("animation: stills and animations come from one call in the order that was asked for") {
  const auto source = animation(moving({64, 48}, 3), Format::gif, 0);
  const std::vector<std::string> asked{"w=32,format=jpeg", "w=32,format=webp,frames=all", "w=16,format=png", "w=16,format=gif,frames=all"};
  std::vector<double> progress;
  DeriveOptions options;
  options.progress = [&](double share) { progress.push_back(share); };
  const auto derived = test::derive(source, asked, options);
  REQUIRE(derived.has_value());
  REQUIRE(derived->outputs.size() == 4);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    CHECK(to_string(derived->outputs[i].transform) == asked[i]);
    CHECK(derived->outputs[i].width == (i < 2 ? 32 : 16));
    const Format format = derived->outputs[i].transform.format;
    CHECK(play(derived->outputs[i].bytes, format)->frames.size() == (i % 2 == 1 ? 3 : 1));
  }
  CHECK(derived->placeholder == test::derive(source, {asked[0]})->placeholder);
  CHECK(std::is_sorted(progress.begin(), progress.end()));
  CHECK(progress.back() == 1);
}

TEST_CASE("animation: frames that look the same are one frame that is shown for longer") {
  auto frames = moving({64, 48}, 3);
  frames.insert(frames.begin() + 1, frames[0]);
  frames.push_back(frames.back());
  // GIF's own writer merges, too: so the source says the same five times over in a format that does not.
  const auto source = animation(frames, Format::avif, 0, 100);
  REQUIRE(play(source, Format::avif)->frames.size() == 5);
  GifFile gif(2, 1);
  gif.frame({0, 0, 2, 1}, "01", 10).frame({0, 0, 2, 1}, "01", 20).frame({0, 0, 2, 1}, "11", 30).frame({0, 0, 1, 1}, "1", 40);
  REQUIRE(play(gif.end(), Format::gif)->frames.size() == 4);
  for (const Format to : animated_formats()) {
    INFO(to_string(to));
    const auto played = play(test::derive(gif.end(), {text_of(to, ",q=100,frames=all")})->outputs.at(0).bytes, to);
    REQUIRE(played.has_value());
    REQUIRE(played->frames.size() == 2);
    CHECK(played->frames[0].shown == milliseconds(300));
    CHECK(played->frames[1].shown == milliseconds(700));
  }
  GifFile resting(2, 1);
  resting.frame({0, 0, 2, 1}, "01", 10).frame({0, 0, 2, 1}, "01", 20);
  for (const Format to : animated_formats()) {
    const auto derived = test::derive(resting.end(), {text_of(to)});
    REQUIRE(derived.has_value());
    CHECK(derived->source.frames == 2);
    CHECK(play(derived->outputs.at(0).bytes, to)->frames.size() == 1);
  }
}

TEST_CASE("animation: a GIF's frames are put on top of each other as its disposal methods say") {
  GifFile gif(3, 2);
  gif.loop(4)
      .frame({0, 0, 3, 2}, "000000", 7, 1)                   // All black, and stays.
      .frame({0, 0, 2, 1}, "11", 8, 2)                       // White, then cleared to nothing.
      .frame({1, 0, 2, 2}, "2323", 9, 3, 3)                  // Red with holes, then taken back.
      .frame({2, 1, 1, 1}, "3", 11, 1)                       // Green, and stays.
      .frame({0, 0, 9, 9}, std::string(81, '1'), 12, 0, 1);  // Beyond the canvas, all of it transparent.
  const auto played = play(gif.end(), Format::gif);
  REQUIRE(played.has_value());
  CHECK(played->plays == 5);
  REQUIRE(played->frames.size() == 5);
  CHECK(seen(played->frames[0].image) == "bbbbbb");
  CHECK(seen(played->frames[1].image) == "wwbbbb");
  CHECK(seen(played->frames[2].image) == ".rbbrb");
  CHECK(seen(played->frames[3].image) == "..bbbg");
  CHECK(seen(played->frames[4].image) == "..bbbg");
  const int delays[] = {70, 80, 90, 110, 120};
  for (std::size_t i = 0; i < 5; ++i) CHECK(played->frames[i].shown == milliseconds(delays[i]));
  // And so they are written again, holes and all.
  const auto again = play(test::derive(gif.end(), {"format=gif,frames=all"})->outputs.at(0).bytes, Format::gif);
  REQUIRE(again.has_value());
  CHECK(again->plays == 5);
  REQUIRE(again->frames.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(seen(again->frames[i].image) == seen(played->frames[i].image));
  CHECK(again->frames[3].shown == milliseconds(230));
}

TEST_CASE("animation: times that nobody means are a tenth of a second, as browsers have it, and a missing loop is one play") {
  GifFile gif(2, 1);
  gif.frame({0, 0, 2, 1}, "01", 0).frame({0, 0, 2, 1}, "10", 1).frame({0, 0, 2, 1}, "23", 2);
  const auto played = play(test::derive(gif.end(), {"format=gif,frames=all"})->outputs.at(0).bytes, Format::gif);
  REQUIRE(played.has_value());
  CHECK(played->plays == 1);
  REQUIRE(played->frames.size() == 3);
  CHECK(played->frames[0].shown == milliseconds(100));
  CHECK(played->frames[1].shown == milliseconds(100));
  CHECK(played->frames[2].shown == milliseconds(20));
  GifFile ever(2, 1);
  ever.loop(0).frame({0, 0, 2, 1}, "01", 5).frame({0, 0, 2, 1}, "10", 5);
  CHECK(play(ever.end(), Format::gif)->plays == 0);
}

TEST_CASE("animation: rounding to hundredths does not add up") {
  std::vector<Frame> frames = moving({32, 24}, 30);
  for (Frame& frame : frames) frame.shown = milliseconds(33);
  for (std::size_t i = 0; i < frames.size(); ++i) frames[i].image.data[i] ^= 0x80U;  // The block leaves the picture after some frames.
  const auto played = play(animation(frames, Format::gif, 0), Format::gif);
  REQUIRE(played->frames.size() == 30);
  CHECK(played->total() == milliseconds(990));
}

TEST_CASE("animation: a GIF of few colours comes out of GIF as it was, and of many with the best 255") {
  Image few({32, 32}, Layout::rgb);
  for (std::size_t i = 0; i < few.data.size(); ++i) few.data[i] = static_cast<std::uint8_t>(i / 3 % 15 * 17);
  CHECK(test::decode(test::encode(few, Format::gif, 0), Format::gif)->data == few.data);

  const Image many = test::scene({200, 150});
  const auto decoded = test::decode(test::encode(many, Format::gif, 0), Format::gif);
  REQUIRE(decoded.has_value());
  CHECK(decoded->layout == Layout::rgb);
  CHECK(test::psnr(*decoded, many) >= 32);
  std::set<std::array<std::uint8_t, 3>> colours;
  for (std::size_t at = 0; at < decoded->data.size(); at += 3)
    colours.insert({decoded->data[at], decoded->data[at + 1], decoded->data[at + 2]});
  CHECK(colours.size() <= 255);
  CHECK(colours.size() > 128);

  // What is seen less than half is not seen.
  const Image faint = test::scene({40, 80}, Layout::rgba);
  const auto hard = test::decode(test::encode(faint, Format::gif, 0), Format::gif);
  REQUIRE(hard.has_value());
  REQUIRE(hard->layout == Layout::rgba);
  for (std::uint64_t p = 0; p < faint.size.pixels(); ++p) REQUIRE(hard->data[p * 4 + 3] == (faint.data[p * 4 + 3] < 128 ? 0 : 255));
}

TEST_CASE("animation: a palette of any size is kept to, for any pixels") {
  std::mt19937 random(5);
  for (const std::size_t most : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{255}}) {
    Image noise({37, 29}, Layout::rgba);
    for (std::uint8_t& value : noise.data) value = static_cast<std::uint8_t>(random());
    std::vector<std::uint8_t> wanted(noise.size.pixels());
    for (std::uint8_t& value : wanted) value = random() % 3 == 0 ? 1 : 0;
    const Indexed indexed = quantise(noise, wanted, most);
    REQUIRE(indexed.palette.size() <= most);
    REQUIRE(indexed.indices.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      REQUIRE((wanted[i] != 0 ? indexed.indices[i] < indexed.palette.size() : indexed.indices[i] == indexed.palette.size()));
    }
  }
}

TEST_CASE("animation: equal frames make equal bytes") {
  const auto source = animation(moving({48, 32}, 3, Layout::rgba), Format::gif, 2);
  for (const Format to : animated_formats()) {
    INFO(to_string(to));
    CHECK(test::derive(source, {text_of(to)})->outputs.at(0).bytes == test::derive(source, {text_of(to)})->outputs.at(0).bytes);
    const auto bytes = animation(moving({48, 32}, 3), to, 2);
    CHECK(bytes == animation(moving({48, 32}, 3), to, 2));
  }
}

TEST_CASE("animation: alpha is laid over a colour in every frame") {
  const auto source = animation(moving({48, 32}, 3, Layout::rgba), Format::webp, 0);
  for (const Format to : animated_formats()) {
    const auto played = play(test::derive(source, {text_of(to, ",q=100,bg=ff0000,frames=all")})->outputs.at(0).bytes, to);
    REQUIRE(played.has_value());
    for (std::size_t i = 0; i < 3; ++i) {
      INFO(to_string(to) << ", frame " << i);
      const std::uint8_t* hole = played->frames[i].image.row(12).data() + (i * 4 + 4) * channels(played->frames[i].image.layout);
      CHECK(int{hole[0]} > 215);
      CHECK(int{hole[1]} < 40);
    }
  }
}

TEST_CASE("animation: what the frames of a WebP leave of its canvas is transparent, whatever its header says of alpha") {
  const auto small = test::encode(test::scene({16, 12}), Format::webp, 90);
  const std::unique_ptr<WebPMux, decltype(&WebPMuxDelete)> mux(WebPMuxNew(), WebPMuxDelete);
  for (int i = 0; i < 2; ++i) {
    WebPMuxFrameInfo frame{};
    frame.bitstream = {reinterpret_cast<const std::uint8_t*>(small.data()), small.size()};
    frame.x_offset = frame.y_offset = 4 * i;
    frame.duration = 50;
    frame.id = WEBP_CHUNK_ANMF;
    frame.dispose_method = WEBP_MUX_DISPOSE_BACKGROUND;
    REQUIRE(WebPMuxPushFrame(mux.get(), &frame, 1) == WEBP_MUX_OK);
  }
  const WebPMuxAnimParams forever{0, 0};
  REQUIRE(WebPMuxSetAnimationParams(mux.get(), &forever) == WEBP_MUX_OK);
  REQUIRE(WebPMuxSetCanvasSize(mux.get(), 24, 20) == WEBP_MUX_OK);
  WebPData data{};
  REQUIRE(WebPMuxAssemble(mux.get(), &data) == WEBP_MUX_OK);
  const std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data.bytes),
                                     reinterpret_cast<const std::byte*>(data.bytes) + data.size);
  WebPDataClear(&data);
  for (const Format to : animated_formats()) {
    INFO(to_string(to));
    const auto played = play(test::derive(bytes, {text_of(to, ",q=95,frames=all")})->outputs.at(0).bytes, to);
    REQUIRE(played.has_value());
    REQUIRE(played->frames.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      const Image& image = played->frames[i].image;
      REQUIRE(image.layout == Layout::rgba);
      CHECK(int{image.row(19)[3]} < 20);
      CHECK(int{image.row(8)[8 * 4 + 3]} > 235);
      CHECK((image.row(1)[1 * 4 + 3] > 128) == (i == 0));
    }
  }
}

TEST_CASE("animation: a GIF that ends too early has the frames that are whole; the other formats refuse") {
  GifFile gif(3, 1);
  gif.loop(0).frame({0, 0, 3, 1}, "012", 5, 1).frame({0, 0, 3, 1}, "120", 5, 1).frame({0, 0, 3, 1}, "201", 5, 1);
  const auto whole = gif.end();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    INFO("cut at " << length);
    const auto derived = test::derive(std::span(whole).first(length), {"format=gif,frames=all"});
    const auto frames =
        static_cast<std::size_t>(std::count_if(gif.ends().begin(), gif.ends().end(), [&](std::size_t end) { return end <= length; }));
    REQUIRE(derived.has_value() == (frames > 0));
    if (!derived) {
      const bool known = derived.error().code == Errc::corrupt || derived.error().code == Errc::unsupported;
      CHECK(known);
      continue;
    }
    CHECK(derived->source.frames == frames);
    CHECK(play(derived->outputs.at(0).bytes, Format::gif)->frames.size() == frames);
  }
  // Something that is no block behind a whole frame.
  auto odd = whole;
  odd[gif.ends()[0]] = std::byte{0x77};
  CHECK(test::derive(odd, {"format=gif,frames=all"}).error().code == Errc::corrupt);

  for (const Format format : animated_formats()) {
    if (format == Format::gif) continue;
    const auto bytes = animation(moving({48, 32}, 4), format, 0);
    for (std::size_t length = 0; length < bytes.size(); length += 1 + length / 40) {
      INFO(to_string(format) << " cut at " << length << " of " << bytes.size());
      const auto derived = test::derive(std::span(bytes).first(length), {"format=gif,frames=all"});
      REQUIRE_FALSE(derived.has_value());
      const bool known = derived.error().code == Errc::corrupt || derived.error().code == Errc::unsupported;
      CHECK(known);
    }
  }
}

TEST_CASE("animation: damaged files are refused or play, and nothing else") {
  std::mt19937 random(23);
  for (const Format format : animated_formats()) {
    const auto bytes = animation(moving({40, 30}, 4, Layout::rgba), format, 2);
    for (int i = 0; i < 150; ++i) {
      auto damaged = bytes;
      for (int hits = 0; hits < 4; ++hits) damaged[random() % damaged.size()] = static_cast<std::byte>(random());
      DeriveOptions options;
      options.budget.deadline = std::chrono::seconds(10);
      const auto derived = test::derive(damaged, {"w=20,format=gif,frames=all"}, options);
      if (derived) {
        CHECK(derived->outputs.size() == 1);
      } else {
        INFO(derived.error().message);
        CHECK(derived.error().code != Errc::internal);
      }
    }
  }
}

TEST_CASE("animation: budgets hold for frames, for their pixels together, and while they run") {
  for (const Format format : animated_formats()) {
    INFO(to_string(format));
    const auto source = animation(moving({64, 48}, 6), format, 0);
    const auto refusal = [&](const DeriveOptions& options, const std::string& transform = "w=32,format=gif,frames=all") {
      const auto derived = test::derive(source, {transform}, options);
      REQUIRE_FALSE(derived.has_value());
      return derived.error();
    };
    DeriveOptions few;
    few.budget.max_frames = 5;
    CHECK(refusal(few).code == Errc::too_large);
    CHECK_THAT(refusal(few).message, ContainsSubstring("6 frames, more than 5"));
    // Stills are not concerned.
    CHECK(test::derive(source, {"w=32,format=webp"}, few).has_value());
    few.budget.max_frames = 6;
    CHECK(test::derive(source, {"w=32,format=gif,frames=all"}, few).has_value());

    DeriveOptions small;
    small.budget.max_total_pixels = std::uint64_t{64} * 48 * 6 - 1;
    CHECK(refusal(small).code == Errc::too_large);
    CHECK_THAT(refusal(small).message, ContainsSubstring("together more than 18431"));
    small.budget.max_total_pixels += 1;
    CHECK(test::derive(source, {"w=32,format=gif,frames=all"}, small).has_value());
    CHECK(refusal(small, "w=128,enlarge=1,format=gif,frames=all").code == Errc::too_large);

    DeriveOptions tight;
    tight.budget.max_memory_bytes = 100'000;
    CHECK(refusal(tight).code == Errc::too_large);

    DeriveOptions narrow;
    narrow.budget.max_output_bytes = 400;
    CHECK(refusal(narrow).code == Errc::too_large);

    DeriveOptions late;
    late.budget.deadline = milliseconds(-1);
    CHECK(refusal(late).code == Errc::too_large);

    std::stop_source stop;
    DeriveOptions stopped;
    stopped.stop = stop.get_token();
    int reports = 0;
    stopped.progress = [&](double) {
      if (++reports == 3) stop.request_stop();
    };
    CHECK(refusal(stopped).code == Errc::cancelled);
    CHECK(reports <= 4);
  }
}

TEST_CASE("animation: an AVIF's number of plays is read from its edit list") {
  if (!can_decode(Format::avif)) return;
  const auto shared = test::shared_folder();
  if (!shared) return;
  // What the names say: how often it is repeated, so once more than that.
  const std::pair<const char*, std::uint32_t> kFiles[] = {{"loop_none.avif", 1},     {"loop_1.avif", 2},       {"loop_2.avif", 3},
                                                          {"loop_ceiled_4.avif", 5}, {"loop_forever.avif", 0}, {"no_edts.avif", 0}};
  for (const auto& [name, plays] : kFiles) {
    INFO(name);
    const auto bytes = test::read_file(*shared / "corpus/avif/mp4parse" / name);
    const auto played = play(bytes, Format::avif);
    REQUIRE(played.has_value());
    CHECK(played->plays == plays);
    CHECK(played->frames.size() == 2);
  }
}

TEST_CASE("animation: the animations of the corpus keep their frames in every format", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  const std::pair<const char*, std::size_t> kFiles[] = {{"gif/link-u_star.gif", 4},
                                                        {"gif/lovell_animated-loop-3.gif", 10},
                                                        {"gif/lovell_rotating-squares.gif", 30},
                                                        {"webp/lovell_animated-loop-3.webp", 10},
                                                        {"webp/lovell_rotating-squares.webp", 9},
                                                        {"avif/linku/star-8bpc.avifs", 5},
                                                        {"avif/linku/star-10bpc-with-alpha.avifs", 5},
                                                        {"avif/linku/star-12bpc.avifs", 5},
                                                        {"avif/mp4parse/alpha_video_fixed.avif", 48}};
  for (const auto& [name, frames] : kFiles) {
    const auto bytes = test::read_file(*shared / "corpus" / name);
    const std::string path = name;
    const Format from = format_from_name(path.substr(0, path.find('/')));
    if (!can_decode(from) || test::refused_by_libavif(path)) continue;
    const auto source = play(bytes, from);
    INFO(name);
    REQUIRE(source.has_value());
    CHECK(source->frames.size() == frames);
    std::size_t different = 1;
    for (std::size_t i = 1; i < source->frames.size(); ++i) {
      if (source->frames[i].image.data != source->frames[i - 1].image.data) ++different;
    }
    for (const Format to : animated_formats()) {
      INFO("to " << to_string(to));
      const auto derived = test::derive(bytes, {text_of(to, ",q=90,frames=all")});
      REQUIRE(derived.has_value());
      CHECK(derived->source.frames == frames);
      const auto played = play(derived->outputs.at(0).bytes, to);
      REQUIRE(played.has_value());
      CHECK(played->plays == source->plays);
      // Those that differ from the one before; a lossy encoder may find some more of them alike.
      CHECK(played->frames.size() <= different);
      CHECK(played->frames.size() * 4 >= different * 3);
      CHECK(std::abs((played->total() - source->total()).count()) <= 10);
      CHECK(alike(played->frames[0].image, source->frames[0].image) >= 20);
    }
  }
}
