// cpp-httplib, which turns answers into messages. engine.cpp is the one file that includes it.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/message.hpp"
#include "http/output.hpp"

namespace media::http {

/// What the message needs to know beside the answer.
struct Envelope {
  bool head_only = false;  ///< For HEAD: all fields, no body.
  std::string_view request_id;
  std::string_view server_name;
  bool close = false;
  bool http_1_0 = false;
};

/// Runs one exchange at a time through httplib's own request processing, over a stream in memory: it reads a head that
/// was checked before, asks for the answer, and writes it to an Output. It never sees a socket.
///
/// Thread-safety: none; every thread has one of its own, because the exchange that runs is a member.
class Engine {
 public:
  Engine();
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Appends the message to `output` and says how many bytes of it are head; 0 where no message could be made and the connection
  /// must be closed. The fields of `response` are valid (is_valid_field).
  std::size_t compose(const Envelope& envelope, Response response, Output& output);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace media::http
