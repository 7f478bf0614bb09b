/// gzip of what compresses: JSON and other text.
#pragma once

#include "http/message.hpp"

namespace media::server {

/// By Accept-Encoding (RFC 9110 section 12.5.3).
bool accepts_gzip(const http::Request& request);

/// Compresses a text of a kilobyte or more where the client takes gzip. The compressed answer has an entity tag of its own, which ends in
/// "-gzip", and every answer that might have been compressed varies by Accept-Encoding.
void compress(const http::Request& request, http::Response& response);

/// Takes "-gzip" off the tags in If-Match and If-None-Match, since handlers know one tag for each thing. True where If-None-Match had
/// such a tag: a 304 is then about the compressed answer (`mark_not_modified`).
bool strip_gzip_tags(http::Request& request);
void mark_not_modified(http::Response& response);

}  // namespace media::server
