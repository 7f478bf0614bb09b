// Every sample cut at every byte, and with bytes changed: no crash, no hang, and no half file called whole.
#include <random>
#include <set>

#include "catch.hpp"
#include "inspect_samples.hpp"
#include "media/inspect.hpp"
#include "support.hpp"

namespace {

media::AdmissionPolicy everything() {
  media::AdmissionPolicy policy;
  for (int format = 1; format <= static_cast<int>(media::Format::ogg); ++format)
    policy.allowed.push_back(static_cast<media::Format>(format));
  return policy;
}

/// Formats whose headers tell nothing of where the content ends.
bool end_is_told(const samples::Sample& sample) {
  return sample.format != media::Format::svg && sample.format != media::Format::tiff && sample.name != "webm-live";
}

}  // namespace

TEST_CASE("inspect: a sample cut at any byte is never admitted") {
  const auto policy = everything();
  for (const auto& sample : samples::all()) {
    const auto bytes = test::bytes(sample.content);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const media::MemoryReader content{std::span<const std::byte>(bytes).first(cut)};
      const auto verdict = media::admit(policy, content, {});
      REQUIRE(verdict);
      if (end_is_told(sample) && verdict->admitted())
        FAIL_CHECK(sample.name << " cut after " << cut << " of " << bytes.size() << " bytes was admitted");
      if (!verdict->admitted()) REQUIRE_FALSE(verdict->message.empty());
    }
    const media::MemoryReader whole{std::span(bytes)};
    const auto verdict = media::admit(policy, whole, {});
    REQUIRE(verdict);
    CHECK(verdict->message == "");
    CHECK(verdict->admitted());
  }
}

TEST_CASE("inspect: samples with changed bytes give verdicts, and those that are admitted keep to the limits") {
  const auto policy = everything();
  std::mt19937 random(20240607);
  const auto below = [&](std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random); };
  const std::vector<std::uint8_t> telling = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe};
  std::set<media::Refusal> seen;
  for (const auto& sample : samples::all()) {
    for (int round = 0; round < 1500; ++round) {
      auto bytes = test::bytes(sample.content);
      for (std::size_t changes = 1 + below(4); changes > 0; --changes) {
        bytes[below(bytes.size())] =
            static_cast<std::byte>(round % 2 == 0 ? telling[below(telling.size())] : static_cast<std::uint8_t>(below(256)));
      }
      if (round % 7 == 0) bytes.resize(below(bytes.size()));
      const auto verdict = media::admit(policy, media::MemoryReader(std::span<const std::byte>(bytes)), {});
      REQUIRE(verdict);
      seen.insert(verdict->refusal);
      if (verdict->admitted()) {
        REQUIRE(std::max(verdict->info.width, verdict->info.height) <= policy.max_side);
        REQUIRE(std::uint64_t{verdict->info.width} * verdict->info.height <= policy.max_pixels);
        REQUIRE(verdict->info.orientation >= 1);
        REQUIRE(verdict->info.orientation <= 8);
      }
    }
  }
  CHECK(seen.count(media::Refusal::malformed) == 1);
  CHECK(seen.count(media::Refusal::side_too_long) == 1);
}

TEST_CASE("inspect: noise is no media") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const auto bytes = test::noise(64 + seed * 5, seed);
    const auto verdict = media::admit({}, media::MemoryReader(std::span<const std::byte>(bytes)), {});
    REQUIRE(verdict);
    CHECK(verdict->refusal == media::Refusal::not_media);
  }
}
