#include <algorithm>
#include <memory>
#include <sstream>
#include <vector>

#include "command.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct CreateOptions {
  std::string owner;
  std::vector<std::string> scopes;
  std::string label;
  std::string expires;
};

Json scope_list(const media::ApiKey& key) {
  Json scopes = Json::array();
  std::istringstream words(key.scopes);
  for (std::string word; words >> word;) scopes.push_back(word);
  return scopes;
}

std::string_view state_of(const media::ApiKey& key) {
  if (key.revoked_at) return "revoked";
  return key.expires_at && *key.expires_at <= media::SystemClock().now() ? "expired" : "active";
}

Json key_object(const media::ApiKey& key) {
  const auto time = [](const std::optional<media::Timestamp>& when) { return when ? Json(media::to_rfc3339(*when)) : Json(); };
  return Json{{"id", key.id},
              {"owner", key.owner},
              {"scopes", scope_list(key)},
              {"label", key.label},
              {"state", state_of(key)},
              {"created_at", media::to_rfc3339(key.created_at)},
              {"expires_at", time(key.expires_at)},
              {"revoked_at", time(key.revoked_at)}};
}

std::string line_for(const media::ApiKey& key) {
  std::string line = key.id + "  " + std::string(state_of(key)) + (key.revoked_at ? "" : " ") + "  " + media::to_rfc3339(key.created_at) +
                     "  " + (key.expires_at ? media::to_rfc3339(*key.expires_at) : std::string(24, '-')) + "  " + printable(key.owner) +
                     "  " + key.scopes;
  if (!key.label.empty()) line += "  " + printable(key.label);
  return line;
}

Exit create(Console& console, const Globals& globals, const CreateOptions& options) {
  if (console.quiet() && !console.json()) {
    return console.fail({media::Errc::invalid_argument, "--quiet would swallow the token, which is shown only once; add --json"});
  }
  media::ApiKeyRequest request;
  request.owner = options.owner;
  request.scopes = options.scopes.empty() ? std::vector<std::string>{"media:read", "media:write"} : options.scopes;
  request.label = options.label;
  if (!options.expires.empty()) {
    request.lifetime = parse_duration(options.expires);
    if (!request.lifetime) return console.fail({media::Errc::invalid_argument, "--expires: a time such as 24h or 90d is wanted"});
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  const auto made = (*library)->create_api_key(request);
  if (!made) return console.fail(made.error());
  Json object = key_object(made->key);
  object["token"] = made->token;
  console.record(object);
  console.text(made->token);
  console.note("this is the only time that the token is shown; `mediactl apikey revoke " + made->key.id + "` ends it");
  console.summary(Json{{"created", 1}}, {});
  return Exit::ok;
}

Exit list(Console& console, const Globals& globals) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  const auto keys = (*library)->list_api_keys();
  if (!keys) return console.fail(keys.error());
  for (const media::ApiKey& key : *keys) {
    console.record(key_object(key));
    console.text(line_for(key));
  }
  console.summary(Json{{"count", keys->size()}}, {});
  return Exit::ok;
}

Exit revoke(Console& console, const Globals& globals, const std::vector<std::string>& ids) {
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  std::uint64_t revoked = 0;
  std::uint64_t failed = 0;
  for (const std::string& id : ids) {
    const auto done = (*library)->revoke_api_key(id);
    if (!done) return console.fail(done.error());
    ++(*done ? revoked : failed);
    console.record(Json{{"id", id}, {"status", *done ? "revoked" : "not_found"}});
    if (*done) {
      console.text("revoked " + printable(id));
    } else {
      console.complain("there is no API key '" + printable(id) + "' in force");
    }
  }
  console.summary(Json{{"revoked", revoked}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_apikey(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("apikey", "Make, list and revoke credentials for programs that call mediad");
  command->require_subcommand(1);

  CLI::App* making = add_action(*command, "create", "Draw a key and print its token, this once");
  auto options = std::make_shared<CreateOptions>();
  making->add_option("--owner", options->owner, "Whose media the program works with")->required();
  making
      ->add_option("--scope", options->scopes, "media:read, media:write or media:admin; may stand several times (default: read and write)")
      ->check(CLI::IsMember({"media:read", "media:write", "media:admin"}))
      ->take_all();
  making->add_option("--label", options->label, "For people: what it is for");
  making->add_option("--expires", options->expires, "After this time it is void: 24h, 90d (default: when it is revoked)")
      ->type_name("TIME");
  making->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return create(console, globals, *options); };
  });

  CLI::App* listing = add_action(*command, "list", "List the keys, the oldest first, never their secrets");
  listing->callback([&invocation] { invocation.run = list; });

  CLI::App* revoking = add_action(*command, "revoke", "Make keys void, at once");
  auto ids = std::make_shared<std::vector<std::string>>();
  revoking->add_option("ID", *ids, "The keys")->required();
  revoking->callback(
      [&invocation, ids] { invocation.run = [ids](Console& console, const Globals& globals) { return revoke(console, globals, *ids); }; });
}

}  // namespace mediactl
