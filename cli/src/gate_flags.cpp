#include "gate_flags.hpp"

#include <optional>

namespace mediactl {
namespace {

constexpr std::uint64_t kMost = std::uint64_t{1} << 53U;

std::optional<std::uint64_t> limit_of(std::uint64_t number) { return number == 0 ? std::nullopt : std::optional(number); }

template <class Rule>
Rule rule_from(const std::string& text) {
  return text == "hold" ? Rule::hold : text == "accept" ? Rule::accept : Rule::refuse;
}

}  // namespace

void add_quota_options(CLI::App& command, GateFlags& flags) {
  command
      .add_option("--quota-bytes", flags.quota_bytes,
                  "What an owner without a quota of its own may have (default 0: no limit; environment: MEDIA_SERVICE_QUOTA_BYTES)")
      ->envname("MEDIA_SERVICE_QUOTA_BYTES")
      ->check(CLI::Range(std::uint64_t{0}, kMost))
      ->type_name("BYTES");
  command.add_option("--quota-media", flags.quota_media, "The same of media (environment: MEDIA_SERVICE_QUOTA_MEDIA)")
      ->envname("MEDIA_SERVICE_QUOTA_MEDIA")
      ->check(CLI::Range(std::uint64_t{0}, kMost))
      ->type_name("N");
}

void add_check_options(CLI::App& command, GateFlags& flags) {
  command
      .add_option("--clamd", flags.clamd,
                  "Have everything scanned by this clamd: unix:/PATH or 127.0.0.1:PORT (environment: MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS)")
      ->envname("MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS")
      ->type_name("ADDRESS");
  command
      .add_option(
          "--polyglots", flags.polyglots,
          "Pictures that are an archive, a document, a web page or a program as well: refuse (default), hold or accept (environment: "
          "MEDIA_SERVICE_MIDDLEWARE_VALIDATION_POLYGLOTS)")
      ->envname("MEDIA_SERVICE_MIDDLEWARE_VALIDATION_POLYGLOTS")
      ->check(CLI::IsMember({"refuse", "hold", "accept"}));
}

void add_unscanned_option(CLI::App& command, GateFlags& flags) {
  command
      .add_option("--unscanned", flags.unscanned,
                  "Files that clamd has not seen: refuse (default), hold or accept (environment: MEDIA_SERVICE_SCANNER_UNSCANNED)")
      ->envname("MEDIA_SERVICE_SCANNER_UNSCANNED")
      ->check(CLI::IsMember({"refuse", "hold", "accept"}));
}

media::Result<void> apply(const GateFlags& flags, OpenStore& how) {
  how.gate.default_quota = {.max_bytes = limit_of(flags.quota_bytes), .max_media = limit_of(flags.quota_media)};
  how.gate.unscanned = rule_from<media::UnscannedRule>(flags.unscanned);
  how.polyglots = rule_from<media::PolyglotRule>(flags.polyglots);
  if (flags.clamd.empty()) return {};
  media::ClamdOptions clamd;
  clamd.address = flags.clamd;
  MEDIA_TRY_ASSIGN(how.gate.scanner, media::open_clamd_scanner(clamd));
  return {};
}

}  // namespace mediactl
