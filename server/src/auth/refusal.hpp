/// Answers to those who may not. They say what to bring, never what was wrong with what was brought.
#pragma once

#include "auth/caller.hpp"
#include "http/message.hpp"

namespace media::server {

/// 401: there is no credential. The same for what is not public and for what is not there.
http::Response refuse_anonymous(const http::Request& request);
/// 401: the credential is none, or no longer one.
http::Response refuse_credential(const http::Request& request);
/// 403: known, but not for this.
http::Response refuse_scope(const http::Request& request, Scope needed);
/// 503: whoever would know cannot be asked.
http::Response cannot_authenticate(const http::Request& request);

}  // namespace media::server
