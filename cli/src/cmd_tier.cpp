#include <memory>
#include <optional>
#include <string>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/tiers.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct TierArguments {
  std::string warm_rule;
  std::string cold_rule;
  std::optional<std::uint64_t> budget_bytes;
  bool explain = false;
  bool apply = false;
};

media::Result<std::vector<media::PlacementRule>> rules_for(const std::vector<std::string>& tiers, const TierArguments& arguments) {
  std::vector<media::PlacementRule> rules;
  for (std::size_t i = 1; i < tiers.size(); ++i) {
    const std::string& text = tiers[i] == "warm" ? arguments.warm_rule : arguments.cold_rule;
    if (text.empty()) {
      return media::Error{media::Errc::invalid_argument, "say what belongs into the " + tiers[i] + " tier: --" + tiers[i] +
                                                             "-rule; none: nothing, and what is there is brought back up"};
    }
    MEDIA_TRY_ASSIGN(media::PlacementRule rule, media::PlacementRule::parse(text));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Json move_json(const media::TierMove& move) {
  return Json{{"sha256", move.digest.to_hex()}, {"action", media::to_string(move.kind)},    {"from", move.from},    {"to", move.to},
              {"size_bytes", move.size_bytes},  {"kind", media::to_string(move.blob_kind)}, {"reason", move.reason}};
}

std::string move_line(const media::TierMove& move) {
  return move.digest.to_hex() + "  " + std::string(media::to_string(move.kind)) + "  " + move.from + " -> " + move.to + "  " +
         human_bytes(move.size_bytes) + " " + std::string(media::to_string(move.blob_kind)) + "  " + move.reason;
}

Json summary_json(const media::ArrangeReport& report, const TierArguments& arguments) {
  return Json{{"blobs", report.blobs},       {"demoted", report.demoted},           {"promoted", report.promoted},
              {"trimmed", report.trimmed},   {"copied_bytes", report.copied_bytes}, {"freed_bytes", report.freed_bytes},
              {"left", report.left},         {"left_bytes", report.left_bytes},     {"problems", report.problems},
              {"dry_run", !arguments.apply}, {"complete", report.complete}};
}

std::string summary_text(const media::ArrangeReport& report, const TierArguments& arguments) {
  std::string text = (arguments.apply ? "demoted " : "would demote ") + std::to_string(report.demoted) + ", promote" +
                     (arguments.apply ? "d " : " ") + std::to_string(report.promoted) + " and trim" + (arguments.apply ? "med " : " ") +
                     std::to_string(report.trimmed) + " of " + std::to_string(report.blobs) + " blobs, copying " +
                     human_bytes(report.copied_bytes) + " and freeing " + human_bytes(report.freed_bytes) + " in hotter tiers";
  if (report.left > 0) text += "; " + std::to_string(report.left) + " (" + human_bytes(report.left_bytes) + ") are beyond the budget";
  if (report.problems > 0) text += "; " + std::to_string(report.problems) + " could not be moved and stayed";
  return text;
}

Exit run(Console& console, const Globals& globals, const TierArguments& arguments) {
  const Interrupt interrupt;
  auto library = open_store(globals, {.access = arguments.apply ? Access::write : Access::read});
  if (!library) return console.fail(library.error());
  auto rules = rules_for((*library)->tier_names(), arguments);
  if (!rules) return console.fail(rules.error());
  Progress progress(console, "blobs");
  media::ArrangeOptions options;
  options.rules = std::move(rules).value();
  options.dry_run = !arguments.apply;
  options.budget_bytes = arguments.budget_bytes;
  options.stop = interrupt.token();
  options.on_move = [&](const media::TierMove& move) {
    progress.add(1, move.size_bytes);
    if (!arguments.explain) return;
    console.record(move_json(move));
    console.text(move_line(move));
  };
  options.on_problem = [&](const media::TierMove& move, const media::Error& error) {
    console.problem("cannot move", move.digest.to_hex(), printable(error.message));
    Json record = move_json(move);
    record["problem"] = error.message;
    console.record(record);
  };
  const auto report = (*library)->arrange_tiers(options);
  if (!report) return console.fail(report.error());
  console.summary(summary_json(*report, arguments), summary_text(*report, arguments));
  if (!report->complete) {
    console.complain("stopped by a signal: the same command goes on where it ended");
    return exit_for_signal(interrupt.signal_number());
  }
  return report->problems > 0 ? Exit::findings : Exit::ok;
}

void add_rules(CLI::App& action, TierArguments& arguments) {
  action
      .add_option("--warm-rule", arguments.warm_rule,
                  "What belongs into the warm tier, as \"unread>30d size>=1M; kind=video age>7d\" (environment: MEDIA_WARM_RULE)")
      ->envname("MEDIA_WARM_RULE")
      ->type_name("RULE");
  action.add_option("--cold-rule", arguments.cold_rule, "Likewise of the cold one, which goes first (environment: MEDIA_COLD_RULE)")
      ->envname("MEDIA_COLD_RULE")
      ->type_name("RULE");
  action.add_option("--budget", arguments.budget_bytes, "Copy so many bytes at most; another run goes on")->type_name("BYTES");
}

}  // namespace

void add_tier(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("tier", "Bring blobs to the tiers that they belong to by age, size, kind and use");
  command->require_subcommand(1);
  const auto arguments = std::make_shared<TierArguments>();
  CLI::App* plan = add_action(*command, "plan", "Say what would be moved");
  plan->add_flag("--explain", arguments->explain, "And of each blob why");
  CLI::App* apply = add_action(*command, "apply", "Move it: copied, read back and compared, and only then removed from where it was");
  apply->add_flag("--explain", arguments->explain, "Tell of each blob that was moved");
  for (CLI::App* action : {plan, apply}) {
    add_rules(*action, *arguments);
    action->callback([&invocation, arguments, is_apply = action == apply] {
      arguments->apply = is_apply;
      invocation.run = [arguments](Console& console, const Globals& globals) { return run(console, globals, *arguments); };
    });
  }
}

}  // namespace mediactl
