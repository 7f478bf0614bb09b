#include <memory>
#include <optional>

#include "command.hpp"
#include "gate_flags.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct ShowOptions {
  std::string owner;
  GateFlags flags;
};

struct SetOptions {
  std::string owner;
  std::optional<std::uint64_t> max_bytes;
  std::optional<std::uint64_t> max_media;
};

constexpr std::uint64_t kMost = std::uint64_t{1} << 53U;

Json number_or_null(const std::optional<std::uint64_t>& number) { return number ? Json(*number) : Json(); }

Json quota_object(const std::string& owner, const media::QuotaState& state) {
  return Json{{"owner", owner},
              {"own", state.is_own},
              {"max_bytes", number_or_null(state.quota.max_bytes)},
              {"max_media", number_or_null(state.quota.max_media)},
              {"bytes", state.usage.size_bytes},
              {"media", state.usage.media}};
}

std::string line_for(const std::string& owner, const media::QuotaState& state) {
  const auto of = [](std::uint64_t used, const std::optional<std::uint64_t>& limit, std::string_view unit) {
    return std::to_string(used) + (limit ? " of " + std::to_string(*limit) : std::string()) + " " + std::string(unit) +
           (limit ? "" : " (no limit)");
  };
  return printable(owner) + "  " + of(state.usage.size_bytes, state.quota.max_bytes, "bytes") + "  " +
         of(state.usage.media, state.quota.max_media, "media") + (state.is_own ? "" : "  by default");
}

Exit show(Console& console, const Globals& globals, const ShowOptions& options) {
  OpenStore how;
  if (auto applied = apply(options.flags, how); !applied) return console.fail(applied.error());
  auto library = open_store(globals, how);
  if (!library) return console.fail(library.error());
  media::Gate& gate = (*library)->gate();
  std::vector<std::string> owners;
  if (!options.owner.empty()) {
    owners.push_back(options.owner);
  } else {
    const auto quotas = gate.list_quotas();
    if (!quotas) return console.fail(quotas.error());
    for (const media::OwnerQuota& each : *quotas) owners.push_back(each.owner);
  }
  for (const std::string& owner : owners) {
    const auto state = gate.quota(owner);
    if (!state) return console.fail(state.error());
    console.record(quota_object(owner, *state));
    console.text(line_for(owner, *state));
  }
  console.summary(Json{{"count", owners.size()}}, {});
  return Exit::ok;
}

Exit set(Console& console, const Globals& globals, const SetOptions& options) {
  if (!options.max_bytes && !options.max_media) {
    return console.fail({media::Errc::invalid_argument, "quota set: --bytes, --media or both are wanted"});
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  media::Gate& gate = (*library)->gate();
  if (auto done = gate.set_quota(options.owner, {options.max_bytes, options.max_media}); !done) return console.fail(done.error());
  const auto state = gate.quota(options.owner);
  if (!state) return console.fail(state.error());
  console.record(quota_object(options.owner, *state));
  console.text(line_for(options.owner, *state));
  console.summary(Json{{"set", 1}}, {});
  return Exit::ok;
}

Exit clear(Console& console, const Globals& globals, const std::string& owner) {
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  const auto cleared = (*library)->gate().clear_quota(owner);
  if (!cleared) return console.fail(cleared.error());
  console.record(Json{{"owner", owner}, {"status", *cleared ? "cleared" : "not_found"}});
  if (*cleared) {
    console.text("cleared the quota of " + printable(owner));
  } else {
    console.complain("'" + printable(owner) + "' has no quota of its own");
  }
  console.summary(Json{{"cleared", *cleared ? 1 : 0}}, {});
  return *cleared ? Exit::ok : Exit::findings;
}

}  // namespace

void add_quota(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("quota", "Show and set how much an owner may have");
  command->require_subcommand(1);

  CLI::App* showing = add_action(*command, "show", "One owner's quota and what is used of it, or those of all who have one of their own");
  auto wanted = std::make_shared<ShowOptions>();
  showing->add_option("OWNER", wanted->owner, "Whose");
  add_quota_options(*showing, wanted->flags);
  showing->callback([&invocation, wanted] {
    invocation.run = [wanted](Console& console, const Globals& globals) { return show(console, globals, *wanted); };
  });

  CLI::App* setting = add_action(*command, "set", "Give an owner a quota of its own; what is there beyond it stays");
  auto options = std::make_shared<SetOptions>();
  setting->add_option("OWNER", options->owner, "Whose")->required();
  setting->add_option("--bytes", options->max_bytes, "So many bytes (left out: no limit)")
      ->check(CLI::Range(std::uint64_t{0}, kMost))
      ->type_name("N");
  setting->add_option("--media", options->max_media, "So many media (left out: no limit)")
      ->check(CLI::Range(std::uint64_t{0}, kMost))
      ->type_name("N");
  setting->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return set(console, globals, *options); };
  });

  CLI::App* clearing = add_action(*command, "clear", "Take an owner's own quota away: the default counts again");
  auto owner = std::make_shared<std::string>();
  clearing->add_option("OWNER", *owner, "Whose")->required();
  clearing->callback([&invocation, owner] {
    invocation.run = [owner](Console& console, const Globals& globals) { return clear(console, globals, *owner); };
  });
}

}  // namespace mediactl
