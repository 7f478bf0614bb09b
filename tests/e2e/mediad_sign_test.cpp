// URLs that mediactl signs on the store that mediad serves.
#include "mediad_fixture.hpp"

using namespace test;

namespace {

constexpr const char* kJwtSecret = "6f1ed002ab5595859014ebf0951522d9";

struct Signing {
  explicit Signing(std::vector<std::string> more = {}) : mediad(with_auth(std::move(more))) {
    // One at a time: files of one command are read side by side and get their ids as they end.
    for (const std::uint32_t width : {300U, 310U}) {
      const auto file = mediad.folder / (std::to_string(width) + ".png");
      write_file(file, gradient_png(width, 200));
      REQUIRE(run({"ingest", file.string()}).exit_code == 0);
    }
  }
  static std::vector<std::string> with_auth(std::vector<std::string> more) {
    more.push_back(std::string("JWT_SECRET=") + kJwtSecret);
    return more;
  }
  RunResult run(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), {Mediad::mediactl(), "--store", mediad.store().string()});
    return test::run(arguments, environment);
  }
  /// The one URL that `mediactl sign` prints.
  std::string sign(std::vector<std::string> arguments, const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), "sign");
    const auto outcome = run(arguments, environment);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return outcome.out.substr(0, outcome.out.find('\n'));
  }
  httplib::Result get(const std::string& path) { return httplib::Client("127.0.0.1", mediad.port).Get(path.c_str()); }

  Mediad mediad;
};

}  // namespace

TEST_CASE("mediactl sign: strangers fetch by its URLs what they otherwise may not, and nothing beside it") {
  Signing f;
  CHECK(f.get(kApi + "/media/1/download")->status == 401);
  const std::string original = f.sign({"1"});
  CHECK(original.starts_with(kApi + "/media/1/download?expires="));
  const auto answer = f.get(original);
  CHECK(answer->status == 200);
  CHECK(answer->body == text_of(gradient_png(300, 200)));
  CHECK(answer->get_header_value("Content-Disposition").starts_with("attachment"));
  CHECK(f.get(f.sign({"1", "--inline"}))->get_header_value("Content-Disposition").starts_with("inline"));

  std::string other = original;
  other.replace(other.find("/media/1/"), 9, "/media/2/");
  CHECK(f.get(other)->status == 401);
  CHECK(f.get(original + "&disposition=inline")->status == 401);

  const auto thumb = f.get(f.sign({"1", "--preset", "thumb", "--format", "webp"}));
  CHECK(thumb->status == 200);
  CHECK(thumb->get_header_value("Content-Type") == "image/webp");
  const auto picture = f.get(f.sign({"1", "--image", "w=123,q=70", "--format", "jpeg"}));
  CHECK(picture->status == 200);
  CHECK(picture->get_header_value("Content-Type") == "image/jpeg");

  const auto edited = f.get(
      f.sign({"1", "--image",
              "w=60,h=60,dpr=2,fit=cover,gravity=smart,rotate=90,flip=h,trim=5,sharpen=1,blur=1.5,icc=keep,meta=copyright,format=webp"}));
  CHECK(edited->status == 200);
  CHECK(edited->get_header_value("Content-Type") == "image/webp");
  CHECK(f.get(f.sign({"1", "--image", "w=60,gravity=0.3:0.7,h=60,fit=cover"}))->status == 200);

  const auto expiring = f.sign({"1", "--expires", "1s"});
  std::this_thread::sleep_for(std::chrono::milliseconds(2100));
  CHECK(f.get(expiring)->status == 401);
}

TEST_CASE("mediactl sign: the log has no signature, also of a client that takes the query for a part of the path") {
  Signing f;
  const std::string url = f.sign({"1"});
  const std::string signature = url.substr(url.find("signature=") + 10);
  REQUIRE(signature.size() == 64);
  std::string path = url;
  path.replace(path.find('?'), 1, "%3F");
  CHECK(f.get(path)->status == 404);
  CHECK(f.get(kApi + "/media/1/download%26signature%3D" + signature)->status == 404);
  CHECK(f.get(url)->status == 200);
  f.mediad.daemon.reset();  // which has written all by then
  const std::string log = test::read_text(f.mediad.log());
  CHECK(log.find("path=" + kApi + "/media/1/download ") != std::string::npos);
  CHECK(log.find(signature) == std::string::npos);
}

TEST_CASE("mediactl sign: an animation is fetched with its frames in what the client can show, else as GIF") {
  Signing f;
  write_file(f.mediad.folder / "blink.gif", blinking_gif());
  REQUIRE(f.run({"ingest", (f.mediad.folder / "blink.gif").string()}).exit_code == 0);
  CHECK(f.get(kApi + "/media/3/image?w=320&frames=all")->status == 401);
  const std::string url = f.sign({"3", "--image", "w=320,frames=all"});
  const auto plain = f.get(url);
  REQUIRE(plain->status == 200);
  CHECK(plain->get_header_value("Content-Type") == "image/gif");
  CHECK(plain->get_header_value("Vary") == "Accept");
  CHECK(plain->body.find("NETSCAPE2.0") != std::string::npos);
  const auto webp = httplib::Client("127.0.0.1", f.mediad.port).Get(url.c_str(), {{"Accept", "image/webp,*/*"}});
  CHECK(webp->get_header_value("Content-Type") == "image/webp");
  CHECK(webp->body.find("ANMF") != std::string::npos);
  // Of a still, and of the first frame, as ever.
  CHECK(f.get(f.sign({"1", "--image", "w=320,frames=all"}))->get_header_value("Content-Type") == "image/jpeg");
  CHECK(f.get(f.sign({"3", "--image", "w=320"}))->get_header_value("Content-Type") == "image/jpeg");
}

TEST_CASE("mediactl sign: it uses the server's key and address, and says what it cannot sign") {
  const std::string secret = "0a91c7d2ab5595859014ebf0951522d9";
  Signing f({"UPLOAD_URL_SECRET=" + secret});
  write_file(f.mediad.folder / "secret", bytes(secret + "\n"));
  const std::string url =
      f.sign({"1", "--base-url", "https://media.example/"}, {"UPLOAD_URL_SECRET_FILE=" + (f.mediad.folder / "secret").string()});
  CHECK(url.starts_with("https://media.example" + kApi + "/media/1/download?"));
  CHECK(f.get(url.substr(url.find("/api")))->status == 200);
  CHECK(f.sign({"1"}, {"UPLOAD_URL_SECRET=" + secret, "MEDIA_SERVICE_SERVER_PUBLIC_URL=http://here"}).starts_with("http://here/api/"));
  CHECK(f.get(f.sign({"1"}))->status == 401);  // by a key of the store's own, which this server does not use

  CHECK(f.run({"sign", "1", "77"}).exit_code == 1);
  for (const std::vector<std::string>& wrong : std::vector<std::vector<std::string>>{{"sign", "1", "--expires", "0s"},
                                                                                     {"sign", "1", "--expires", "never"},
                                                                                     {"sign", "1", "--expires", "400d"},
                                                                                     {"sign", "1", "--preset", "huge"},
                                                                                     {"sign", "1", "--image", "q=70"},
                                                                                     {"sign", "1", "--image", "w=10,w=20"},
                                                                                     {"sign", "1", "--image", "w=10,blur=0"},
                                                                                     {"sign", "1", "--image", "w=10", "--preset", "thumb"},
                                                                                     {"sign", "1", "--format", "webp"},
                                                                                     {"sign", "1", "--base-url", "media.example"},
                                                                                     {"sign", "0"},
                                                                                     {"sign"}}) {
    INFO(wrong.back());
    const auto outcome = f.run(wrong);
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out.empty());
    CHECK_FALSE(outcome.err.empty());
  }
}
