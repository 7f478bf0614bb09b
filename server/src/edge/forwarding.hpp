/// Whom a request comes from and how it was addressed, where proxies stand before us.
#pragma once

#include <string>

#include "edge/network.hpp"
#include "http/message.hpp"

namespace media::server {

struct Origin {
  std::string address;  ///< The client's, as far back as those that we trust vouch for it.
  std::string scheme;   ///< "http" or "https".
  std::string host;     ///< With its port; empty where the request names none that could stand in a URL.
};

/// X-Forwarded-For, -Proto and -Host count only where the socket's other end is a trusted proxy; of the addresses the last one that
/// no trusted proxy has, so that what a client writes itself is never believed.
Origin find_origin(const http::Request& request, const std::vector<Network>& trusted);

}  // namespace media::server
