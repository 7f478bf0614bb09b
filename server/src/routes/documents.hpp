/// The description of this API, embedded when mediad is built.
#pragma once

#include <string_view>

namespace media::server {

/// docs/api/openapi.yaml, byte for byte.
struct ApiDocument {
  std::string_view yaml;
  std::string_view yaml_etag;  ///< With its quotes.
  std::string_view page;       ///< The same to read: HTML that needs nothing else.
  std::string_view page_etag;
  std::string_view page_policy;  ///< Content-Security-Policy: names the page's own style by its hash, and allows nothing else.
};

/// Made by server/pages/embed_api.py.
const ApiDocument& api_document() noexcept;

}  // namespace media::server
