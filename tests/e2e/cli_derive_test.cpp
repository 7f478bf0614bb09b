// mediactl derive: files and media, names, and where it must not write.
#include <unistd.h>

#include "catch.hpp"
#include "cli_support.hpp"
#include "pictures.hpp"

namespace fs = std::filesystem;
using cli::Json;
using cli::json_lines;
using cli::mediactl;

namespace {

std::string head_of(const std::string& path, std::size_t from, std::size_t count) { return test::read_text(path).substr(from, count); }

bool is_jpeg(const std::string& path) { return head_of(path, 0, 3) == "\xFF\xD8\xFF"; }
bool is_webp(const std::string& path) { return head_of(path, 8, 4) == "WEBP"; }
bool is_avif(const std::string& path) { return head_of(path, 4, 8) == "ftypavif"; }
bool is_png(const std::string& path) { return head_of(path, 1, 3) == "PNG"; }

}  // namespace

TEST_CASE("cli derive: one file, every width and format, without a store") {
  const test::TempFolder folder;
  test::write_file(folder / "photo.png", cli::png(400, 300));
  const std::string out = (folder / "out").string();
  const auto result = mediactl(
      {"derive", "-w", "160,80", "--format", "avif,jpeg,webp,png", "-q", "70", "--out-dir", out, "--json", (folder / "photo.png").string()},
      {"MEDIA_STORE="});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  const auto lines = json_lines(result.out);
  REQUIRE(lines.objects.size() == 8);
  CHECK(lines.summary.at("derived") == 8);
  CHECK(is_avif(out + "/photo-160.avif"));
  CHECK(is_jpeg(out + "/photo-160.jpg"));
  CHECK(is_webp(out + "/photo-80.webp"));
  CHECK(is_png(out + "/photo-80.png"));
  CHECK(test::count_files(out) == 8);  // and no temp file
  const Json line = cli::find(lines, "output", out + "/photo-80.jpg");
  CHECK(line.at("width") == 80);
  CHECK(line.at("height") == 60);
  CHECK(line.at("format") == "jpeg");
  CHECK(line.at("size") == fs::file_size(out + "/photo-80.jpg"));
}

TEST_CASE("cli derive: -o takes the format from the name, and - is standard output") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(100, 80));
  const std::string target = (folder / "x.webp").string();
  REQUIRE(mediactl({"derive", source, "-w", "50", "-o", target}).exit_code == 0);
  CHECK(is_webp(target));
  const auto piped = mediactl({"derive", source, "-w", "50", "--format", "jpg", "-o", "-"});
  CHECK(piped.exit_code == 0);
  CHECK(piped.out.starts_with("\xFF\xD8\xFF"));
  CHECK(piped.out.ends_with("\xFF\xD9"));
}

TEST_CASE("cli derive: fit, height, enlarge and presets") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(100, 80));
  const auto size_of = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"derive", source, "--json", "--out-dir", (folder / "out").string(), "--format", "jpeg"});
    const auto result = mediactl(options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const Json line = json_lines(result.out).objects.at(0);
    return std::pair(line.at("width").get<int>(), line.at("height").get<int>());
  };
  CHECK(size_of({"-w", "50", "--height", "50", "--fit", "cover"}) == std::pair(50, 50));
  CHECK(size_of({"-w", "50", "--height", "50", "--fit", "fill"}) == std::pair(50, 50));
  CHECK(size_of({"-w", "50", "--height", "50"}) == std::pair(50, 40));
  CHECK(size_of({"--height", "40"}) == std::pair(50, 40));
  CHECK(size_of({"-w", "200"}) == std::pair(100, 80));
  CHECK(size_of({"-w", "200", "--enlarge"}) == std::pair(200, 160));
  CHECK(size_of({}) == std::pair(100, 80));
  CHECK(fs::exists(folder / "out/photo-50.jpg"));
  CHECK(fs::exists(folder / "out/photo-h40.jpg"));
  CHECK(fs::exists(folder / "out/photo-full.jpg"));
  REQUIRE(mediactl({"derive", source, "--preset", "thumb", "--out-dir", (folder / "presets").string()}).exit_code == 0);
  CHECK(is_avif((folder / "presets/photo-thumb.avif").string()));
  CHECK(is_webp((folder / "presets/photo-thumb.webp").string()));
  CHECK(is_jpeg((folder / "presets/photo-thumb.jpg").string()));
}

TEST_CASE("cli derive: an AVIF of ten bits says so in its header, and no other format is made of them") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(100, 80));
  const auto bits_of = [&](std::vector<std::string> options) {
    const std::string out = (folder / "out.avif").string();
    options.insert(options.begin(), {"derive", source, "-o", out});
    const auto result = mediactl(options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    const std::string bytes = test::read_text(out);
    // The pixel information property: version, flags, and a number of bits for each of three channels.
    const std::size_t at = bytes.find("pixi");
    REQUIRE(at != std::string::npos);
    REQUIRE(bytes.substr(at + 4, 5) == std::string("\0\0\0\0\3", 5));
    return int{bytes.at(at + 9)};
  };
  CHECK(bits_of({"-w", "50", "--depth", "10"}) == 10);
  CHECK(bits_of({"--preset", "thumb", "--format", "avif", "--depth", "10"}) == 10);
  CHECK(bits_of({"-w", "50", "--depth", "8"}) == 8);
  CHECK(bits_of({"-w", "50"}) == 8);
  const auto refused = mediactl({"derive", source, "-o", (folder / "out.webp").string(), "--depth", "10"});
  CHECK(refused.exit_code == 2);
  CHECK(refused.err.find("depth=10 takes format=avif and frames=first, not format=webp") != std::string::npos);
}

TEST_CASE("cli derive: gravity, turning, edits and metadata, for sizes and for presets") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(100, 80));
  const std::string out = (folder / "out").string();
  const auto line_of = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"derive", source, "--json", "--out-dir", out, "--format", "png"});
    const auto result = mediactl(options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json_lines(result.out).objects.at(0);
  };
  const auto bytes_of = [&](const std::vector<std::string>& options) {
    return test::read_text(line_of(options).at("output").get<std::string>());
  };
  const Json turned = line_of({"-w", "40", "--rotate", "90", "--flip", "h"});
  CHECK(turned.at("width") == 40);
  CHECK(turned.at("height") == 50);
  const Json doubled = line_of({"-w", "20", "--dpr", "2"});
  CHECK(doubled.at("width") == 40);
  CHECK(fs::path(doubled.at("output").get<std::string>()).filename() == "photo-40.png");
  const Json padded = line_of({"-w", "50", "--height", "50", "--fit", "pad", "--background", "00ff00"});
  CHECK(padded.at("width") == 50);
  CHECK(padded.at("height") == 50);
  const std::vector<std::string> square = {"-w", "30", "--height", "30", "--fit", "cover"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), square.begin(), square.end());
    return bytes_of(more);
  };
  const std::string centre = with({});
  CHECK(with({"--gravity", "centre"}) == centre);
  CHECK(with({"--gravity", "west"}) != centre);
  CHECK(with({"--gravity", "0:0.5"}) == with({"--gravity", "west"}));
  CHECK_FALSE(with({"--gravity", "smart"}).empty());
  CHECK(with({"--blur", "2"}) != centre);
  CHECK(with({"--sharpen", "2:1"}) != centre);
  CHECK(with({"--trim", "1", "--icc", "keep", "--meta", "copyright"}).size() > 100);
  const Json preset = line_of({"--preset", "thumb", "--rotate", "90"});
  CHECK(preset.at("width") == 80);
  CHECK(preset.at("height") == 100);
}

TEST_CASE("cli derive: a media of the store, by its id") {
  const test::TempFolder folder;
  const std::string store = (folder / "store").string();
  test::write_file(folder / "photo.png", cli::png(500, 400));
  REQUIRE(mediactl({"--store", store, "ingest", (folder / "photo.png").string()}).exit_code == 0);
  const std::string out = (folder / "out").string();
  // thumb is stored, 77 is not; -w 320 alone is another picture than the preset's box.
  const auto result =
      mediactl({"--store", store, "derive", "1", "-w", "77", "--preset", "thumb", "--format", "jpeg", "--out-dir", out, "--json"});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK(is_jpeg(out + "/1-77.jpg"));
  CHECK(is_jpeg(out + "/1-thumb.jpg"));
  CHECK(cli::find(json_lines(result.out), "output", out + "/1-thumb.jpg").at("width") == 320);
  const auto none = mediactl({"--store", store, "derive", "2", "-w", "77", "--out-dir", out});
  CHECK(none.exit_code == 1);
  CHECK_THAT(none.err, ContainsSubstring("no media 2 in the store"));
  CHECK(mediactl({"derive", "1", "-w", "77", "--out-dir", out}, {"MEDIA_STORE="}).exit_code == 2);
}

TEST_CASE("cli derive: pictures never overwrite each other or their source") {
  const test::TempFolder folder;
  test::write_file(folder / "a/x.png", cli::png(60, 40, 1));
  test::write_file(folder / "b/x.png", cli::png(60, 40, 2));
  const auto result = mediactl({"derive", "-w", "30", "--format", "png", "--out-dir", (folder / "out").string(), "--json",
                                (folder / "a/x.png").string(), (folder / "b/x.png").string()});
  CHECK(result.exit_code == 1);
  const auto lines = json_lines(result.out);
  CHECK(lines.summary.at("derived") == 1);
  CHECK(lines.summary.at("failed") == 1);
  CHECK(cli::find(lines, "path", (folder / "b/x.png").string()).at("status") == "failed");
  CHECK_THAT(result.err, ContainsSubstring("would overwrite"));
  const auto before = test::read_file(folder / "a/x.png");
  const auto self = mediactl({"derive", "-w", "30", "-o", (folder / "a/x.png").string(), (folder / "a/x.png").string()});
  CHECK(self.exit_code == 1);
  CHECK_THAT(self.err, ContainsSubstring("is the source itself"));
  CHECK(test::read_file(folder / "a/x.png") == before);
}

TEST_CASE("cli derive: one bad file stops none of the others") {
  const test::TempFolder folder;
  const auto jpeg = cli::jpeg(300, 200);
  test::write_file(folder / "good.jpg", jpeg);
  test::write_file(folder / "text.jpg", "not a picture");
  test::write_file(folder / "empty.jpg", "");
  test::write_file(folder / "bomb.png", cli::hollow_png(30'000, 30'000, 100'000));
  const std::string out = (folder / "out").string();
  const auto result = mediactl({"derive", "-w", "30", "--format", "jpeg", "--jobs", "2", "--out-dir", out, (folder / "text.jpg").string(),
                                (folder / "empty.jpg").string(), (folder / "bomb.png").string(), (folder / "gone.jpg").string(),
                                folder.path().string(), (folder / "good.jpg").string()});
  CHECK(result.exit_code == 1);
  CHECK(is_jpeg(out + "/good-30.jpg"));
  CHECK(test::count_files(out) == 1);
  CHECK(cli::text_lines(result.err).size() == 5);
  for (const std::string& line : cli::text_lines(result.err))
    CHECK(line.starts_with("mediactl: cannot derive from '" + folder.path().string()));
}

TEST_CASE("cli derive: the frames of an animation are kept where that is asked for and the format can") {
  const test::TempFolder folder;
  const std::string source = (folder / "blink.gif").string();
  test::write_file(source, test::blinking_gif());
  const std::string out = (folder / "out").string();
  REQUIRE(mediactl({"derive", source, "--frames", "all", "--format", "gif,webp,png", "--out-dir", out}).exit_code == 0);
  CHECK(test::read_text(out + "/blink-full.gif").find("NETSCAPE2.0") != std::string::npos);
  CHECK(test::read_text(out + "/blink-full.webp").find("ANMF") != std::string::npos);
  CHECK(is_png(out + "/blink-full.png"));
  const std::string still = (folder / "still.webp").string();
  REQUIRE(mediactl({"derive", source, "-o", still}).exit_code == 0);
  CHECK(is_webp(still));
  CHECK(test::read_text(still).find("ANMF") == std::string::npos);
}

TEST_CASE("cli derive: wrong options exit with 2 and name what they accept") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(20, 20));
  const std::string out = (folder / "out").string();
  const std::vector<std::vector<std::string>> wrong = {
      {"-w", "wide", "--out-dir", out},
      {"-w", "320,", "--out-dir", out},
      {"-w", "99999", "--out-dir", out},
      {"--format", "tiff", "--out-dir", out},
      {"--frames", "some", "--out-dir", out},
      {"--format", "exe", "--out-dir", out},
      {"-q", "0", "--out-dir", out},
      {"-q", "101", "--out-dir", out},
      {"--fit", "squash", "--out-dir", out},
      {"--bg", "red", "--out-dir", out},
      {"--preset", "huge", "--out-dir", out},
      {"--gravity", "up", "--out-dir", out},
      {"--gravity", "1.5:0", "--out-dir", out},
      {"--dpr", "0", "--out-dir", out},
      {"-w", "16384", "--dpr", "2", "--out-dir", out},
      {"--rotate", "45", "--out-dir", out},
      {"--flip", "x", "--out-dir", out},
      {"--trim", "0", "--out-dir", out},
      {"--sharpen", "-1", "--out-dir", out},
      {"--blur", "1e9", "--out-dir", out},
      {"--icc", "p3", "--out-dir", out},
      {"--meta", "all", "--preset", "thumb", "--out-dir", out},
      {"--depth", "12", "--out-dir", out},
      {"--depth", "10", "--format", "avif,jpeg", "--out-dir", out},
      {"--depth", "10", "--preset", "thumb", "--out-dir", out},
      {"--depth", "10", "--frames", "all", "--out-dir", out},
      {"-w", "10"},
      {"-w", "10,20", "-o", out + ".jpg"},
      {"-w", "10", "-o", out, "--out-dir", out},
      {"-w", "10", "-o", "-", "--json"},
  };
  for (auto options : wrong) {
    std::string shown;
    for (const auto& option : options) shown += option + " ";
    INFO(shown);
    options.insert(options.begin(), {"derive", source});
    const auto result = mediactl(options);
    CHECK(result.exit_code == 2);
    CHECK(result.err.starts_with("mediactl: "));
  }
  CHECK_FALSE(fs::exists(out));
}

TEST_CASE("cli derive: decoding in this process gives the same picture as decoding in a worker") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(200, 120));
  REQUIRE(mediactl({"derive", source, "-w", "90", "-o", (folder / "a.png").string()}).exit_code == 0);
  REQUIRE(mediactl({"derive", source, "-w", "90", "-o", (folder / "b.png").string(), "--isolation", "none"}).exit_code == 0);
  CHECK(test::read_file(folder / "a.png") == test::read_file(folder / "b.png"));
  const auto without = mediactl({"derive", source, "-w", "90", "-o", (folder / "c.png").string()}, {"MEDIA_WORKER=/nonexistent/worker"});
  // A named worker that is not there is an error, not a reason to decode here after all.
  CHECK(without.exit_code == 3);
  CHECK_THAT(without.err, ContainsSubstring("--isolation none"));
}

TEST_CASE("cli derive: a score or a limit of bytes is met, and it says what it took") {
  const test::TempFolder folder;
  const std::string source = (folder / "photo.png").string();
  test::write_file(source, cli::png(400, 300));
  const std::string out = (folder / "out").string();
  const auto derive = [&](std::vector<std::string> options) {
    std::vector<std::string> arguments{"--json", "derive", "-w", "200", "--format", "jpeg", "--out-dir", out};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.push_back(source);
    return mediactl(arguments);
  };
  const auto line_of = [&](const std::vector<std::string>& options) {
    const auto result = derive(options);
    INFO(result.err);
    REQUIRE(result.exit_code == 0);
    return json_lines(result.out).objects.at(0);
  };
  const Json usual = line_of({});
  CHECK(usual.at("quality") == 80);
  CHECK(usual.at("score").is_null());

  const Json alike = line_of({"--score", "97.5"});
  CHECK(alike.at("score").get<double>() >= 97.5);
  CHECK(alike.at("quality").get<int>() >= 1);
  const Json less = line_of({"--score", "80"});
  CHECK(less.at("quality").get<int>() < alike.at("quality").get<int>());
  CHECK(less.at("size").get<std::uint64_t>() < alike.at("size").get<std::uint64_t>());

  const std::uint64_t limit = usual.at("size").get<std::uint64_t>() * 3 / 4;
  const Json small = line_of({"--max-bytes", std::to_string(limit)});
  CHECK(small.at("size").get<std::uint64_t>() <= limit);
  CHECK(fs::file_size(out + "/photo-200.jpg") <= limit);
  CHECK(line_of({"--score", "99", "--deadline", "0.001"}).at("score").get<double>() > 0);

  const auto told = mediactl({"derive", "-w", "200", "--format", "jpeg", "--max-bytes", std::to_string(limit), "--out-dir", out, source});
  CHECK(told.out.find("  q " + std::to_string(small.at("quality").get<int>())) != std::string::npos);
  const auto impossible = derive({"--max-bytes", "100"});
  CHECK(impossible.exit_code != 0);
  CHECK(impossible.out.find("more than 100") != std::string::npos);
  for (const auto& wrong : {std::vector<std::string>{"--score", "100"}, {"--score", "x"}, {"--max-bytes", "0"}, {"--deadline", "-1"}}) {
    CHECK(derive(wrong).exit_code == 2);
  }
}
