#include <charconv>
#include <memory>
#include <optional>
#include <vector>

#include "command.hpp"
#include "content_operand.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct AddOptions {
  std::string content;
  std::string hash;
  std::optional<media::MediaId> like;
  unsigned distance = media::BanRequest{}.max_distance;
  std::string reason;
  bool put_away = false;
};

std::optional<media::PerceptualHash> parse_hash(const std::string& text) {
  media::PerceptualHash hash;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hash.bits, 16);
  if (text.size() != 16 || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return hash;
}

Json ban_object(const media::Ban& ban) {
  return Json{{"id", ban.id},
              {"digest", ban.digest ? Json(ban.digest->to_hex()) : Json()},
              {"perceptual_hash", ban.perceptual_hash ? Json(media::to_string(*ban.perceptual_hash)) : Json()},
              {"distance", ban.perceptual_hash ? Json(ban.max_distance) : Json()},
              {"reason", ban.reason.empty() ? Json() : Json(printable(ban.reason))},
              {"created_at", media::to_rfc3339(ban.created_at)}};
}

std::string line_for(const media::Ban& ban) {
  std::string line = std::to_string(ban.id) + "  " + media::to_rfc3339(ban.created_at) + "  ";
  line += ban.digest ? ban.digest->to_hex() : media::to_string(*ban.perceptual_hash) + " within " + std::to_string(ban.max_distance);
  if (!ban.reason.empty()) line += "  " + printable(ban.reason);
  return line;
}

Exit add(Console& console, const Globals& globals, const AddOptions& options) {
  if ((options.content.empty() ? 0 : 1) + (options.hash.empty() ? 0 : 1) + (options.like ? 1 : 0) != 1) {
    return console.fail({media::Errc::invalid_argument, "ban add: either --content, --hash or --like is wanted"});
  }
  media::BanRequest request;
  request.max_distance = options.distance;
  request.reason = options.reason;
  request.put_away = options.put_away;
  request.like_media = options.like;
  if (!options.hash.empty()) {
    request.perceptual_hash = parse_hash(options.hash);
    if (!request.perceptual_hash) return console.fail({media::Errc::invalid_argument, "--hash: 16 hexadecimal digits are wanted"});
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  if (!options.content.empty()) {
    const auto digest = digest_of_operand(**library, options.content);
    if (!digest) return console.fail(digest.error());
    request.digest = *digest;
  }
  const auto report = (*library)->gate().add_ban(request);
  if (!report) return console.fail(report.error());
  console.record(ban_object(report->ban));
  console.text("banned " + line_for(report->ban));
  for (const media::Media& media : report->stored) {
    console.record(Json{{"media", media.id},
                        {"owner", media.owner},
                        {"digest", media.digest ? Json(media.digest->to_hex()) : Json()},
                        {"status", report->put_away ? "put_away" : "stored"}});
    console.text((report->put_away ? "put away media " : "in the store: media ") + std::to_string(media.id) + " of " +
                 printable(media.owner));
  }
  if (!report->stored.empty() && !report->put_away) {
    console.note("what is in the store already stays as it is; `mediactl quarantine put` or --put-away keeps it back");
  }
  console.summary(Json{{"added", 1}, {"stored", report->stored.size()}, {"put_away", report->put_away}}, {});
  return Exit::ok;
}

Exit list(Console& console, const Globals& globals) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  const auto bans = (*library)->gate().list_bans();
  if (!bans) return console.fail(bans.error());
  for (const media::Ban& ban : *bans) {
    console.record(ban_object(ban));
    console.text(line_for(ban));
  }
  console.summary(Json{{"count", bans->size()}}, {});
  return Exit::ok;
}

Exit remove(Console& console, const Globals& globals, const std::vector<std::int64_t>& ids) {
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  std::uint64_t removed = 0;
  std::uint64_t failed = 0;
  for (const std::int64_t id : ids) {
    const auto done = (*library)->gate().remove_ban(id);
    if (!done) return console.fail(done.error());
    ++(*done ? removed : failed);
    console.record(Json{{"id", id}, {"status", *done ? "removed" : "not_found"}});
    if (*done) {
      console.text("removed " + std::to_string(id));
    } else {
      console.complain("there is no ban " + std::to_string(id));
    }
  }
  console.summary(Json{{"removed", removed}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_ban(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("ban", "Keep contents out: by their bytes, or pictures by how they look");
  command->require_subcommand(1);

  CLI::App* adding = add_action(*command, "add", "Ban a content, and tell which media have it already");
  auto options = std::make_shared<AddOptions>();
  adding->add_option("--content", options->content, "These bytes: a SHA-256, or a media that has them")->type_name("DIGEST|ID");
  adding->add_option("--hash", options->hash, "Pictures near this perceptual hash")->type_name("HEX");
  adding->add_option("--like", options->like, "Pictures that look like this media")->type_name("ID");
  adding
      ->add_option("--distance", options->distance,
                   "Bits of a perceptual hash that may differ (default 6; copies made smaller or compressed again are within 10, of which "
                   "others are hit, too)")
      ->check(CLI::Range(0U, media::kMaxSimilarDistance))
      ->type_name("N");
  adding->add_option("--reason", options->reason, "Why; for people");
  adding->add_flag("--put-away", options->put_away, "Keep back what is in the store already");
  adding->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return add(console, globals, *options); };
  });

  CLI::App* listing = add_action(*command, "list", "List the bans, the oldest first");
  listing->callback([&invocation] { invocation.run = list; });

  CLI::App* removing = add_action(*command, "remove", "Lift bans; what they put into quarantine stays there");
  auto ids = std::make_shared<std::vector<std::int64_t>>();
  removing->add_option("ID", *ids, "The bans")->required();
  removing->callback(
      [&invocation, ids] { invocation.run = [ids](Console& console, const Globals& globals) { return remove(console, globals, *ids); }; });
}

}  // namespace mediactl
