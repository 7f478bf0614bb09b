/// The bytes of a video that a worker encoded, and what it tells of them beside.
#pragma once

#include <chrono>
#include <memory>
#include <utility>

#include "media/io.hpp"

namespace media::cage {

/// What the content of an encoded video may be as well.
class TellsLostSound {
 public:
  virtual ~TellsLostSound() = default;
  TellsLostSound(const TellsLostSound&) = delete;
  TellsLostSound& operator=(const TellsLostSound&) = delete;

  /// How much of the source's sound the video lacks because it could not be decoded: 0 where that is less than two seconds, and where the
  /// video has no track of sound.
  [[nodiscard]] virtual std::chrono::milliseconds lost_sound() const noexcept = 0;

 protected:
  TellsLostSound() = default;
};

/// Thread-safety: as that of the content.
class EncodedContent final : public ByteReader, public TellsLostSound {
 public:
  EncodedContent(std::shared_ptr<const ByteReader> content, std::chrono::milliseconds lost_sound)
      : content_(std::move(content)), lost_sound_(lost_sound) {}

  [[nodiscard]] std::uint64_t size() const noexcept override { return content_->size(); }
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override { return content_->read_at(offset, into); }
  [[nodiscard]] std::optional<FileWindow> window() const override { return content_->window(); }
  [[nodiscard]] std::chrono::milliseconds lost_sound() const noexcept override { return lost_sound_; }

 private:
  std::shared_ptr<const ByteReader> content_;
  std::chrono::milliseconds lost_sound_;
};

/// 0 of a content that tells nothing.
inline std::chrono::milliseconds lost_sound_of(const ByteReader* content) noexcept {
  const auto* const tells = dynamic_cast<const TellsLostSound*>(content);
  return tells == nullptr ? std::chrono::milliseconds(0) : tells->lost_sound();
}

}  // namespace media::cage
