#include "content_operand.hpp"

#include "media_id.hpp"
#include "text.hpp"

namespace mediactl {

media::Result<media::Digest> digest_of_operand(media::Library& library, const std::string& operand) {
  if (auto digest = media::Digest::from_hex(operand)) return digest;
  const auto id = parse_media_id(operand);
  if (!id) {
    return media::Error{media::Errc::invalid_argument,
                        "'" + printable(operand) + "' is neither a digest (64 hexadecimal digits) nor a media id"};
  }
  MEDIA_TRY_ASSIGN(const auto media, library.find(*id));
  if (!media || !media->digest) return no_such_media(*id);
  return *media->digest;
}

}  // namespace mediactl
