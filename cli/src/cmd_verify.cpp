#include <charconv>
#include <memory>
#include <optional>

#include "command.hpp"
#include "interrupt.hpp"
#include "media/store_location.hpp"
#include "open_store.hpp"
#include "progress.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

void report_fault(Console& console, const media::Fault& fault) {
  const std::string problem(media::to_string(fault.problem));
  const std::string name = fault.digest ? fault.digest->to_hex() : printable(fault.location);
  console.record(Json{{"digest", fault.digest ? Json(fault.digest->to_hex()) : Json()},
                      {"problem", problem},
                      {"location", fault.location},
                      {"reason", fault.message},
                      {"repaired", fault.repaired}});
  console.text(problem + std::string(9 - std::min<std::size_t>(8, problem.size()), ' ') + name + "  " + printable(fault.message) +
               (fault.repaired ? " (repaired)" : ""));
}

struct VerifyOptions {
  unsigned jobs = default_jobs();
  std::string subset;
  std::string sample;
  std::string repair_from;
};

/// "3/30"
std::optional<media::VerifyShare> parse_share(std::string_view text) {
  media::VerifyShare share;
  const char* const end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, share.number);
  if (number.ec != std::errc{} || number.ptr == end || *number.ptr != '/') return std::nullopt;
  const auto of = std::from_chars(number.ptr + 1, end, share.of);
  if (of.ec != std::errc{} || of.ptr != end || share.number == 0 || share.number > share.of) return std::nullopt;
  return share;
}

/// "5%", "0.1%"
std::optional<double> parse_percentage(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  text.remove_suffix(1);
  double percentage = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), percentage, std::chars_format::fixed);
  if (failure != std::errc{} || end != text.data() + text.size() || !(percentage > 0 && percentage <= 100)) return std::nullopt;
  return percentage / 100;
}

/// Whatever is wrong with the command line is told before the store is opened.
media::Result<media::VerifyOptions> options_of(const VerifyOptions& wanted) {
  using media::Errc;
  using media::Error;
  media::VerifyOptions options;
  options.threads = wanted.jobs;
  if (!wanted.subset.empty()) {
    const auto share = parse_share(wanted.subset);
    if (!share) return Error{Errc::invalid_argument, "--subset: '" + printable(wanted.subset) + "' is no share such as 3/30"};
    options.share = *share;
  }
  if (!wanted.sample.empty()) {
    const auto sample = parse_percentage(wanted.sample);
    if (!sample) return Error{Errc::invalid_argument, "--sample: '" + printable(wanted.sample) + "' is no percentage such as 5%"};
    options.sample = *sample;
  }
  return options;
}

media::Result<std::unique_ptr<media::BlobStore>> open_other_store(const std::string& location) {
  media::StoreAtOptions options;
  options.read_only = true;
  return media::open_store_at(location, options);
}

Exit run(Console& console, const Globals& globals, const VerifyOptions& wanted) {
  const Interrupt interrupt;
  auto checked = options_of(wanted);
  if (!checked) return console.fail(checked.error());
  media::VerifyOptions options = std::move(*checked);
  std::unique_ptr<media::BlobStore> other;
  if (!wanted.repair_from.empty()) {
    auto opened = open_other_store(wanted.repair_from);
    if (!opened) return console.fail(opened.error());
    other = std::move(*opened);
    options.repair_from = other.get();
  }
  auto library = open_store(globals, {.access = other ? Access::write : Access::read});
  if (!library) return console.fail(library.error());
  Progress progress(console, "blobs");
  options.stop = interrupt.token();
  options.on_fault = [&](const media::Fault& fault) { report_fault(console, fault); };
  options.progress = [&](std::uint64_t blobs, std::uint64_t bytes) { progress.set(blobs, bytes); };
  auto report = (*library)->verify(options);
  if (interrupt.signal_number() != 0) {
    console.summary(Json{{"error", "stopped by a signal: not everything was verified"}}, {});
    console.complain("stopped by a signal: not everything was verified");
    return exit_for_signal(interrupt.signal_number());
  }
  if (!report) return console.fail(report.error());
  const double seconds = progress.elapsed().count();
  const std::string faults = report->intact()
                                 ? "intact"
                                 : std::to_string(report->damaged) + " damaged, " + std::to_string(report->missing) + " missing, " +
                                       std::to_string(report->stray) + " stray" +
                                       (report->repaired > 0 ? ", " + std::to_string(report->repaired) + " of them repaired" : "");
  console.summary(Json{{"blobs", report->blobs},
                       {"bytes", report->bytes},
                       {"damaged", report->damaged},
                       {"missing", report->missing},
                       {"stray", report->stray},
                       {"repaired", report->repaired},
                       {"intact", report->intact()},
                       {"seconds", seconds}},
                  faults + ": " + std::to_string(report->blobs) + " blobs, " + human_bytes(report->bytes) + " read (" +
                      human_bytes(static_cast<std::uint64_t>(static_cast<double>(report->bytes) / std::max(seconds, 0.001))) + "/s)");
  return report->intact() ? Exit::ok : Exit::findings;
}

}  // namespace

void add_verify(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("verify", "Read every byte again and name each damaged, missing or stray blob");
  auto options = std::make_shared<VerifyOptions>();
  add_jobs_option(*command, options->jobs);
  command->add_option("--subset", options->subset, "One of equal shares of the blobs: 1/30 today, 2/30 tomorrow, and in 30 days all")
      ->type_name("N/T");
  command->add_option("--sample", options->sample, "About so many of the blobs, drawn by chance: 5%")->type_name("PERCENT");
  command->add_option("--repair-from", options->repair_from, "Bring back damaged and missing blobs from this other store")
      ->type_name("DIR");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return run(console, globals, *options); };
  });
}

}  // namespace mediactl
