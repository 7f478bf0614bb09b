# The application: configuration, routes, telemetry, wiring; and mediad, which is little more than its main.
add_library(media_server STATIC
  src/admission.cpp
  src/auth/authenticator.cpp
  src/auth/claims.cpp
  src/auth/introspection.cpp
  src/auth/jwks.cpp
  src/auth/jwt.cpp
  src/auth/public_key.cpp
  src/auth/refusal.cpp
  src/auth/strict_json.cpp
  src/auth/web_client.cpp
  src/base64.cpp
  src/config.cpp
  src/cursor.cpp
  src/errors.cpp
  src/health.cpp
  src/listing.cpp
  src/media_json.cpp
  src/negotiate.cpp
  src/request_json.cpp
  src/routes.cpp
  src/routes/content.cpp
  src/routes/health.cpp
  src/routes/links.cpp
  src/routes/media.cpp
  src/routes/promised_upload.cpp
  src/routes/tus.cpp
  src/routes/upload.cpp
  src/service.cpp
  src/signing_key_file.cpp
  src/telemetry/log.cpp
  src/tus_checksum.cpp
  src/tus_fields.cpp
  src/upload_rules.cpp
  src/url.cpp
  src/url_signer.cpp)
target_link_libraries(media_server
  PUBLIC media_server_http media::media nlohmann_json::nlohmann_json
  PRIVATE media_flags spdlog::spdlog OpenSSL::Crypto CURL::libcurl)

add_executable(mediad src/main.cpp)
target_link_libraries(mediad PRIVATE media_flags media_server)
