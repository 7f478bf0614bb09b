#include <cstdio>
#include <media/library.hpp>

int main(int, char** arguments) {
  media::LibraryOptions options;
  options.store = media::make_memory_store();
  options.repository = media::make_memory_repository();
  options.processor = media::make_in_process_processor();
  const auto library = media::Library::open(std::move(options));
  const auto kept = library ? (*library)->ingest_file(arguments[1]) : media::Result<media::IngestOutcome>(library.error());
  if (!kept) return std::puts(kept.error().message.c_str()), 1;
  const auto picture = (*library)->derive(kept->media.id, {.width = 320, .format = media::Format::webp});
  if (!picture) return std::puts(picture.error().message.c_str()), 1;
  std::printf("%s %ux%u\n", kept->digest.to_hex().c_str(), picture->rendition.width, picture->rendition.height);
}
