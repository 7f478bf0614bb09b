#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <memory>

#include "command.hpp"
#include "ingest_record.hpp"
#include "interrupt.hpp"
#include "open_store.hpp"
#include "output_file.hpp"
#include "receipt.hpp"
#include "signing.hpp"
#include "system_error.hpp"
#include "text.hpp"

namespace mediactl {
namespace {

using media::Errc;
using media::Error;
using media::Result;

struct EraseOptions {
  std::string owner;
  std::vector<media::MediaId> ids;
  std::string receipt;
};

/// Another's proof is not written over, and a place that cannot be written must show before anything is erased.
Result<OutputFile> open_receipt(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return Error{Errc::already_exists, "--receipt: there is a file '" + printable(path) + "' already"};
  return OutputFile::open(path);
}

Result<void> keep_receipt(OutputFile& file, const std::string& path, const Json& receipt) {
  const std::string text = receipt.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  MEDIA_TRY(file.write(std::as_bytes(std::span(text))));
  MEDIA_TRY(file.commit());
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int failure = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) return system_error(failure, "sync '" + printable(path) + "'");
  return {};
}

Exit erase(Console& console, const Globals& globals, const EraseOptions& options) {
  const Interrupt interrupt;
  auto library = open_store(globals, {.access = Access::write});
  if (!library) return console.fail(library.error());
  const auto keys = open_signing_keys(globals);
  if (!keys) return console.fail(keys.error());
  auto file = open_receipt(options.receipt);
  if (!file) return console.fail(file.error());
  auto report = (*library)->erase({options.owner, options.ids, interrupt.token()});
  if (!report) return console.fail(report.error());
  // Digests of what was erased, and of where it came from.
  if (const auto forgotten = IngestRecord::remove(globals.store); !forgotten) console.complain(forgotten.error().message);
  if (report->failure) console.complain("not all of it: " + report->failure->message + "; erase again, with another receipt");
  const Json receipt = make_receipt(*report, *keys);
  if (const auto kept = keep_receipt(*file, options.receipt, receipt); !kept) {
    // It is erased all the same, and this is the only list of it.
    console.complain("erased, but the receipt could not be kept: " + kept.error().message + "; it follows");
    console.record(receipt);
    console.text(receipt.dump(-1, ' ', false, Json::error_handler_t::replace));
    return exit_for(kept.error().code);
  }
  std::uint64_t erased = 0;
  std::uint64_t erased_bytes = 0;
  std::uint64_t retained = 0;
  std::uint64_t left = 0;
  for (const media::ErasedBlob& blob : report->blobs) {
    const bool is_erased = blob.outcome == media::ErasedBlob::Outcome::erased;
    erased += is_erased ? 1 : 0;
    erased_bytes += is_erased ? blob.size_bytes : 0;
    retained += blob.outcome == media::ErasedBlob::Outcome::retained ? 1 : 0;
    left += blob.outcome == media::ErasedBlob::Outcome::left ? 1 : 0;
  }
  console.summary(Json{{"media", report->media.size()},
                       {"blobs", erased},
                       {"bytes", erased_bytes},
                       {"retained", retained},
                       {"left", left},
                       {"uploads", report->uploads},
                       {"complete", !report->failure},
                       {"receipt", options.receipt}},
                  "erased " + std::to_string(report->media.size()) + " media and " + std::to_string(erased) + " blobs (" +
                      human_bytes(erased_bytes) + "); " + std::to_string(retained) + " blobs that others have too were retained" +
                      (left > 0 ? "; " + std::to_string(left) + " are being removed by a gc" : "") +
                      ". Receipt: " + printable(options.receipt));
  if (interrupt.signal_number() != 0 && report->failure) return exit_for_signal(interrupt.signal_number());
  return report->failure ? exit_for(report->failure->code) : Exit::ok;
}

Exit verify(Console& console, const Globals& globals, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return console.fail({Errc::not_found, "cannot read '" + printable(path) + "'"});
  const Json receipt = Json::parse(file, nullptr, false);
  const auto keys = open_signing_keys(globals);
  if (!keys) return console.fail(keys.error());
  const auto tell = [&](const char* verdict, const std::string& sentence, Exit exit) {
    console.summary(Json{{"verdict", verdict}}, sentence);
    return exit;
  };
  switch (judge_receipt(receipt, *keys)) {
    case ReceiptVerdict::good:
      return tell("good", "the receipt is good: signed by this store's key, and not altered since", Exit::ok);
    case ReceiptVerdict::altered:
      return tell("altered", "the receipt was ALTERED after it was signed", Exit::findings);
    case ReceiptVerdict::other_key:
      return tell("other_key", "the receipt was signed by another key than this store's", Exit::findings);
    case ReceiptVerdict::no_receipt:
      break;
  }
  return tell("no_receipt", "this is no receipt of an erasure", Exit::findings);
}

}  // namespace

void add_erase(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("erase", "Erase what an owner has, at once and for good, and write a signed receipt");
  auto options = std::make_shared<EraseOptions>();
  command->add_option("--owner", options->owner, "Whose media")->required()->type_name("NAME");
  command->add_option("ID", options->ids, "Only these media of the owner's (default: everything)")
      ->check(CLI::Range(media::MediaId{1}, media::kMaxMediaId));
  command->add_option("--receipt", options->receipt, "Where to write what was erased, as JSON; a file that is not there yet")
      ->required()
      ->type_name("FILE");
  command->callback([&invocation, options] {
    invocation.run = [options](Console& console, const Globals& globals) { return erase(console, globals, *options); };
  });
}

void add_receipt(CLI::App& app, Invocation& invocation) {
  CLI::App* command = app.add_subcommand("receipt", "Check the receipt of an erasure");
  CLI::App* check = add_action(*command, "verify", "Was it signed by this store's key, and is it unaltered?");
  auto path = std::make_shared<std::string>();
  check->add_option("FILE", *path, "The receipt")->required();
  check->callback([&invocation, path] {
    invocation.run = [path](Console& console, const Globals& globals) { return verify(console, globals, *path); };
  });
}

}  // namespace mediactl
