// The shared corpus: what its manifest accepts decodes, what only decoding can refuse is refused.
#include <chrono>
#include <ctime>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "avif_refusals.hpp"
#include "catch.hpp"
#include "image/pipeline.hpp"
#include "image_samples.hpp"
#include "sanitized.hpp"
#include "support.hpp"

using namespace media;

namespace {

struct Line {
  std::string path;
  Format format = Format::unknown;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::string verdict;
  std::string reason;
};

std::vector<Line> manifest(const std::filesystem::path& corpus) {
  std::vector<Line> out;
  std::ifstream file(corpus / "MANIFEST.tsv");
  std::string text;
  std::getline(file, text);
  while (std::getline(file, text)) {
    std::vector<std::string> fields;
    std::istringstream parts(text);
    for (std::string field; std::getline(parts, field, '\t');) fields.push_back(field);
    if (fields.size() < 9) continue;
    const auto number = [&](std::size_t i) { return static_cast<std::uint32_t>(std::strtoul(fields[i].c_str(), nullptr, 10)); };
    out.push_back({fields[0], format_from_mime(fields[3]), number(4), number(5), fields[7], fields[8]});
  }
  return out;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

const std::vector<Transform>& small_jpeg() {
  static const std::vector<Transform> transforms{*parse_transform("w=64,h=64,format=jpeg")};
  return transforms;
}

}  // namespace

TEST_CASE("image: every image of the corpus that is to be accepted decodes, as the manifest describes it", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  std::size_t seen = 0;
  for (const Line& line : manifest(*shared / "corpus")) {
    if (line.verdict != "accept" || !is_image(line.format)) continue;
    INFO(line.path);
    auto source = FileReader::open(*shared / "corpus" / line.path);
    REQUIRE(source.has_value());
    const double begin = cpu_seconds();
    const auto derived = image::derive(**source, small_jpeg(), {});
    CHECK(cpu_seconds() - begin < (test::kSanitized ? 100 : 10));
    if (!derived && test::refused_by_libavif(line.path)) {
      CHECK(derived.error().code == Errc::corrupt);
      continue;
    }
    if (!derived) {
      FAIL_CHECK(to_string(derived.error().code) << ": " << derived.error().message);
      continue;
    }
    ++seen;
    CHECK(derived->source.format == line.format);
    CHECK(derived->source.width == line.width);
    CHECK(derived->source.height == line.height);
    CHECK(!derived->outputs.at(0).bytes.empty());
  }
  CHECK(seen > 300);
}

TEST_CASE("image: no file of the corpus, sound or not, takes the decoder down or for long", "[corpus]") {
  const auto shared = test::shared_folder();
  if (!shared) return;
  std::map<std::string, int> outcomes;
  for (const Line& line : manifest(*shared / "corpus")) {
    if (line.verdict == "accept") continue;
    INFO(line.path);
    auto source = FileReader::open(*shared / "corpus" / line.path);
    if (!source) continue;
    const double begin = cpu_seconds();
    const auto derived = image::derive(**source, small_jpeg(), {});
    CHECK(cpu_seconds() - begin < 10);
    const bool by_decoding = line.reason == "truncated" || line.reason == "corrupt" || line.reason == "no-decodable-frame";
    if (line.verdict == "reject" && by_decoding && is_image(line.format)) {
      INFO(line.reason);
      CHECK_FALSE(derived.has_value());
    }
    if (!derived) CHECK_FALSE(derived.error().message.empty());
    ++outcomes[derived ? "decoded" : std::string(to_string(derived.error().code))];
  }
  CHECK(outcomes["internal"] == 0);
}
