#include <memory>
#include <vector>

#include "command.hpp"
#include "content_operand.hpp"
#include "gate_flags.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct PutOptions {
  std::string content;
  std::string reason = "banned";
  std::string detail;
};

struct ReleaseOptions {
  std::vector<std::string> contents;
  bool unscanned = false;
  bool force = false;
  std::string note;
  GateFlags flags;
};

media::Result<Json> media_list(media::Gate& gate, const media::Digest& digest, std::string& text) {
  MEDIA_TRY_ASSIGN(const auto all, gate.media_of(digest));
  Json list = Json::array();
  for (const media::Media& media : all) {
    list.push_back(Json{{"id", media.id}, {"owner", media.owner}});
    text += (text.empty() ? "media " : ", ") + std::to_string(media.id) + " of " + printable(media.owner);
  }
  return list;
}

Exit list(Console& console, const Globals& globals, const media::QuarantineFilter& filter) {
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  media::Gate& gate = (*library)->gate();
  const auto entries = gate.list_quarantine(filter);
  if (!entries) return console.fail(entries.error());
  for (const media::Quarantined& entry : *entries) {
    std::string whose;
    const auto media = media_list(gate, entry.digest, whose);
    if (!media) return console.fail(media.error());
    console.record(Json{{"digest", entry.digest.to_hex()},
                        {"reason", std::string(media::to_string(entry.reason))},
                        {"detail", entry.detail.empty() ? Json() : Json(printable(entry.detail))},
                        {"since", media::to_rfc3339(entry.since)},
                        {"released_at", entry.released_at ? Json(media::to_rfc3339(*entry.released_at)) : Json()},
                        {"released_by", entry.released_by.empty() ? Json() : Json(printable(entry.released_by))},
                        {"forced", entry.forced},
                        {"media", *media}});
    std::string line = entry.digest.to_hex() + "  " + std::string(media::to_string(entry.reason)) + "  " + media::to_rfc3339(entry.since);
    if (!entry.detail.empty()) line += "  " + printable(entry.detail);
    if (entry.released_at) {
      line += "  released " + media::to_rfc3339(*entry.released_at) + (entry.forced ? " (forced)" : "");
      if (!entry.released_by.empty()) line += " " + printable(entry.released_by);
    }
    console.text(line + (whose.empty() ? "" : "  " + whose));
  }
  console.summary(Json{{"count", entries->size()}}, {});
  return Exit::ok;
}

Exit put(Console& console, const Globals& globals, const PutOptions& options) {
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  const auto digest = digest_of_operand(**library, options.content);
  if (!digest) return console.fail(digest.error());
  const auto reason = options.reason == "infected"   ? media::Hold::infected
                      : options.reason == "polyglot" ? media::Hold::polyglot
                                                     : media::Hold::banned;
  if (auto done = (*library)->gate().put_away(*digest, reason, options.detail); !done) return console.fail(done.error());
  console.record(Json{{"digest", digest->to_hex()}, {"status", "put_away"}});
  console.text("put away " + digest->to_hex());
  console.summary(Json{{"put_away", 1}}, {});
  return Exit::ok;
}

/// Does it to each and tells of each; what is one operand's own fault does not end the rest.
template <class Work>
Exit for_each_content(Console& console, media::Library& library, const std::vector<std::string>& contents, const char* done_word,
                      const Work& work) {
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  for (const std::string& operand : contents) {
    auto digest = digest_of_operand(library, operand);
    if (!digest && digest.error().code == media::Errc::invalid_argument) return console.fail(digest.error());
    auto worked = digest ? work(*digest) : media::Result<Json>(digest.error());
    Json object{{"digest", digest ? Json(digest->to_hex()) : Json()}, {"status", worked ? done_word : "failed"}};
    object["reason"] = worked ? Json() : Json(printable(worked.error().message));
    if (worked) object.update(*worked);
    console.record(object);
    ++(worked ? done : failed);
    if (worked) {
      console.text(std::string(done_word) + " " + digest->to_hex());
    } else {
      console.complain(printable(worked.error().message));
    }
  }
  console.summary(Json{{done_word, done}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

Exit release(Console& console, const Globals& globals, const ReleaseOptions& options) {
  if (options.contents.empty() != options.unscanned) {
    return console.fail({media::Errc::invalid_argument, "quarantine release: either contents are wanted, or --unscanned"});
  }
  OpenStore how{.access = Access::write};
  if (auto applied = apply(options.flags, how); !applied) return console.fail(applied.error());
  auto library = open_store(globals, how);
  if (!library) return console.fail(library.error());
  media::Gate& gate = (*library)->gate();
  std::vector<std::string> contents = options.contents;
  if (options.unscanned) {
    const auto entries = gate.list_quarantine({.released = false, .limit = SIZE_MAX});
    if (!entries) return console.fail(entries.error());
    for (const media::Quarantined& entry : *entries) {
      if (entry.reason == media::Hold::unscanned) contents.push_back(entry.digest.to_hex());
    }
  }
  return for_each_content(console, **library, contents, "released", [&](const media::Digest& digest) -> media::Result<Json> {
    MEDIA_TRY(gate.release({digest, options.note, options.force}));
    return Json::object();
  });
}

Exit purge(Console& console, const Globals& globals, const std::vector<std::string>& contents) {
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  return for_each_content(console, **library, contents, "purged", [&](const media::Digest& digest) -> media::Result<Json> {
    MEDIA_TRY_ASSIGN(const auto report, (*library)->gate().purge(digest));
    return Json{{"media", report.media}, {"freed_bytes", report.freed_bytes}};
  });
}

}  // namespace

void add_quarantine(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("quarantine", "What is kept back from everybody: list it, add to it, release or purge it");
  command->require_subcommand(1);

  CLI::App* listing = add_action(*command, "ls", "What is kept back, why, since when, and whose media it is");
  auto filter = std::make_shared<media::QuarantineFilter>();
  listing->add_flag("--released", filter->released, "What was released, by whom and when, instead");
  listing->add_option("--limit", filter->limit, "The first so many (default 1000)")->check(CLI::Range(1, 1'000'000))->type_name("N");
  listing->callback([&invocation, filter] {
    invocation.run = [filter](Console& console, const Globals& globals) { return list(console, globals, *filter); };
  });

  CLI::App* putting = add_action(*command, "put", "Keep a content back from everybody");
  auto wanted = std::make_shared<PutOptions>();
  putting->add_option("CONTENT", wanted->content, "Its SHA-256, or a media that has it")->required();
  putting->add_option("--reason", wanted->reason, "banned (default), infected or polyglot")
      ->check(CLI::IsMember({"banned", "infected", "polyglot"}));
  putting->add_option("--detail", wanted->detail, "Why; for people");
  putting->callback([&invocation, wanted] {
    invocation.run = [wanted](Console& console, const Globals& globals) { return put(console, globals, *wanted); };
  });

  CLI::App* releasing = add_action(*command, "release", "Let contents go again that pass every check");
  auto options = std::make_shared<ReleaseOptions>();
  releasing->add_option("CONTENT", options->contents, "SHA-256s, or media that have them");
  releasing->add_flag("--unscanned", options->unscanned, "All that wait for the scanner");
  releasing->add_flag("--force", options->force, "Whatever the checks say; not what is damaged or missing");
  releasing->add_option("--note", options->note, "Who, and why: kept with the entry");
  add_check_options(*releasing, options->flags);
  releasing->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return release(console, globals, *options); };
  });

  CLI::App* purging = add_action(*command, "purge", "Remove contents that are kept back, with everybody's media of them, at once");
  auto contents = std::make_shared<std::vector<std::string>>();
  purging->add_option("CONTENT", *contents, "SHA-256s, or media that have them")->required();
  purging->callback([&invocation, contents] {
    invocation.run = [contents](Console& console, const Globals& globals) { return purge(console, globals, *contents); };
  });
}

}  // namespace mediactl
