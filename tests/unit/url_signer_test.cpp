// Signed URLs against everything that may happen to a URL on its way.
#include "url_signer.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include "catch.hpp"

using namespace media;
using namespace media::server;
using Check = UrlSigner::Check;

namespace {

const std::string kSecret = "6f1ed002ab5595859014ebf0951522d9";
const std::string kOldSecret = "c7be1ed902fb8dd4d48997c6452f5d7e";
constexpr std::int64_t kNow = 1'764'000'000;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return Timestamp{std::chrono::milliseconds{milliseconds}}; }
  std::int64_t milliseconds = kNow * 1000;
};

struct Fixture {
  explicit Fixture(std::vector<std::string> secrets = {kSecret}) : signer(SigningKeys::open(std::move(secrets)).value(), clock) {}
  FixedClock clock;
  UrlSigner signer;
};

UploadSession session_for(const UrlSigner& signer) {
  UploadSession session;
  session.token = signer.token_prefix() + "00112233445566778899aabbccddeeff";
  session.media_id = 42;
  session.media_type = "image/jpeg";
  session.size_bytes = 1'048'576;
  session.expires_at = Timestamp{std::chrono::seconds{kNow + 900}};
  return session;
}

std::string decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// The request that the server makes of a URL that `upload_url` or `delivery_url` gave out.
http::Request request_of(const std::string& url, const std::string& base) {
  http::Request request;
  const auto question = url.find('?');
  request.path = url.substr(base.size(), question - base.size());
  request.captures.push_back({"token", request.path.substr(request.path.rfind('/') + 1)});
  std::string rest = url.substr(question + 1) + "&";
  for (std::size_t at = 0, end = 0; (end = rest.find('&', at)) != std::string::npos; at = end + 1) {
    const std::string pair = rest.substr(at, end - at);
    request.query.push_back({pair.substr(0, pair.find('=')), decode(pair.substr(pair.find('=') + 1))});
  }
  return request;
}

/// Every way to change one value by a character, and every way to change the list of parameters by one.
void for_each_mutation(const http::Request& good, const std::function<void(const http::Request&, const std::string&)>& visit) {
  static constexpr std::string_view kCharacters = "0123456789abcdefXZ/%+ ._-\x01\xff";
  for (std::size_t p = 0; p < good.query.size(); ++p) {
    const std::string value = good.query[p].value;
    const auto with = [&](std::string changed, const std::string& what) {
      if (changed == value) return;
      http::Request request = good;
      request.query[p].value = std::move(changed);
      visit(request, good.query[p].name + ": " + what);
    };
    for (std::size_t i = 0; i <= value.size(); ++i) {
      for (const char c : kCharacters) {
        with(value.substr(0, i) + c + value.substr(i), "inserted");
        if (i < value.size()) with(value.substr(0, i) + c + value.substr(i + 1), "changed");
      }
      if (i < value.size()) {
        with(value.substr(0, i) + value.substr(i + 1), "dropped");
        with(value.substr(0, i) + value[i] + value.substr(i), "doubled");
        with(value.substr(0, i), "cut");
        if (i + 1 < value.size()) {
          std::string swapped = value;
          std::swap(swapped[i], swapped[i + 1]);
          with(swapped, "swapped");
        }
      }
    }
    for (const bool twice : {false, true}) {
      http::Request request = good;
      if (twice) {
        request.query.push_back(good.query[p]);
      } else {
        request.query.erase(request.query.begin() + static_cast<std::ptrdiff_t>(p));
      }
      visit(request, good.query[p].name + (twice ? ": there twice" : ": missing"));
    }
    for (std::size_t other = 0; other < good.query.size(); ++other) {
      if (good.query[other].value == value) continue;
      http::Request request = good;
      std::swap(request.query[p].value, request.query[other].value);
      visit(request, good.query[p].name + ": values exchanged");
    }
  }
  for (const char* const name : {"a", "Signature", "expires ", "media_id", "key", "w", ""}) {
    http::Request request = good;
    request.query.push_back({name, "1"});
    visit(request, std::string("added: ") + name);
  }
}

const std::string kBase = "http://127.0.0.1:3000/api/v1/media-management";

}  // namespace

TEST_CASE("server: no mutation of a signed upload URL is accepted, whatever order its parameters come in") {
  std::size_t mutations = 0;
  std::mt19937 draw(3);
  Fixture fixture;
  for (int round = 0; round < 16; ++round) {
    UploadSession session = session_for(fixture.signer);
    session.media_id = 1 + static_cast<MediaId>(draw() % 1'000'000);
    session.size_bytes = 1 + draw() % 500'000'000;
    session.media_type = round % 2 == 0 ? "image/jpeg" : "video/webm";
    const std::string url = fixture.signer.upload_url(kBase, session);
    auto good = request_of(url, kBase);
    REQUIRE(fixture.signer.check_upload(good, session) == Check::good);
    std::shuffle(good.query.begin(), good.query.end(), draw);
    REQUIRE(fixture.signer.check_upload(good, session) == Check::good);
    bool accepted = false;
    for_each_mutation(good, [&](const http::Request& request, const std::string& what) {
      ++mutations;
      const Check check = fixture.signer.check_upload(request, session);
      if (check == Check::good || check == Check::absent) {
        accepted = true;
        FAIL_CHECK("accepted: " << what);
      }
    });
    CHECK_FALSE(accepted);
    // Bound to its token, its media and its session.
    http::Request other_token = good;
    other_token.captures[0].value.back() = other_token.captures[0].value.back() == '0' ? '1' : '0';
    CHECK(fixture.signer.check_upload(other_token, session) == Check::bad);
    UploadSession other_media = session;
    ++other_media.media_id;
    CHECK(fixture.signer.check_upload(good, other_media) == Check::bad);
    CHECK(fixture.signer.check_upload(good, std::nullopt) == Check::bad);
  }
  CHECK(mutations >= 50'000);
}

TEST_CASE("server: no mutation of a signed delivery URL is accepted") {
  std::size_t mutations = 0;
  Fixture fixture;
  const auto expires_at = Timestamp{std::chrono::seconds{kNow + 60}};
  const std::vector<std::vector<QueryParameter>> lists = {
      {}, {{"format", "avif"}, {"v", std::string(64, 'a')}}, {{"w", "321"}, {"h", "200"}, {"fit", "cover"}, {"q", "60"}}};
  for (const std::string path : {"/media/7/download", "/media/7/renditions/thumb", "/media/7/image"}) {
    for (const auto& parameters : lists) {
      const auto good = request_of(fixture.signer.delivery_url(kBase, path, parameters, expires_at), kBase);
      REQUIRE(fixture.signer.check_delivery(good, path) == Check::good);
      http::Request reversed = good;
      std::reverse(reversed.query.begin(), reversed.query.end());
      REQUIRE(fixture.signer.check_delivery(reversed, path) == Check::good);
      CHECK(fixture.signer.check_delivery(good, "/media/8/download") == Check::bad);
      CHECK(fixture.signer.check_delivery(good, path + "/") == Check::bad);
      for_each_mutation(good, [&](const http::Request& request, const std::string& what) {
        ++mutations;
        const Check check = fixture.signer.check_delivery(request, path);
        // Without any signature it is an unsigned request, which is judged by who is calling.
        const bool unsigned_request = request.query_count("signature") == 0;
        if (check == Check::good || (check == Check::absent && !unsigned_request)) FAIL_CHECK("accepted: " << what);
      });
    }
  }
  CHECK(mutations >= 50'000);
}

TEST_CASE("server: signed URLs end at their second, and not before") {
  Fixture fixture;
  const auto session = session_for(fixture.signer);
  const auto upload = request_of(fixture.signer.upload_url(kBase, session), kBase);
  const auto delivery =
      request_of(fixture.signer.delivery_url(kBase, "/media/7/download", {}, Timestamp{std::chrono::seconds{kNow + 900}}), kBase);
  const auto both = [&](std::int64_t milliseconds) {
    fixture.clock.milliseconds = milliseconds;
    const Check check = fixture.signer.check_upload(upload, session);
    CHECK(fixture.signer.check_delivery(delivery, "/media/7/download") == check);
    return check;
  };
  CHECK(both((kNow + 900) * 1000 - 1) == Check::good);
  CHECK(both((kNow + 900) * 1000) == Check::bad);
  CHECK(both((kNow + 900) * 1000 + 1) == Check::bad);
  CHECK(both(0) == Check::good);
}

TEST_CASE("server: keys rotate without breaking the URLs that are out") {
  Fixture before({kOldSecret});
  Fixture during({kSecret, kOldSecret});
  Fixture after({kSecret});
  const auto session = session_for(before.signer);
  const auto upload = request_of(before.signer.upload_url(kBase, session), kBase);
  CHECK(during.signer.check_upload(upload, session) == Check::good);
  CHECK(after.signer.check_upload(upload, session) == Check::bad);
  // The same promise asked for again answers the same URL, by the key that its token names.
  CHECK(during.signer.upload_url(kBase, session) == before.signer.upload_url(kBase, session));
  CHECK(during.signer.token_prefix() == after.signer.token_prefix());
  const auto expires_at = Timestamp{std::chrono::seconds{kNow + 60}};
  const auto delivery = request_of(before.signer.delivery_url(kBase, "/media/7/download", {}, expires_at), kBase);
  CHECK(during.signer.check_delivery(delivery, "/media/7/download") == Check::good);
  CHECK(after.signer.check_delivery(delivery, "/media/7/download") == Check::bad);
  // A signature for one purpose is none for the other.
  const auto keys = SigningKeys::open({kOldSecret}).value();
  http::Request crossed = delivery;
  const std::string path = "/media/7/download";
  const std::string expires(*crossed.query_value("expires"));
  const std::vector<std::string_view> fields = {"GET", path, "expires", expires, "key", keys.key_id()};
  const auto sign_for = [&](std::string_view purpose) {
    for (auto& parameter : crossed.query) {
      if (parameter.name == "signature") parameter.value = keys.sign(purpose, fields);
    }
    return before.signer.check_delivery(crossed, path);
  };
  CHECK(sign_for("libmedia delivery 1") == Check::good);
  CHECK(sign_for("libmedia upload 1") == Check::bad);
}

TEST_CASE("server: an expiry that is handed out stays the same for an hour and never comes too soon") {
  Fixture fixture;
  const auto least = std::chrono::hours(1);
  std::size_t changes = 0;
  Timestamp last{};
  for (int minute = 0; minute < 180; ++minute) {
    fixture.clock.milliseconds = (kNow + 60 * minute) * 1000;
    const auto expiry = fixture.signer.rounded_expiry(least);
    CHECK(expiry - fixture.clock.now() >= least);
    CHECK(expiry - fixture.clock.now() < least + std::chrono::hours(1));
    changes += expiry != last;
    last = expiry;
  }
  CHECK(changes <= 4);
}
