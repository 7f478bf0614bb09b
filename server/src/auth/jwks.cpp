#include "auth/jwks.hpp"

#include <algorithm>
#include <fstream>

#include "auth/strict_json.hpp"
#include "base64.hpp"

namespace media::server {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxKeys = 64;

std::string text_of(const Json& key, const char* name) {
  const auto found = key.find(name);
  return found == key.end() || !found->is_string() ? std::string() : found->get<std::string>();
}

std::string octets_of(const Json& key, const char* name) { return base64url_decode(text_of(key, name)).value_or(std::string()); }

bool is_for_signatures(const Json& key, std::string_view algorithm) {
  if (key.contains("use") && key.at("use") != "sig") return false;
  if (key.contains("alg") && key.at("alg") != algorithm) return false;
  const auto operations = key.find("key_ops");
  return operations == key.end() ||
         (operations->is_array() && std::find(operations->begin(), operations->end(), "verify") != operations->end());
}

std::optional<PublicKey> read_key(const Json& key) {
  const std::string type = text_of(key, "kty");
  if (type == "RSA" && is_for_signatures(key, "RS256")) {
    if (auto made = PublicKey::rsa(octets_of(key, "n"), octets_of(key, "e"))) return std::move(made).value();
  }
  if (type == "EC" && text_of(key, "crv") == "P-256" && is_for_signatures(key, "ES256")) {
    if (auto made = PublicKey::p256(octets_of(key, "x"), octets_of(key, "y"))) return std::move(made).value();
  }
  return std::nullopt;
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view json) {
  if (json.size() > kMaxBytes) return Error{Errc::invalid_argument, "JWK set: longer than 256 KiB"};
  const auto document = parse_strict_object(json);
  const auto keys = document ? document->find("keys") : Json::const_iterator();
  if (!document || keys == document->end() || !keys->is_array() || keys->size() > kMaxKeys) {
    return Error{Errc::invalid_argument, "JWK set: an object with at most 64 keys is wanted"};
  }
  KeySet set;
  for (const Json& one : *keys) {
    if (!one.is_object() || (one.contains("kid") && !one.at("kid").is_string())) continue;
    if (auto key = read_key(one)) set.keys_.push_back({text_of(one, "kid"), std::move(*key)});
  }
  if (set.keys_.empty()) return Error{Errc::not_found, "JWK set: none of its keys verifies RS256 or ES256"};
  return set;
}

std::vector<const PublicKey*> KeySet::find(const std::optional<std::string>& id, Algorithm algorithm) const {
  std::vector<const PublicKey*> found;
  for (const Named& named : keys_) {
    const bool fits = !id || named.id.empty() || named.id == *id;
    if (fits && named.key.algorithm() == algorithm) found.push_back(&named.key);
  }
  return found;
}

/// One question under way. Counts as failed until it is known not to be.
struct KeyRing::Asking {
  explicit Asking(KeyRing& ring) : of(ring) {
    of.asking_ = true;
    of.failed_ = true;
  }
  ~Asking() {
    of.asking_ = false;
    of.answered_.notify_all();
  }
  Asking(const Asking&) = delete;
  Asking& operator=(const Asking&) = delete;

  KeyRing& of;
};

/// Without the mutex for its lifetime.
struct KeyRing::Unlocked {
  explicit Unlocked(Lock& held) : lock(held) { lock.unlock(); }
  ~Unlocked() { lock.lock(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

  Lock& lock;
};

Result<void> KeyRing::ask(Lock& lock) {
  asked_at_ = options_.now();
  const std::string before = text_;
  // Whatever happens, an end of memory included, those who wait are told.
  const Asking asking(*this);
  Answer answer;
  {
    const Unlocked unlocked(lock);
    MEDIA_TRY_ASSIGN(answer, fetch_new(before));
  }
  if (answer.set) {
    set_ = std::move(answer.set);
    text_ = std::move(answer.text);
  }
  failed_ = false;
  return {};
}

Result<KeyRing::Answer> KeyRing::fetch_new(const std::string& before) const {
  Answer answer;
  MEDIA_TRY_ASSIGN(answer.text, fetch_());
  if (answer.text == before) return answer;
  MEDIA_TRY_ASSIGN(auto parsed, KeySet::parse(answer.text));
  answer.set = std::make_shared<const KeySet>(std::move(parsed));
  return answer;
}

Result<void> KeyRing::refresh() {
  Lock lock(mutex_);
  return ask(lock);
}

Result<std::shared_ptr<const KeySet>> KeyRing::current() {
  Lock lock(mutex_);
  const bool old = !asked_at_ || options_.now() - *asked_at_ >= (failed_ ? options_.least_pause : options_.refresh);
  // Whoever finds the set old asks; the others go on with what there is.
  if (old && !asking_) static_cast<void>(ask(lock));
  if (!set_) return Error{Errc::unavailable, "keys of the issuer: none could be had yet"};
  return set_;
}

Result<std::shared_ptr<const KeySet>> KeyRing::newer_than(const std::shared_ptr<const KeySet>& seen) {
  Lock lock(mutex_);
  if (asking_) {
    if (waiting_ >= options_.most_waiting) return Error{Errc::unavailable, "keys of the issuer: being fetched"};
    ++waiting_;
    answered_.wait(lock, [this] { return !asking_; });
    --waiting_;
  } else if (set_ == seen && may_ask()) {
    static_cast<void>(ask(lock));
  }
  if (set_ != seen) return set_;
  if (failed_) return Error{Errc::unavailable, "keys of the issuer: cannot be had at present"};
  return std::shared_ptr<const KeySet>();
}

Result<std::string> read_key_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(KeySet::kMaxBytes + 1, '\0');
  if (!file || !file.read(text.data(), static_cast<std::streamsize>(text.size())).eof()) {
    return Error{Errc::io, "JWK set: the file cannot be read, or is longer than 256 KiB"};
  }
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace media::server
