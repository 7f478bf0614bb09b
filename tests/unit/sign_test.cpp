#include <array>
#include <set>

#include "catch.hpp"
#include "media/sign.hpp"

using namespace media;

namespace {

const std::string kFirst(40, 'a');
const std::string kSecond = "0123456789abcdef0123456789abcdef";

SigningKeys keys(std::vector<std::string> secrets) { return SigningKeys::open(std::move(secrets)).value(); }

}  // namespace

TEST_CASE("sign: what was signed verifies, and nothing else does") {
  const auto signer = keys({kFirst});
  const std::array<std::string_view, 3> fields = {"token", "42", "image/jpeg"};
  const std::string signature = signer.sign("upload", fields);
  CHECK(signature.size() == 64);
  CHECK(signer.verify(signer.key_id(), "upload", fields, signature));
  CHECK_FALSE(signer.verify(signer.key_id(), "delivery", fields, signature));
  CHECK_FALSE(signer.verify("", "upload", fields, signature));
  CHECK_FALSE(signer.verify("0000000000", "upload", fields, signature));
  CHECK_FALSE(signer.verify(signer.key_id(), "upload", fields, ""));
  CHECK_FALSE(signer.verify(signer.key_id(), "upload", fields, signature.substr(1)));
  CHECK_FALSE(signer.verify(signer.key_id(), "upload", fields, signature + "0"));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] = changed[i] == '0' ? '1' : '0';
    CHECK_FALSE(signer.verify(signer.key_id(), "upload", fields, changed));
  }
}

TEST_CASE("sign: where one field ends and the next begins is part of what is signed") {
  const auto signer = keys({kFirst});
  const std::vector<std::vector<std::string_view>> lists = {{"ab", "c"}, {"a", "bc"},     {"abc"},         {"abc", ""},
                                                            {"", "abc"}, {"ab", "c", ""}, {"a", "b", "c"}, {"c", "ab"}};
  std::set<std::string> signatures;
  for (const auto& fields : lists) signatures.insert(signer.sign("p", fields));
  CHECK(signatures.size() == lists.size());
  // Nor can a purpose run into the first field.
  const std::array<std::string_view, 1> rest = {"x"};
  CHECK(signer.sign("pa", rest) != signer.sign("p", std::array<std::string_view, 1>{"ax"}));
}

TEST_CASE("sign: a new key signs, the old one still verifies, and a key that was taken away does not") {
  const auto before = keys({kFirst});
  const auto after = keys({kSecond, kFirst});
  const auto later = keys({kSecond});
  const std::array<std::string_view, 1> fields = {"x"};
  const std::string old_signature = before.sign("p", fields);
  CHECK(after.key_id() != before.key_id());
  CHECK(after.verify(before.key_id(), "p", fields, old_signature));
  CHECK_FALSE(after.verify(after.key_id(), "p", fields, old_signature));
  CHECK(after.sign_as(before.key_id(), "p", fields) == old_signature);
  CHECK(after.sign("p", fields) == later.sign("p", fields));
  CHECK_FALSE(later.verify(before.key_id(), "p", fields, old_signature));
}

TEST_CASE("sign: a signature is the HMAC-SHA-256 that others compute too") {
  const auto signer = keys({std::string(131, '\xaa')});
  // Python: hmac.new(b"\xaa" * 131, len8(b"p") + b"p" + len8(b"x") + b"x", "sha256").hexdigest(), len8 of 8 bytes, big-endian.
  CHECK(signer.sign("p", std::array<std::string_view, 1>{"x"}) == "6cb511dff0937f3ff8c4bdafc10af16105a8bf74ac324bdd86254f5cdff8259f");
}

TEST_CASE("sign: secrets that are missing, short or there twice are refused") {
  CHECK(SigningKeys::open({}).error().code == Errc::invalid_argument);
  CHECK(SigningKeys::open({std::string(31, 'x')}).error().code == Errc::invalid_argument);
  CHECK(SigningKeys::open({kFirst, kFirst}).error().code == Errc::invalid_argument);
  CHECK(SigningKeys::open({std::string(5000, 'x')}).error().code == Errc::invalid_argument);
  const auto refused = SigningKeys::open({"short but secret"});
  CHECK(refused.error().message.find("short but") == std::string::npos);
}
