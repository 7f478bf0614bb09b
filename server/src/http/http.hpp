/// HTTP for routes: include this one. Everything in it is ours; the library that writes answers is known to engine.cpp alone.
///
/// ```
/// http::Router router;
/// router.add("GET", "/media/{id}/download", [&](http::Request& request) { return http::serve_content(request,
/// find(request.capture("id"))); }); router.add("POST", "/media", upload, {.accepts_body = true}); auto server = http::Server::start({.port
/// = 3000}, std::move(router), {.error = json_error}).value(); server->stop(std::chrono::seconds(10));
/// ```
#pragma once

#include "http/content.hpp"
#include "http/fields.hpp"
#include "http/message.hpp"
#include "http/multipart.hpp"
#include "http/router.hpp"
#include "http/server.hpp"
