// What a worker that lies is told to send as a video, by a source that carries it: tests/unit/cage_odd_worker.cpp plays it.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// Pieces of a video in the order in which they are sent, and the size that is told of it.
class Script {
 public:
  Script(std::uint32_t width, std::uint32_t height) : width_(width), height_(height) {}
  /// Sends `film` as it is.
  static Script of(std::span<const std::byte> film, std::uint32_t width, std::uint32_t height) {
    Script script(width, height);
    script.piece(0, film);
    return script;
  }

  void piece(std::uint64_t offset, std::span<const std::byte> bytes) {
    pieces_.emplace_back(offset, std::vector(bytes.begin(), bytes.end()));
    bytes_ += bytes.size();
  }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint32_t width() const noexcept { return width_; }
  [[nodiscard]] std::uint32_t height() const noexcept { return height_; }
  [[nodiscard]] const std::vector<std::pair<std::uint64_t, std::vector<std::byte>>>& pieces() const noexcept { return pieces_; }

  /// An MP4 with this behind it, in a box of its own.
  [[nodiscard]] std::vector<std::byte> in(std::vector<std::byte> film) const {
    std::vector<std::byte> body;
    const auto put = [&](const auto& value) {
      const auto raw = std::as_bytes(std::span(&value, 1));
      body.insert(body.end(), raw.begin(), raw.end());
    };
    for (const char c : kName) body.push_back(static_cast<std::byte>(c));
    put(width_);
    put(height_);
    for (const auto& [offset, bytes] : pieces_) {
      put(offset);
      put(std::uint64_t{bytes.size()});
      body.insert(body.end(), bytes.begin(), bytes.end());
    }
    const std::size_t size = body.size() + 8;
    for (int shift = 24; shift >= 0; shift -= 8) film.push_back(static_cast<std::byte>(size >> shift));
    for (const char c : std::string_view("free")) film.push_back(static_cast<std::byte>(c));
    film.insert(film.end(), body.begin(), body.end());
    return film;
  }

  /// The one that `source` carries.
  static std::optional<Script> from(std::string_view source) {
    const std::size_t at = source.find(kName);
    if (at == std::string_view::npos) return std::nullopt;
    source.remove_prefix(at + kName.size());
    const auto take = [&](auto& value) {
      if (source.size() < sizeof value) return false;
      std::memcpy(&value, source.data(), sizeof value);
      source.remove_prefix(sizeof value);
      return true;
    };
    Script script(0, 0);
    if (!take(script.width_) || !take(script.height_)) return std::nullopt;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    while (take(offset) && take(size) && size <= source.size()) {
      script.piece(offset, std::as_bytes(std::span(source.substr(0, static_cast<std::size_t>(size)))));
      source.remove_prefix(static_cast<std::size_t>(size));
    }
    return script;
  }

 private:
  static constexpr std::string_view kName = "a worker is told to send this: ";
  std::uint32_t width_;
  std::uint32_t height_;
  std::vector<std::pair<std::uint64_t, std::vector<std::byte>>> pieces_;
  std::size_t bytes_ = 0;
};

}  // namespace test
