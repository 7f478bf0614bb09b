// Any bytes, as an uploaded file: sniffed, probed, judged. What must hold is said by the checks below; the rest is for the sanitizers.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "media/inspect.hpp"

namespace {
void must(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const media::MemoryReader content(bytes);
  media::AdmissionPolicy policy;
  for (const auto format : {media::Format::bmp, media::Format::tiff, media::Format::svg, media::Format::mkv, media::Format::ogg}) {
    policy.allowed.push_back(format);
  }

  const media::Format format = media::sniff(bytes.first(std::min(size, media::kSniffBytes)));
  const auto info = media::probe(content);
  if (info) {
    must(info->format == format && format != media::Format::unknown);
    must(info->orientation >= 1 && info->orientation <= 8);
  } else {
    must(info.error().code == media::Errc::corrupt || info.error().code == media::Errc::unsupported);
    must((info.error().code == media::Errc::unsupported) == (format == media::Format::unknown));
  }

  // The first bytes serve as a claim, too.
  const std::string_view text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 40));
  for (const auto claim : {media::Claim{}, media::Claim{text, text}}) {
    const auto verdict = media::admit(policy, content, claim);
    must(verdict.has_value());
    must(verdict->admitted() == verdict->message.empty());
    if (verdict->admitted()) {
      must(info.has_value() && verdict->info == *info);
      must(std::max(info->width, info->height) <= policy.max_side);
      must(std::uint64_t{info->width} * info->height <= policy.max_pixels);
    }
  }
  return 0;
}
