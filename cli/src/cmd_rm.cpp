#include <memory>
#include <vector>

#include "command.hpp"
#include "media_id.hpp"
#include "open_store.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

Exit run(Console& console, const Globals& globals, const std::vector<std::string>& operands) {
  std::vector<media::MediaId> ids;
  for (const std::string& operand : operands) {
    const auto id = parse_media_id(operand);
    // Before anything is removed: a mistyped list must not be half done.
    if (!id) return console.fail({media::Errc::invalid_argument, "'" + printable(operand) + "' is no media id (a number from 1)"});
    ids.push_back(*id);
  }
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  std::uint64_t removed = 0;
  std::uint64_t failed = 0;
  for (const media::MediaId id : ids) {
    auto done = (*library)->remove(id);
    if (done && *done) {
      ++removed;
      console.record(Json{{"id", id}, {"status", "removed"}, {"reason", nullptr}});
      console.text("removed " + std::to_string(id));
      continue;
    }
    ++failed;
    const std::string reason = done ? no_such_media(id).message : done.error().message;
    console.complain(done ? reason : "cannot remove media " + std::to_string(id) + ": " + reason);
    console.record(Json{{"id", id}, {"status", done ? "not_found" : "failed"}, {"reason", reason}});
    // The store's fault, not this id's: the next ones would only repeat it.
    if (!done) {
      console.summary(Json{{"removed", removed}, {"failed", failed}, {"error", reason}}, {});
      return exit_for(done.error().code);
    }
  }
  console.summary(Json{{"removed", removed}, {"failed", failed}}, {});
  return failed == 0 ? Exit::ok : Exit::findings;
}

}  // namespace

void add_rm(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("rm", "Remove media from the catalog; gc takes their bytes later");
  auto operands = std::make_shared<std::vector<std::string>>();
  command->add_option("ID", *operands, "The media")->required();
  command->callback([&invocation, operands] {
    invocation.run = [operands](Console& console, const Globals& globals) { return run(console, globals, *operands); };
  });
}

}  // namespace mediactl
