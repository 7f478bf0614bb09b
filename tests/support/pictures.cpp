#include "pictures.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "support.hpp"

namespace test {
namespace {

std::string big_endian(std::uint64_t value, int count) {
  std::string out;
  for (int i = count - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> static_cast<unsigned>(8 * i) & 0xFFU));
  return out;
}

std::uint32_t crc32(std::string_view data) {
  static const std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t n = 0; n < 256; ++n) {
      std::uint32_t value = n;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1U) != 0 ? value >> 1U ^ 0xEDB88320U : value >> 1U;
      table[n] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : data) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFFU] ^ crc >> 8U;
  return ~crc;
}

std::string chunk(const std::string& type, std::string_view data) {
  std::string body = type;
  body += data;
  return big_endian(data.size(), 4) + body + big_endian(crc32(body), 4);
}

/// zlib's container (RFC 1950) around stored blocks (RFC 1951).
std::string stored(std::string_view data) {
  std::string out("\x78\x01", 2);
  std::size_t at = 0;
  do {
    const std::size_t length = std::min<std::size_t>(data.size() - at, 65535);
    out.push_back(at + length == data.size() ? '\1' : '\0');
    const auto low = static_cast<std::uint16_t>(length);
    for (const std::uint16_t word : {low, static_cast<std::uint16_t>(~low)}) {
      out.push_back(static_cast<char>(word & 0xFFU));
      out.push_back(static_cast<char>(word >> 8U));
    }
    out.append(data.substr(at, length));
    at += length;
  } while (at < data.size());
  std::uint32_t a = 1;
  std::uint32_t b = 0;
  for (const char c : data) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  return out + big_endian(std::uint64_t{b} << 16U | a, 4);
}

std::string box(const std::string& type, const std::string& content) { return big_endian(content.size() + 8, 4) + type + content; }
std::string full_box(const std::string& type, const std::string& content, std::uint32_t flags = 0) {
  return box(type, big_endian(flags, 4) + content);
}

std::string unity_matrix() {
  std::string out;
  for (const std::uint32_t value : {0x10000U, 0U, 0U, 0U, 0x10000U, 0U, 0U, 0U, 0x40000000U}) out += big_endian(value, 4);
  return out;
}

}  // namespace

std::vector<std::byte> png(std::uint32_t width, std::uint32_t height, const std::function<Rgba(std::uint32_t, std::uint32_t)>& pixel,
                           bool alpha, std::string_view comment) {
  std::string rows;
  rows.reserve((std::size_t{width} * (alpha ? 4 : 3) + 1) * height);
  for (std::uint32_t y = 0; y < height; ++y) {
    rows.push_back('\0');  // no filter
    for (std::uint32_t x = 0; x < width; ++x) {
      const Rgba value = pixel(x, y);
      rows.push_back(static_cast<char>(value.red));
      rows.push_back(static_cast<char>(value.green));
      rows.push_back(static_cast<char>(value.blue));
      if (alpha) rows.push_back(static_cast<char>(value.alpha));
    }
  }
  std::string out("\x89PNG\r\n\x1a\n", 8);
  out += chunk("IHDR", big_endian(width, 4) + big_endian(height, 4) + std::string("\x08", 1) + std::string(alpha ? "\x06" : "\x02", 1) +
                           std::string(3, '\0'));
  if (!comment.empty()) out += chunk("tEXt", std::string("Comment\0", 8) + std::string(comment));
  out += chunk("IDAT", stored(rows));
  out += chunk("IEND", "");
  return bytes(out);
}

std::vector<std::byte> gradient_png(std::uint32_t width, std::uint32_t height, std::string_view comment) {
  return png(
      width, height,
      [&](std::uint32_t x, std::uint32_t y) {
        const auto across = static_cast<std::uint8_t>(std::uint64_t{x} * 255 / std::max(width - 1, 1U));
        const auto down = static_cast<std::uint8_t>(std::uint64_t{y} * 255 / std::max(height - 1, 1U));
        return Rgba{across, down, static_cast<std::uint8_t>((across + down) / 4), 255};
      },
      false, comment);
}

std::vector<std::byte> mp4(std::uint32_t width, std::uint32_t height, std::uint32_t duration_ms, std::size_t payload_bytes) {
  const std::string brand = box("ftyp", "isom" + big_endian(512, 4) + "isomavc1mp41");
  const std::string movie_header =
      full_box("mvhd", big_endian(0, 8) + big_endian(1000, 4) + big_endian(duration_ms, 4) + big_endian(0x10000, 4) + big_endian(0x100, 2) +
                           std::string(10, '\0') + unity_matrix() + std::string(24, '\0') + big_endian(2, 4));
  const std::string track_header = full_box("tkhd",
                                            big_endian(0, 8) + big_endian(1, 4) + big_endian(0, 4) + big_endian(duration_ms, 4) +
                                                std::string(8, '\0') + std::string(8, '\0') + unity_matrix() +
                                                big_endian(std::uint64_t{width} << 16U, 4) + big_endian(std::uint64_t{height} << 16U, 4),
                                            7);
  const std::string avc_config = box("avcC", std::string("\x01\x42\x00\x1e\xff\xe0\x00", 7));
  const std::string sample_entry =
      box("avc1", std::string(6, '\0') + big_endian(1, 2) + std::string(16, '\0') + big_endian(width, 2) + big_endian(height, 2) +
                      big_endian(0x480000, 4) + big_endian(0x480000, 4) + std::string(4, '\0') + big_endian(1, 2) + std::string(32, '\0') +
                      big_endian(24, 2) + big_endian(0xFFFF, 2) + avc_config);
  const auto tables = [&](std::size_t payload_offset) {
    return box("stbl", full_box("stsd", big_endian(1, 4) + sample_entry) +
                           full_box("stts", big_endian(1, 4) + big_endian(1, 4) + big_endian(duration_ms, 4)) +
                           full_box("stsc", big_endian(1, 4) + big_endian(1, 4) + big_endian(1, 4) + big_endian(1, 4)) +
                           full_box("stsz", big_endian(payload_bytes, 4) + big_endian(1, 4)) +
                           full_box("stco", big_endian(1, 4) + big_endian(payload_offset, 4)));
  };
  const auto movie = [&](std::size_t payload_offset) {
    const std::string data_reference = box("dinf", full_box("dref", big_endian(1, 4) + full_box("url ", "", 1)));
    const std::string information = box("minf", full_box("vmhd", std::string(8, '\0'), 1) + data_reference + tables(payload_offset));
    const std::string handler = full_box("hdlr", std::string(4, '\0') + "vide" + std::string(12, '\0') + std::string("video\0", 6));
    const std::string media_header =
        full_box("mdhd", big_endian(0, 8) + big_endian(1000, 4) + big_endian(duration_ms, 4) + big_endian(0x55C4, 2) + big_endian(0, 2));
    return box("moov", movie_header + box("trak", track_header + box("mdia", media_header + handler + information)));
  };
  const std::size_t offset = brand.size() + movie(0).size() + 8;
  std::vector<std::byte> out = bytes(brand + movie(offset) + big_endian(payload_bytes + 8, 4) + "mdat");
  const std::size_t head = out.size();
  out.resize(head + payload_bytes);
  // Not constant, so that no store can cheat, and cheap to make.
  for (std::size_t i = head; i < out.size(); i += 4096) out[i] = static_cast<std::byte>(i >> 12U);
  return out;
}

std::vector<std::byte> blinking_gif() {
  // LZW with a clear code before each pixel: codes of 3 bits.
  const auto frame = [](std::string_view codes) {
    return std::string("\x21\xF9\x04\x04\x0A\0\0\0", 8) + std::string("\x2C\0\0\0\0\x02\0\x01\0\0", 10) + "\x02\x02" + std::string(codes) +
           '\0';
  };
  return bytes(std::string("GIF89a\x02\0\x01\0\x80\0\0\0\0\0\xFF\xFF\xFF", 19) + std::string("\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0", 19) +
               frame("\x04\x53") + frame("\x0C\x51") + ";");
}

}  // namespace test
