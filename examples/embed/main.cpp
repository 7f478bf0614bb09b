// Keeps a photo and makes a thumbnail of it: embed STORE PHOTO THUMBNAIL.avif
#include <fstream>
#include <iostream>
#include <iterator>
#include <media/library.hpp>

media::Result<void> keep_and_shrink(const char* folder, const char* photo, const char* thumbnail) {
  media::LibraryOptions options;
  options.base_path = folder;
  MEDIA_TRY_ASSIGN(auto library, media::Library::open(std::move(options)));
  MEDIA_TRY_ASSIGN(auto kept, library->ingest_file(photo));
  if (!kept.verdict.admitted()) return media::Error{media::Errc::unsupported, kept.verdict.message};
  MEDIA_TRY_ASSIGN(auto picture, library->derive(kept.media.id, {.width = 320, .format = media::Format::avif}));
  MEDIA_TRY_ASSIGN(auto bytes, media::read_all(*picture.content, picture.rendition.size_bytes));
  std::ofstream(thumbnail, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  return {};
}

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: embed STORE PHOTO THUMBNAIL.avif\n";
    return 2;
  }
  if (const auto outcome = keep_and_shrink(argv[1], argv[2], argv[3]); !outcome) {
    std::cerr << outcome.error().message << '\n';
    return 1;
  }
}
