#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "image/jpeg.hpp"
#include "image/jpeg_reader.hpp"
#include "image/jpeg_scan.hpp"
#include "image/orient.hpp"
#include "image/planes.hpp"
#include "image/resample.hpp"
#include "image_samples.hpp"
#include "jpeg_writer.hpp"
#include "support.hpp"

using namespace media;
using namespace media::image;
using test::JpegKind;
using test::write_jpeg;

namespace {

/// A scene with grain on it, so that blocks have coefficients at every position.
Image grainy(Size size, unsigned seed, int amount) {
  Image image = test::scene(size);
  std::mt19937 random(seed);
  for (std::uint8_t& value : image.data) {
    const int grain = static_cast<int>(random() % static_cast<unsigned>(2 * amount + 1)) - amount;
    value = static_cast<std::uint8_t>(std::clamp(value + grain, 0, 255));
  }
  return image;
}

const std::array<JpegKind, 12> kKinds{{
    {2, 2, 85, 0, false, false},
    {2, 2, 95, 0, true, false},
    {2, 1, 75, 0, false, false},
    {1, 2, 85, 0, true, false},
    {1, 1, 90, 0, false, false},
    {2, 2, 10, 0, true, false},
    {2, 2, 100, 0, false, false},
    {2, 2, 85, 1, false, false},
    {2, 2, 85, 7, true, false},
    {1, 1, 98, 3, true, false},
    {2, 2, 85, 0, false, true},
    {1, 1, 85, 5, false, true},
}};

/// All samples that a JPEG's planes have for this use, one plane after the other, or the error.
Result<std::vector<std::uint8_t>> samples(std::span<const std::byte> jpeg, Size wanted, Decoders decoders) {
  const DeriveOptions options;
  const Control control(options, decoders);
  const MemoryReader reader(jpeg);
  MEDIA_TRY_ASSIGN(auto decoder, kJpeg.open(reader, control));
  PlaneDecoder* planes = decoder->planes();
  if (planes == nullptr) return Error{Errc::unsupported, "no planes"};
  const std::uint32_t scale = planes->scale_for(wanted);
  MEDIA_TRY_ASSIGN(const auto all_grids, planes->start_planes({&scale, 1}));
  const auto& grids = all_grids.front();
  std::array<std::vector<std::uint8_t>, 3> out;
  for (std::uint32_t y = 0; y < grids[0].size.height;) {
    MEDIA_TRY_ASSIGN(const auto all_rows, planes->read_rows());
    const PlaneRows& rows = all_rows.front();
    for (std::size_t plane = 0; plane < out.size(); ++plane) {
      const auto& part = rows.planes[plane];
      for (std::uint32_t i = 0; i < part.count; ++i) {
        out[plane].insert(out[plane].end(), part.data + i * part.stride, part.data + i * part.stride + grids[plane].size.width);
      }
    }
    y += rows.planes[0].count;
  }
  std::vector<std::uint8_t> all;
  for (std::size_t plane = 0; plane < out.size(); ++plane) {
    REQUIRE(out[plane].size() == grids[plane].size.pixels());
    all.insert(all.end(), out[plane].begin(), out[plane].end());
  }
  return all;
}

/// The uses for which a picture is decoded at an eighth, a quarter and half of its size.
std::array<Size, 3> uses(Size size) {
  const auto part = [&](double share) {
    return Size{std::max(1U, static_cast<std::uint32_t>(size.width * share)),
                std::max(1U, static_cast<std::uint32_t>(size.height * share))};
  };
  return {part(0.05), part(0.12), part(0.3)};
}

/// Fails unless the two decoders agree: on every sample, or in refusing. Says whether there were samples.
bool agree(std::span<const std::byte> jpeg, Size wanted) {
  const auto established = samples(jpeg, wanted, Decoders::established);
  const auto own = samples(jpeg, wanted, Decoders::own);
  REQUIRE(own.has_value() == established.has_value());
  if (own) {
    REQUIRE(*own == *established);
  } else {
    REQUIRE(own.error().code == established.error().code);
  }
  return own.has_value();
}

JpegScanLayout layout_of(const jpeg_decompress_struct& codec) {
  JpegScanLayout layout;
  const auto table = [](const JHUFF_TBL* from) {
    HuffmanTable out;
    std::copy(std::begin(from->bits), std::end(from->bits), out.counts.begin());
    std::copy(std::begin(from->huffval), std::end(from->huffval), out.symbols.begin());
    return out;
  };
  for (std::size_t c = 0; c < 3; ++c) {
    const jpeg_component_info& part = codec.comp_info[c];
    layout.components[c] = {static_cast<std::uint32_t>(part.h_samp_factor), static_cast<std::uint32_t>(part.v_samp_factor),
                            table(codec.dc_huff_tbl_ptrs[part.dc_tbl_no]), table(codec.ac_huff_tbl_ptrs[part.ac_tbl_no])};
  }
  const std::uint32_t across = 8 * layout.components[0].across;
  const std::uint32_t down = 8 * layout.components[0].down;
  layout.columns = (codec.image_width + across - 1) / across;
  layout.rows = (codec.image_height + down - 1) / down;
  layout.restart_interval = codec.restart_interval;
  return layout;
}

}  // namespace

TEST_CASE("jpeg scan: every baseline kind is read to its end, with libjpeg's coefficients") {
  for (const JpegKind& kind : kKinds) {
    if (kind.progressive) continue;
    const Size size{245, 131};
    const auto jpeg = write_jpeg(grainy(size, 3, 60), kind);
    for (const std::uint32_t side : {1U, 2U, 4U}) {
      const DeriveOptions options;
      const Control control(options);
      const MemoryReader reader(jpeg);
      JpegReader libjpeg(reader, control);
      REQUIRE(libjpeg.read_header());
      const auto scan = JpegScan::open(layout_of(libjpeg.codec()), side, reader, libjpeg.position());
      REQUIRE(scan);
      auto whole = libjpeg.read_coefficients();
      REQUIRE(whole);
      const JpegScanLayout layout = layout_of(libjpeg.codec());
      JpegCoefficients row;
      for (std::uint32_t y = 0; y < layout.rows; ++y) {
        REQUIRE(scan->read_row(row));
        for (std::size_t c = 0; c < 3; ++c) {
          const auto& component = layout.components[c];
          const std::size_t blocks = std::size_t{layout.columns} * component.across;
          auto rows = libjpeg.coefficient_rows((*whole)[c], y * component.down, component.down);
          REQUIRE(rows);
          bool equal = true;
          for (std::size_t i = 0; i < blocks * component.down * side * side; ++i) {
            const std::size_t block = i / (side * side);
            const std::size_t x = block % blocks;
            if (x >= libjpeg.codec().comp_info[c].width_in_blocks) continue;
            const std::size_t at = i % (side * side);
            equal = equal && row[c][i] == (*rows)[block / blocks][x][at / side * 8 + at % side];
          }
          REQUIRE(equal);
        }
      }
    }
  }
}

TEST_CASE("jpeg planes: both decoders make the same samples of every kind and size") {
  for (const JpegKind& kind : kKinds) {
    for (const Size size : {Size{1, 1}, Size{16, 16}, Size{17, 33}, Size{255, 64}, Size{640, 203}}) {
      const auto jpeg = write_jpeg(grainy(size, size.width, 40), kind);
      for (const Size wanted : uses(size)) REQUIRE(agree(jpeg, wanted));
      REQUIRE(agree(jpeg, size));
    }
  }
}

TEST_CASE("jpeg planes: where a file is damaged or cut, both decoders still say the same") {
  std::mt19937 random(17);
  std::size_t sound = 0;
  std::size_t refused = 0;
  for (const JpegKind& kind : kKinds) {
    const Size size{199, 87};
    const auto jpeg = write_jpeg(grainy(size, 5, 30), kind);
    const auto wanted = uses(size);
    for (int i = 0; i < 120; ++i) {
      auto damaged = jpeg;
      // Behind the headers mostly, where libjpeg forgives.
      const std::size_t from = i % 4 == 0 ? 2 : std::min<std::size_t>(600, damaged.size() / 2);
      switch (i % 3) {
        case 0:
          damaged[from + random() % (damaged.size() - from)] ^= static_cast<std::byte>(1U << (random() % 8));
          break;
        case 1:
          damaged.resize(from + random() % (damaged.size() - from));
          break;
        default:
          for (int bytes = 0; bytes < 4; ++bytes)
            damaged[from + random() % (damaged.size() - from)] = static_cast<std::byte>(random() % 3 == 0 ? 0xFF : random());
          break;
      }
      (agree(damaged, wanted[static_cast<std::size_t>(i) % wanted.size()]) ? sound : refused) += 1;
    }
  }
  // Or the test would show nothing.
  CHECK(sound > 200);
  CHECK(refused > 200);
}

TEST_CASE("jpeg planes: both decoders say the same of every JPEG of the corpus", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(*shared / "corpus")) {
    if (!entry.is_regular_file()) continue;
    auto file = FileReader::open(entry.path());
    REQUIRE(file);
    std::array<std::byte, 3> head{};
    if ((*file)->size() < 3 || !(*file)->read_at(0, head) || head[0] != std::byte{0xFF} || head[1] != std::byte{0xD8}) continue;
    INFO(entry.path().string());
    auto bytes = read_all(**file, 64U << 20U);
    REQUIRE(bytes);
    for (const Size wanted : {Size{1, 1}, Size{100, 100}, Size{400, 400}}) agree(*bytes, wanted);
    ++seen;
  }
  CHECK(seen > 20);
}

TEST_CASE("jpeg planes: a reduced picture is the average of what it is made of") {
  const Size size{320, 240};
  const Image source = test::scene(size);
  const auto jpeg = write_jpeg(source, {1, 1, 100, 0, true, false});
  for (const std::uint32_t eighths : {1U, 2U, 4U}) {
    const Size small{size.width * eighths / 8, size.height * eighths / 8};
    const Size wanted{small.width / 2, small.height / 2};
    REQUIRE(jpeg_scale(size, wanted) == static_cast<int>(eighths));
    const auto made = samples(jpeg, wanted, Decoders::own);
    REQUIRE(made);
    REQUIRE(made->size() == small.pixels() * 3);
    const std::uint32_t side = 8 / eighths;
    double worst = 0;
    double sum = 0;
    for (std::uint32_t y = 0; y < small.height; ++y) {
      for (std::uint32_t x = 0; x < small.width; ++x) {
        double mean = 0;
        for (std::uint32_t v = 0; v < side; ++v) {
          for (std::uint32_t u = 0; u < side; ++u) {
            const std::uint8_t* pixel = source.row(y * side + v).data() + std::size_t{x * side + u} * 3;
            mean += (0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]) / (side * side);
          }
        }
        const double difference = std::abs(mean - (*made)[std::size_t{y} * small.width + x]);
        worst = std::max(worst, difference);
        sum += difference;
      }
    }
    // The edge of the scene's bar may ring; elsewhere the two are one step apart at most.
    CHECK(sum / static_cast<double>(small.pixels()) < 1.0);
    CHECK(worst < 40);
  }
}

TEST_CASE("planes: pictures of odd sides come out alike under every orientation, colour included") {
  // Coloured edges one pixel off would show at once.
  const Size size{301, 203};
  Image upright_scene = test::scene(size);
  for (std::uint32_t y = 0; y < size.height; ++y) {
    for (std::uint32_t x = 0; x < size.width; ++x) {
      std::uint8_t* pixel = upright_scene.row(y).data() + std::size_t{x} * 3;
      if (x % 40 < 20) pixel[0] = static_cast<std::uint8_t>(pixel[0] / 3);
      if (y % 30 < 15) pixel[2] = static_cast<std::uint8_t>(pixel[2] / 3);
    }
  }
  // What each orientation undoes.
  constexpr std::array<std::uint8_t, 9> kInverse{0, 1, 2, 3, 4, 5, 8, 7, 6};
  for (const std::string transform : {"w=101,format=jpeg,q=98", "w=57,h=57,fit=cover,format=jpeg,q=98", "w=301,format=jpeg,q=98"}) {
    Image reference;
    for (std::uint8_t orientation = 1; orientation <= 8; ++orientation) {
      const Image coded = orient(upright_scene, kInverse[orientation]);
      const auto jpeg = test::with_jpeg_exif(write_jpeg(coded, {1, 1, 98, 0, true, false}), test::exif(orientation));
      auto pixels = test::derived_pixels(jpeg, transform);
      REQUIRE(pixels);
      if (orientation == 1) {
        reference = std::move(*pixels);
        continue;
      }
      INFO(transform << " under orientation " << int{orientation});
      CHECK(test::psnr(*pixels, reference) > 33);
    }
  }
}

TEST_CASE("planes: a picture through its planes looks as it does through RGB in light") {
  const Image source = grainy({640, 480}, 9, 20);
  const auto jpeg = write_jpeg(source, {1, 1, 98, 0, true, false});
  for (const std::string size : {"w=64", "w=100", "w=300", "w=90,h=90,fit=cover", "w=200,h=60,fit=fill"}) {
    auto through_planes = test::derived_pixels(jpeg, size + ",format=jpeg,q=100");
    REQUIRE(through_planes);
    auto transform = parse_transform(size);
    REQUIRE(transform);
    const Image reference = resample(source, plan(source.size, *transform));
    INFO(size);
    CHECK(test::psnr(*through_planes, reference) > 32);
    // Every format shows the same picture.
    for (const std::string format : {"webp", "avif", "png"}) {
      auto other = test::derived_pixels(jpeg, size + ",format=" + format + (format == "png" ? "" : ",q=95"));
      REQUIRE(other);
      Image rgb = std::move(*other);
      INFO(format);
      CHECK(test::psnr(rgb, reference) > 30);
    }
  }
}

TEST_CASE("planes: grey stays exactly the grey of RGB, and white white") {
  for (const int level : {0, 1, 77, 128, 254, 255}) {
    Image flat({120, 90}, Layout::rgb);
    std::fill(flat.data.begin(), flat.data.end(), static_cast<std::uint8_t>(level));
    const auto jpeg = write_jpeg(flat, {2, 2, 100, 0, false, false});
    for (const std::string format : {"jpeg", "png", "webp", "avif"}) {
      auto pixels = test::derived_pixels(jpeg, "w=30,format=" + format + (format == "png" ? "" : ",q=100"));
      REQUIRE(pixels);
      INFO(format << " of " << level);
      const auto [least, most] = std::minmax_element(pixels->data.begin(), pixels->data.end());
      CHECK(std::abs(*least - level) <= 1);
      CHECK(std::abs(*most - level) <= 1);
    }
  }
}

TEST_CASE("planes: no output depends on what else is asked for") {
  const Image source = grainy({900, 700}, 21, 30);
  const std::vector<std::string> transforms{"w=40,format=jpeg",
                                            "w=120,format=webp",
                                            "w=120,format=png",
                                            "w=300,format=jpeg",
                                            "w=120,h=120,fit=cover,format=avif",
                                            "w=700,format=jpeg",
                                            "w=300,format=png",
                                            "w=900,format=webp",
                                            "w=1000,enlarge=1,format=jpeg",
                                            "w=120,blur=2,format=jpeg"};
  for (const auto& bytes :
       {write_jpeg(source, {2, 2, 90, 0, false, false}), test::encode(source, Format::webp, 90), test::encode(source, Format::png, 0)}) {
    const auto together = test::derive(bytes, transforms);
    REQUIRE(together);
    for (std::size_t i = 0; i < transforms.size(); ++i) {
      const auto alone = test::derive(bytes, {transforms[i]});
      REQUIRE(alone);
      INFO(transforms[i]);
      CHECK(alone->outputs.front().bytes == together->outputs[i].bytes);
    }
  }
}

TEST_CASE("planes: a picture that is only cut is described as a whole all the same") {
  const auto jpeg = write_jpeg(grainy({900, 700}, 21, 30), {2, 2, 90, 0, false, false});
  const auto whole = test::derive(jpeg, {});
  const auto cut = test::derive(jpeg, {"w=50,h=50,fit=cover,gravity=northwest,format=png"});
  REQUIRE(whole);
  REQUIRE(cut);
  CHECK(cut->appearance.known());
  CHECK(cut->placeholder == whole->placeholder);
}
