/// Every variable that mediad reads: the one table from which the environment is read, the configuration printed and the documentation
/// made.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config.hpp"

namespace media::server {

inline constexpr std::string_view kS3SecretKey = "MEDIA_SERVICE_STORAGE_S3_SECRET_ACCESS_KEY";
inline constexpr std::string_view kS3SessionToken = "MEDIA_SERVICE_STORAGE_S3_SESSION_TOKEN";
inline constexpr std::string_view kWebhookSecret = "MEDIA_SERVICE_WEBHOOK_SECRET";
inline constexpr std::string_view kPostgresPassword = "POSTGRES_PASSWORD";
inline constexpr std::string_view kEarlierPostgresPassword = "MEDIA_MANAGEMENT_DB_PASSWORD";

/// An http or https URL; empty: none.
bool read_service_url(const std::string& text, std::string& into);

/// One variable: what it is for, how it is read into the config, and how it is written out again. docs/configuration.md is made of these.
struct Setting {
  std::string_view name;
  std::string_view about;
  std::string_view accepts;
  bool (*read)(Config&, const std::string&);
  std::string (*write)(const Config&);
  std::string_view usual = {};  ///< The default in words, where it depends on more than the mode.
};

/// A variable whose value is never shown; `<name>_FILE` names a file with it instead.
struct Secret {
  std::string_view name;
  std::string_view about;
  std::string_view accepts;
  bool (*is_set)(const Config&);
  std::string_view usual = "none";
};

/// In the order in which they are shown. RUN_MODE is none of them: the others' defaults depend on it.
const std::vector<Setting>& settings();
const std::vector<Secret>& secrets();

// What they are put together of, one function a file.
const std::vector<Setting>& server_settings();
const std::vector<Setting>& postgres_settings();
const std::vector<Setting>& trace_settings();
const std::vector<Setting>& gate_settings();

}  // namespace media::server
