#include "inspect_samples.hpp"

namespace samples {
namespace {

std::uint32_t crc32(const std::string& text) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : text) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

std::string zeros(std::size_t count) { return std::string(count, '\0'); }

std::string fixed(int value) { return be(static_cast<std::uint32_t>(value * 0x10000), 4); }

std::string ftyp(const std::string& major) { return box("ftyp", major + be(0, 4) + major); }

std::string sample_table(const Film& options, std::uint64_t data_at) {
  const std::string entry = box("avc1", zeros(6) + be(1, 2) + zeros(16) + be(options.width, 2) + be(options.height, 2) + zeros(50));
  std::string table = full_box("stsd", 0, 0, be(1, 4) + entry);
  const std::uint32_t samples = options.fragmented ? 0 : options.samples;
  std::string sizes;
  for (std::uint32_t i = 0; i < samples; ++i) sizes += be(10, 4);
  table += full_box("stsz", 0, 0, be(0, 4) + be(samples, 4) + sizes);
  table += full_box("stsc", 0, 0, samples == 0 ? be(0, 4) : be(1, 4) + be(options.first_run, 4) + be(samples, 4) + be(1, 4));
  if (options.wide_boxes) return table + full_box("co64", 0, 0, samples == 0 ? be(0, 4) : be(1, 4) + be(data_at, 8));
  return table + full_box("stco", 0, 0, samples == 0 ? be(0, 4) : be(1, 4) + be(data_at, 4));
}

std::string movie_box(const Film& options, std::uint64_t data_at) {
  const std::string matrix =
      fixed(options.a) + fixed(options.b) + be(0, 4) + fixed(options.c) + fixed(options.d) + be(0, 4) + be(0, 8) + be(0x40000000, 4);
  const int wide = options.wide_boxes ? 8 : 4;
  const std::uint8_t version = options.wide_boxes ? 1 : 0;
  const std::string header =
      full_box("mvhd", version, 0, zeros(static_cast<std::size_t>(2 * wide)) + be(1000, 4) + be(2500, wide) + zeros(80));
  const std::string track_header =
      full_box("tkhd", version, 1,
               zeros(static_cast<std::size_t>(2 * wide)) + be(7, 4) + be(0, 4) + be(2500, wide) + zeros(16) + matrix +
                   be(std::uint64_t{options.width} << 16U, 4) + be(std::uint64_t{options.height} << 16U, 4));
  const std::string media = box(
      "mdia", full_box("hdlr", 0, 0, be(0, 4) + options.handler + zeros(13)) + box("minf", box("stbl", sample_table(options, data_at))));
  std::string body = header + box("trak", track_header + media);
  if (options.fragmented) body += box("mvex", full_box("trex", 0, 0, be(7, 4) + zeros(16)));
  return box("moov", body);
}

}  // namespace

std::string be(std::uint64_t value, int count) {
  std::string out;
  for (int i = count - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}

std::string le(std::uint64_t value, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
  return out;
}

std::string png_chunk(const std::string& type, const std::string& body) {
  return be(body.size(), 4) + type + body + be(crc32(type + body), 4);
}

std::string png(std::uint32_t width, std::uint32_t height, const std::string& chunks_before_data, std::uint8_t colour) {
  const std::string header = be(width, 4) + be(height, 4) + be(8, 1) + be(colour, 1) + zeros(3);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + chunks_before_data + png_chunk("IDAT", "not looked at") + png_chunk("IEND", "");
}

std::string apng(std::uint32_t stated_frames, std::uint32_t frames) {
  std::string chunks = png_chunk("acTL", be(stated_frames, 4) + be(0, 4));
  for (std::uint32_t i = 0; i < frames; ++i) {
    chunks += png_chunk("fcTL", be(i, 4) + be(20, 4) + be(10, 4) + be(0, 8) + be(1, 2) + be(10, 2) + be(0, 2));
  }
  return png(20, 10, chunks);
}

std::string exif(std::uint8_t orientation, bool big_endian) {
  const auto number = [&](std::uint64_t value, int count) { return big_endian ? be(value, count) : le(value, count); };
  const std::string entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(orientation, 2) + zeros(2);
  return (big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4);
}

std::string jpeg_segment(std::uint8_t marker, const std::string& body) { return "\xff" + be(marker, 1) + be(body.size() + 2, 2) + body; }

std::string jpeg(std::uint16_t width, std::uint16_t height, const std::string& segments) {
  const std::string frame = be(8, 1) + be(height, 2) + be(width, 2) + be(1, 1) + be(0x011100, 3);
  const std::string scan = be(1, 1) + be(0x0100, 2) + be(0x003f00, 3);
  return "\xff\xd8" + segments + jpeg_segment(0xc0, frame) + jpeg_segment(0xda, scan) + "picture data" + "\xff\xd9";
}

std::string riff_chunk(const std::string& type, const std::string& body) {
  return type + le(body.size(), 4) + body + (body.size() % 2 == 1 ? zeros(1) : std::string());
}

std::string webp(const std::string& chunks) { return "RIFF" + le(chunks.size() + 4, 4) + "WEBP" + chunks; }

std::string vp8(std::uint16_t width, std::uint16_t height) {
  return riff_chunk("VP8 ", le(0x000010 | 4U << 5U, 3) + "\x9d\x01\x2a" + le(width, 2) + le(height, 2) + "data");
}

std::string webp_lossy(std::uint16_t width, std::uint16_t height) { return webp(vp8(width, height)); }

std::string webp_lossless(std::uint16_t width, std::uint16_t height, bool alpha) {
  const std::uint32_t bits = (width - 1U) | (height - 1U) << 14U | (alpha ? 1U << 28U : 0U);
  return webp(riff_chunk("VP8L", "\x2f" + le(bits, 4) + "data"));
}

std::string webp_extended(std::uint32_t width, std::uint32_t height, std::uint8_t flags, const std::string& chunks) {
  return webp(riff_chunk("VP8X", le(flags, 4) + le(width - 1, 3) + le(height - 1, 3)) + chunks);
}

std::string webp_frame(std::uint32_t x, std::uint32_t y, std::uint16_t width, std::uint16_t height) {
  return riff_chunk("ANMF",
                    le(x / 2, 3) + le(y / 2, 3) + le(width - 1U, 3) + le(height - 1U, 3) + le(40, 3) + zeros(1) + vp8(width, height));
}

std::string webp_animated(int frames) {
  std::string chunks = riff_chunk("ANIM", zeros(6));
  for (int i = 0; i < frames; ++i) chunks += webp_frame(0, 0, 32, 16);
  return webp_extended(32, 16, 0x12, chunks);
}

std::string gif(int frames, bool transparent) {
  std::string out = "GIF89a" + le(30, 2) + le(20, 2) + le(0x80, 1) + zeros(2) + zeros(6);
  for (int i = 0; i < frames; ++i) {
    out += "\x21\xf9" + le(4, 1) + le(transparent ? 1 : 0, 1) + le(5, 2) + zeros(2);
    out += "\x2c" + zeros(4) + le(30, 2) + le(20, 2) + zeros(1) + le(2, 1) + le(3, 1) + "abc" + zeros(1);
  }
  return out + "\x3b";
}

std::string bmp(std::int32_t width, std::int32_t height) {
  const std::uint32_t rows = static_cast<std::uint32_t>(height < 0 ? -height : height);
  const std::uint32_t bytes = (static_cast<std::uint32_t>(width) * 3 + 3) / 4 * 4 * rows;
  return "BM" + le(54 + bytes, 4) + zeros(4) + le(54, 4) + le(40, 4) + le(static_cast<std::uint32_t>(width), 4) +
         le(static_cast<std::uint32_t>(height), 4) + le(1, 2) + le(24, 2) + zeros(24) + zeros(bytes);
}

std::string tiff(std::uint32_t width, std::uint32_t height, bool big_endian, bool big_file) {
  const auto number = [&](std::uint64_t value, int count) { return big_endian ? be(value, count) : le(value, count); };
  const auto entry = [&](std::uint16_t tag, std::uint16_t type, std::uint64_t value) {
    const int width_of_value = type == 3 ? 2 : 4;
    const std::string text = number(value, width_of_value);
    return number(tag, 2) + number(type, 2) + number(1, big_file ? 8 : 4) + text +
           zeros(static_cast<std::size_t>((big_file ? 8 : 4) - width_of_value));
  };
  const std::string head = big_file ? number(43, 2) + number(8, 2) + number(0, 2) + number(16, 8) : number(42, 2) + number(8, 4);
  return (big_endian ? "MM" : "II") + head + number(3, big_file ? 8 : 2) + entry(256, 4, width) + entry(257, 4, height) + entry(274, 3, 6) +
         zeros(big_file ? 8 : 4);
}

std::string ogg_theora(std::uint32_t width, std::uint32_t height) {
  const std::string packet =
      "\x80theora" + be(3, 1) + be(2, 1) + be(1, 1) + be(40, 2) + be(30, 2) + be(width, 3) + be(height, 3) + zeros(22);
  return "OggS" + zeros(1) + be(2, 1) + zeros(20) + be(1, 1) + be(packet.size(), 1) + packet;
}

std::string box(const std::string& type, const std::string& body) { return be(body.size() + 8, 4) + type + body; }

std::string full_box(const std::string& type, std::uint8_t version, std::uint32_t flags, const std::string& body) {
  return box(type, be(version, 1) + be(flags, 3) + body);
}

std::string items(const Items& options) {
  const auto item = [](std::uint16_t id, const std::string& type) {
    return full_box("infe", 2, 0, be(id, 2) + be(0, 2) + type + zeros(1));
  };
  std::string properties = full_box("ispe", 0, 0, be(options.width, 4) + be(options.height, 4));
  if (!options.configuration.empty()) properties += box(options.configuration, be(0x81000000, 4));
  const int own = (options.configuration.empty() ? 1 : 2) + options.more_properties;
  properties += options.properties;
  if (options.alpha) properties += full_box("auxC", 0, 0, std::string("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha") + zeros(1));
  std::string indices;
  for (int i = 1; i <= own; ++i) indices += be(static_cast<std::uint64_t>(i), 1);
  if (options.bad_index != 0) indices += be(options.bad_index, 1);
  std::string associations = be(1, 2) + be(indices.size(), 1) + indices;
  if (options.alpha) associations += be(2, 2) + be(3, 1) + be(1, 1) + be(2, 1) + be(static_cast<std::uint64_t>(own + 1), 1);
  const std::uint16_t count = options.alpha ? 2 : 1;

  const auto meta = [&](std::uint32_t data_at) {
    std::string locations = be(0x4400, 2) + be(count, 2) + be(1, 2) + be(0, 2) + be(1, 2) + be(data_at, 4) + be(8, 4);
    if (options.alpha) locations += be(2, 2) + be(0, 2) + be(1, 2) + be(data_at + 8, 4) + be(8, 4);
    std::string body = full_box("hdlr", 0, 0, be(0, 4) + options.handler + zeros(13));
    if (options.primary) body += full_box("pitm", 0, 0, be(1, 2));
    body += full_box("iloc", 0, 0, locations);
    body += full_box("iinf", 0, 0, be(count, 2) + item(1, options.coding) + (options.alpha ? item(2, options.coding) : std::string()));
    if (options.alpha) body += full_box("iref", 0, 0, box("auxl", be(2, 2) + be(1, 2) + be(1, 2)));
    body += box("iprp", box("ipco", properties) + full_box("ipma", 0, 0, be(count, 4) + associations));
    return full_box("meta", 0, 0, body);
  };
  const std::string head = ftyp(options.brand);
  const auto data_at = static_cast<std::uint32_t>(head.size() + meta(0).size() + 8);
  return head + meta(data_at + options.data_shift) + box("mdat", options.alpha ? "picture1picture2" : "picture1");
}

std::string film(const Film& options) {
  const std::string head = ftyp(options.brand);
  const std::string data(std::size_t{options.samples} * 10, 'x');
  const std::string data_box = options.wide_boxes ? be(1, 4) + "mdat" + be(data.size() + 16, 8) + data : box("mdat", data);
  const std::size_t data_head = options.wide_boxes ? 16 : 8;
  if (options.fragmented) {
    std::string out = head + movie_box(options, 0);
    if (!options.with_fragments) return out;
    const std::string fragment = box("traf", full_box("tfhd", 0, 0x20000, be(7, 4)) + full_box("trun", 0, 0, be(options.samples, 4)));
    const std::string other = box("traf", full_box("tfhd", 0, 0x20000, be(8, 4)) + full_box("trun", 0, 0, be(99, 4)));
    return out + box("moof", full_box("mfhd", 0, 0, be(1, 4)) + fragment + other) + data_box;
  }
  if (options.movie_last) return head + data_box + movie_box(options, head.size() + data_head);
  const std::size_t data_at = head.size() + movie_box(options, 0).size() + data_head;
  return head + movie_box(options, data_at) + data_box;
}

std::string element(std::uint32_t id, const std::string& body) {
  const int width = id > 0xffffff ? 4 : id > 0xffff ? 3 : id > 0xff ? 2 : 1;
  return be(id, width) + be(0x10000000U | body.size(), 4) + body;
}

std::string matroska(const Matroska& options) {
  const std::string header = element(0x1a45dfa3, element(0x4286, be(1, 1)) + element(0x4282, options.type));
  const std::string info =
      element(0x1549a966, element(0x2ad7b1, be(1'000'000, 3)) + element(0x4489, be(0x409f400000000000ULL, 8)));  // 2000.0
  std::string video = element(0xb0, be(options.width, 2)) + element(0xba, be(options.height, 2));
  if (options.alpha) video += element(0x53c0, be(1, 1));
  const std::string sound = element(0xae, element(0xd7, be(1, 1)) + element(0x83, be(2, 1)));
  const std::string picture = element(0xae, element(0xd7, be(2, 1)) + element(0x83, be(1, 1)) + element(0xe0, video));
  const std::string tracks = element(0x1654ae6b, sound + (options.video ? picture : std::string()));
  const std::string timestamp = element(0xe7, be(0, 1)) + element(0xa3, "block");
  std::string cluster;
  if (options.cluster)
    cluster = options.live ? be(0x1f43b675, 4) + be(0x01ffffffffffffffULL, 8) + timestamp : element(0x1f43b675, timestamp);
  if (options.live) return header + be(0x18538067, 4) + be(0x01ffffffffffffffULL, 8) + info + tracks + cluster;
  return header + element(0x18538067, info + tracks + cluster);
}

std::vector<Sample> all() {
  using media::Format;
  Items heic;
  heic.brand = "heic";
  heic.coding = "hvc1";
  heic.configuration = "hvcC";
  Items alpha;
  alpha.alpha = true;
  Film sequence;
  sequence.brand = "avis";
  sequence.handler = "pict";
  Film quicktime;
  quicktime.brand = "qt  ";
  quicktime.movie_last = true;
  Film fragmented;
  fragmented.fragmented = true;
  Film wide;
  wide.wide_boxes = true;
  Matroska mkv;
  mkv.type = "matroska";
  Matroska live;
  live.live = true;
  return {
      {"png", png(7, 5), Format::png, 7, 5, 1, false},
      {"apng", apng(3, 3), Format::png, 20, 10, 3, false},
      {"jpeg", jpeg(640, 480), Format::jpeg, 640, 480, 1, false},
      {"webp-lossy", webp_lossy(33, 22), Format::webp, 33, 22, 1, false},
      {"webp-lossless", webp_lossless(33, 22, true), Format::webp, 33, 22, 1, true},
      {"webp-extended", webp_extended(33, 22, 0x10, vp8(33, 22)), Format::webp, 33, 22, 1, true},
      {"webp-animated", webp_animated(4), Format::webp, 32, 16, 4, true},
      {"gif", gif(1), Format::gif, 30, 20, 1, false},
      {"gif-animated", gif(3, true), Format::gif, 30, 20, 3, true},
      {"bmp", bmp(9, -4), Format::bmp, 9, 4, 1, false},
      {"tiff-le", tiff(300, 200, false, false), Format::tiff, 300, 200, 1, false},
      {"tiff-be", tiff(300, 200, true, false), Format::tiff, 300, 200, 1, false},
      {"tiff-big-le", tiff(300, 200, false, true), Format::tiff, 300, 200, 1, false},
      {"tiff-big-be", tiff(300, 200, true, true), Format::tiff, 300, 200, 1, false},
      {"svg", "<?xml version='1.0'?>\n<!-- a > b -->\n<!DOCTYPE svg [<!ENTITY x '>'>]>\n<svg width='5'/>", Format::svg, 0, 0, 1, false},
      {"avif", items(), Format::avif, 64, 48, 1, false},
      {"avif-alpha", items(alpha), Format::avif, 64, 48, 1, true},
      {"avif-sequence", film(sequence), Format::avif, 320, 240, 3, false},
      {"heic", items(heic), Format::heic, 64, 48, 1, false},
      {"mp4", film(), Format::mp4, 320, 240, 3, false},
      {"mp4-wide", film(wide), Format::mp4, 320, 240, 3, false},
      {"mp4-fragmented", film(fragmented), Format::mp4, 320, 240, 3, false},
      {"mov", film(quicktime), Format::mov, 320, 240, 3, false},
      {"webm", matroska(), Format::webm, 640, 360, 0, false},
      {"webm-live", matroska(live), Format::webm, 640, 360, 0, false},
      {"mkv", matroska(mkv), Format::mkv, 640, 360, 0, false},
      {"ogg", ogg_theora(352, 288), Format::ogg, 352, 288, 0, false},
  };
}

}  // namespace samples
