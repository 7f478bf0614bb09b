// Where traces go, by the names that OpenTelemetry gives these variables.

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "config_reading.hpp"
#include "config_settings.hpp"

namespace media::server {
namespace {

/// Digits and at most one point: no sign, no exponent.
bool read_ratio(const std::string& text, double& into) {
  if (text.empty() || text.size() > 20 || text.find_first_not_of("0123456789.") != std::string::npos) return false;
  std::istringstream in(text);
  in.imbue(std::locale::classic());
  double value = 0;
  if (!(in >> value) || in.peek() != std::istringstream::traits_type::eof() || value < 0 || value > 1) return false;
  into = value;
  return true;
}

std::string write_ratio(double ratio) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << ratio;
  return out.str();
}

}  // namespace

const std::vector<Setting>& trace_settings() {
  static const std::vector<Setting> kSettings = {
      {"OTEL_EXPORTER_OTLP_ENDPOINT", "the collector that traces go to, by OTLP over HTTP: `/v1/traces` is added", "an http or https URL",
       [](Config& c, const std::string& text) { return read_service_url(text, c.otlp_endpoint); },
       [](const Config& c) { return c.otlp_endpoint; }},
      {"OTEL_SERVICE_NAME", "the name under which they are found there", "1 to 255 bytes",
       [](Config& c, const std::string& text) { return !text.empty() && text.size() <= 255 && (c.trace_service_name = text, true); },
       [](const Config& c) { return c.trace_service_name; }},
      {"OTEL_TRACES_SAMPLER_ARG",
       "the part of the traces that begin here which is recorded; whoever calls with a `traceparent` has decided", "0 to 1",
       [](Config& c, const std::string& text) { return read_ratio(text, c.trace_sample_ratio); },
       [](const Config& c) { return write_ratio(c.trace_sample_ratio); }},
  };
  return kSettings;
}

}  // namespace media::server
