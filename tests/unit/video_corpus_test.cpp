// The shared corpus: what its manifest accepts gives pictures, what it refuses gives reasons.
#include <chrono>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "media/inspect.hpp"
#include "sanitized.hpp"
#include "video_samples.hpp"

using namespace media;

TEST_CASE("video: every video of the corpus that is to be accepted gives a picture, and no other takes long", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  std::ifstream manifest(*shared / "corpus" / "MANIFEST.tsv");
  std::string text;
  std::getline(manifest, text);
  std::size_t accepted = 0;
  std::size_t refused = 0;
  while (std::getline(manifest, text)) {
    std::vector<std::string> fields;
    std::istringstream parts(text);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    if (fields.size() < 9) continue;
    const auto content = test::read_file(*shared / "corpus" / fields[0]);
    if (!is_video(sniff(std::span(content).first(std::min(content.size(), kSniffBytes))))) continue;
    INFO(fields[0] << " " << fields[7] << " " << fields[8]);
    const std::clock_t before = std::clock();
    const auto derived = test::derive_video(content, {"w=64,format=jpeg"});
    CHECK(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC < (test::kSanitized ? 60 : 10));
    if (fields[7] == "accept") {
      ++accepted;
      if (!derived) FAIL_CHECK(derived.error().message);
    }
    // A name that says another format than the content is for the admission to refuse. What is cut off FFmpeg shows as far as it goes, from
    // 7 on without an index as well; that does not come in.
    if (fields[7] == "reject" && fields[8].rfind("type-mismatch", 0) != 0) {
      ++refused;
      const auto verdict = admit({}, MemoryReader(content), Claim{});
      CHECK((!derived || !verdict || !verdict->admitted()));
    }
  }
  CHECK(accepted >= 25);
  CHECK(refused >= 25);
}
