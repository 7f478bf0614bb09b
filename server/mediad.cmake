# The API's description is part of the program: as it is, and as a page.
set(api_description "${PROJECT_SOURCE_DIR}/docs/api/openapi.yaml")
add_custom_command(
  OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/api_document.cpp"
  COMMAND "${MEDIA_YAML_PYTHON}" "${CMAKE_CURRENT_SOURCE_DIR}/pages/embed_api.py" "${api_description}" "${CMAKE_CURRENT_SOURCE_DIR}/pages/api.css"
          "${CMAKE_CURRENT_BINARY_DIR}/api_document.cpp"
  DEPENDS "${api_description}" pages/api.css pages/embed_api.py
  VERBATIM)

# The application: configuration, routes, telemetry, wiring; and mediad, which is little more than its main.
add_library(media_server STATIC
  "${CMAKE_CURRENT_BINARY_DIR}/api_document.cpp"
  src/admission.cpp
  src/auth/authenticator.cpp
  src/auth/claims.cpp
  src/auth/introspection.cpp
  src/auth/jwks.cpp
  src/auth/jwt.cpp
  src/auth/public_key.cpp
  src/auth/refusal.cpp
  src/auth/strict_json.cpp
  src/base64.cpp
  src/config.cpp
  src/config_gate.cpp
  src/config_postgres.cpp
  src/config_settings.cpp
  src/config_trace.cpp
  src/cursor.cpp
  src/edge/compression.cpp
  src/edge/cors.cpp
  src/edge/fields.cpp
  src/edge/forwarding.cpp
  src/edge/network.cpp
  src/edge/rate_limiter.cpp
  src/edge/security_headers.cpp
  src/edge/trace_context.cpp
  src/errors.cpp
  src/health.cpp
  src/healthcheck.cpp
  src/json_writer.cpp
  src/listing.cpp
  src/media_json.cpp
  src/negotiate.cpp
  src/presentation.cpp
  src/request_json.cpp
  src/request_tracing.cpp
  src/routes.cpp
  src/routes/content.cpp
  src/routes/documents.cpp
  src/routes/health.cpp
  src/routes/links.cpp
  src/routes/media.cpp
  src/routes/metrics.cpp
  src/routes/promised_upload.cpp
  src/routes/similar.cpp
  src/routes/videos.cpp
  src/routes/tus.cpp
  src/routes/upload.cpp
  src/service.cpp
  src/telemetry/log.cpp
  src/telemetry/metrics.cpp
  src/telemetry/otlp.cpp
  src/telemetry/process_stats.cpp
  src/tus_checksum.cpp
  src/tus_fields.cpp
  src/upload_rules.cpp
  src/url.cpp
  src/url_signer.cpp
  src/web_client.cpp
  src/webhook.cpp)
target_link_libraries(media_server
  PUBLIC media_server_http media::media nlohmann_json::nlohmann_json
  PRIVATE media_flags spdlog::spdlog OpenSSL::Crypto CURL::libcurl ZLIB::ZLIB prometheus-cpp::core)

add_executable(mediad src/main.cpp)
target_link_libraries(mediad PRIVATE media_flags media_server)
