#include <memory>
#include <optional>
#include <vector>

#include "command.hpp"
#include "interrupt.hpp"
#include "media_id.hpp"
#include "open_store.hpp"
#include "output_file.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

struct CatOptions {
  media::MediaId id = 0;
  std::string output;
};

/// Streams the content; `write` is where it goes.
media::Result<void> copy(const media::ByteReader& content, const std::stop_token& stop,
                         const std::function<media::Result<void>(std::span<const std::byte>)>& write) {
  std::vector<std::byte> buffer(1U << 20U);
  for (std::uint64_t offset = 0; offset < content.size();) {
    if (stop.stop_requested()) return media::Error{media::Errc::cancelled, "stopped"};
    MEDIA_TRY_ASSIGN(const std::size_t got, content.read_at(offset, buffer));
    if (got == 0) return media::Error{media::Errc::corrupt, "the content ends early"};
    MEDIA_TRY(write(std::span(buffer).first(got)));
    offset += got;
  }
  return {};
}

media::Result<void> copy_to_file(const media::ByteReader& content, const std::stop_token& stop, const std::string& path) {
  MEDIA_TRY_ASSIGN(OutputFile file, OutputFile::open(path));
  MEDIA_TRY(copy(content, stop, [&](std::span<const std::byte> bytes) { return file.write(bytes); }));
  return file.commit();
}

Exit run(Console& console, const Globals& globals, const CatOptions& options) {
  const bool to_stdout = options.output.empty() || options.output == "-";
  if (to_stdout && console.json()) {
    return console.fail({media::Errc::invalid_argument, "cat --json needs -o FILE: standard output cannot hold both content and JSON"});
  }
  const Interrupt interrupt;
  auto library = open_store(globals, {});
  if (!library) return console.fail(library.error());
  auto content = (*library)->read(options.id);
  if (!content && content.error().code == media::Errc::not_found) return console.fail(no_such_media(options.id));
  if (!content) return console.fail(content.error());
  auto copied = to_stdout ? copy(**content, interrupt.token(), [&](std::span<const std::byte> bytes) { return console.content(bytes); })
                          : copy_to_file(**content, interrupt.token(), options.output);
  if (interrupt.signal_number() != 0) return exit_for_signal(interrupt.signal_number());
  if (!copied) return console.fail(copied.error());
  console.summary(Json{{"id", options.id}, {"bytes", (*content)->size()}, {"output", options.output}}, {});
  return Exit::ok;
}

}  // namespace

void add_cat(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("cat", "Write the original of one media, byte for byte");
  auto options = std::make_shared<CatOptions>();
  command->add_option("ID", options->id, "The media")->required()->check(CLI::Range(media::MediaId{1}, media::kMaxMediaId));
  command->add_option("-o,--output", options->output, "Write to this file instead of standard output");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl
