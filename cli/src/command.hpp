/// What a command is: a few options of its own and something to run.
#pragma once

#include <functional>
#include <string>

#include <CLI/CLI.hpp>

#include "console.hpp"
#include "exit_codes.hpp"
#include "media/blob_store.hpp"
#include "media/tiers.hpp"

namespace mediactl {

/// Options that every command takes, before or after its name.
struct Globals {
  std::string store;    ///< Empty: none given.
  std::string catalog;  ///< Of PostgreSQL; empty: the one in the store's folder.
  std::string schema = "recipe_manager";
  std::string blobs;        ///< "s3://…": where the blobs are. Empty: as the store's folder notes, else within it.
  media::TierPlaces tiers;  ///< Empty ones: as the store's folder notes.
  std::uint64_t pack_below_bytes = media::FilesystemStoreOptions{}.pack_below_bytes;
  bool json = false;
  bool quiet = false;
};

/// The chosen command, once the command line is parsed.
struct Invocation {
  Globals globals;
  std::function<Exit(Console&, const Globals&)> run;
};

/// Adds the command to the program; when it is chosen, it sets `invocation.run`. One a file, listed in main.cpp.
using AddCommand = void (*)(CLI::App& app, Invocation& invocation);

void add_adopt(CLI::App& app, Invocation& invocation);
void add_jobs(CLI::App& app, Invocation& invocation);
void add_init(CLI::App& app, Invocation& invocation);
void add_ingest(CLI::App& app, Invocation& invocation);
void add_ls(CLI::App& app, Invocation& invocation);
void add_info(CLI::App& app, Invocation& invocation);
void add_probe(CLI::App& app, Invocation& invocation);
void add_cat(CLI::App& app, Invocation& invocation);
void add_derive(CLI::App& app, Invocation& invocation);
void add_similar(CLI::App& app, Invocation& invocation);
void add_doctor(CLI::App& app, Invocation& invocation);
void add_hash(CLI::App& app, Invocation& invocation);
void add_describe(CLI::App& app, Invocation& invocation);
void add_verify(CLI::App& app, Invocation& invocation);
void add_gc(CLI::App& app, Invocation& invocation);
void add_pack(CLI::App& app, Invocation& invocation);
void add_sync(CLI::App& app, Invocation& invocation);
void add_unpack(CLI::App& app, Invocation& invocation);
void add_renditions(CLI::App& app, Invocation& invocation);
void add_rm(CLI::App& app, Invocation& invocation);
void add_erase(CLI::App& app, Invocation& invocation);
void add_receipt(CLI::App& app, Invocation& invocation);
void add_backup(CLI::App& app, Invocation& invocation);
void add_restore(CLI::App& app, Invocation& invocation);
void add_reindex(CLI::App& app, Invocation& invocation);
void add_apikey(CLI::App& app, Invocation& invocation);
void add_quota(CLI::App& app, Invocation& invocation);
void add_ban(CLI::App& app, Invocation& invocation);
void add_quarantine(CLI::App& app, Invocation& invocation);
void add_sign(CLI::App& app, Invocation& invocation);
void add_migrate(CLI::App& app, Invocation& invocation);
void add_tier(CLI::App& app, Invocation& invocation);
void add_selftest(CLI::App& app, Invocation& invocation);

/// A command of a command: "renditions drop".
CLI::App* add_action(CLI::App& command, const char* name, const char* what);
/// Threads to use where nobody says: the cores that this process may run on.
unsigned default_jobs() noexcept;
/// --jobs N, 1 to 256.
void add_jobs_option(CLI::App& command, unsigned& jobs);
/// --isolation process|none: where untrusted bytes are decoded.
void add_isolation_option(CLI::App& command, std::string& isolation);

}  // namespace mediactl
