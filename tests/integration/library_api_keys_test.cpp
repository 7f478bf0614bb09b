// Credentials of programs, from their making to their end.
#include "library_fixture.hpp"

using namespace media;
using namespace std::chrono_literals;

namespace {

ApiKeyRequest request() {
  ApiKeyRequest wanted;
  wanted.owner = "ann";
  wanted.scopes = {"media:write", "media:read"};
  wanted.label = "importer";
  return wanted;
}

}  // namespace

TEST_CASE("library: an API key is opened by its token alone, and the token is kept nowhere") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    auto& library = *fixture.library;
    const auto made = library.create_api_key(request()).value();
    CHECK(made.key.owner == "ann");
    CHECK(made.key.scopes == "media:read media:write");
    CHECK(made.token.size() == 3 + 16 + 1 + 64);
    CHECK(made.token.starts_with("mk_" + made.key.id + "_"));
    CHECK(made.key.secret_digest == Digest::of(std::as_bytes(std::span(made.token).subspan(20))));
    CHECK(library.find_api_key(made.token).value() == made.key);
    CHECK(library.list_api_keys().value() == std::vector<ApiKey>{made.key});
    CHECK(library.create_api_key(request()).value().token != made.token);

    for (std::size_t i = 0; i < made.token.size(); ++i) {
      std::string wrong = made.token;
      wrong[i] = wrong[i] == '0' ? '1' : '0';
      CHECK_FALSE(library.find_api_key(wrong).value().has_value());
    }
    for (const std::string& wrong : {std::string(), std::string("mk_"), made.token + "0", made.token.substr(0, 83), " " + made.token,
                                     "mk_" + made.key.id + "_" + made.key.secret_digest.to_hex()}) {
      CHECK_FALSE(library.find_api_key(wrong).value().has_value());
    }
    if (on_disk) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(fixture.folder.path())) {
        if (entry.is_regular_file()) CHECK(test::read_text(entry.path()).find(made.token.substr(20)) == std::string::npos);
      }
    }
  }
}

TEST_CASE("library: a revoked or expired API key opens nothing") {
  for (const bool on_disk : {true, false}) {
    test::LibraryFixture fixture(on_disk);
    auto& library = *fixture.library;
    const auto revoked = library.create_api_key(request()).value();
    auto wanted = request();
    wanted.lifetime = 1h;
    const auto expiring = library.create_api_key(wanted).value();
    CHECK(library.revoke_api_key(revoked.key.id).value());
    CHECK_FALSE(library.revoke_api_key(revoked.key.id).value());
    CHECK_FALSE(library.revoke_api_key("none").value());
    CHECK_FALSE(library.find_api_key(revoked.token).value().has_value());
    fixture.clock->advance(1h - 1ms);
    CHECK(library.find_api_key(expiring.token).value().has_value());
    fixture.clock->advance(1ms);
    CHECK_FALSE(library.find_api_key(expiring.token).value().has_value());
    CHECK(library.list_api_keys().value().size() == 2);
  }
}

TEST_CASE("library: an API key has an owner and scopes that mean something") {
  test::LibraryFixture fixture(false);
  const auto refused = [&](auto change) {
    auto wanted = request();
    change(wanted);
    const auto made = fixture.library->create_api_key(wanted);
    return !made && made.error().code == Errc::invalid_argument;
  };
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.owner = ""; }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.owner = "a\nb"; }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.owner = std::string(256, 'x'); }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.label = std::string(256, 'x'); }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.scopes.clear(); }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.scopes = {"media:read", "media:everything"}; }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.lifetime = 0s; }));
  CHECK(refused([](ApiKeyRequest& wanted) { wanted.lifetime = std::chrono::seconds::max(); }));
  CHECK(fixture.library->list_api_keys().value().empty());
}
