// SPDX-License-Identifier: Apache-2.0
// zoetrope store: the ranks' store as a process of its own, where no `zoetrope train` keeps it.
// zoetrope-worker starts it for ranks that torchrun or srun started; nobody types it, so the help leaves it
// out.
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/text/random_hex.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/exit_codes.hpp"
#include "contract/store_address.hpp"
#include "rendezvous/addresses.hpp"
#include "rendezvous/server.hpp"

namespace zt::cli {
namespace {

/// The first rank waits for the file that says where the store is, so it comes at once.
constexpr std::chrono::seconds kFirstClientLimit{60};

struct StoreOptions {
  std::string file;
  std::string launch;
  std::string known_as;
  int64_t ranks = 0;
  bool is_one_host = false;
};

/// Serves until the last rank is gone. Signals are noted and no more: a scheduler sends them to every process
/// of a job, and the ranks need the store to save and end.
Result<int> serve(const StoreOptions& options) {
  contract::StoreAddress address;
  address.launch = options.launch;
  address.ranks = options.ranks;
  address.token = random_hex(32);
  if (options.is_one_host) {
    address.hosts = {rendezvous::ServerOptions().address};
  } else {
    address.hosts = rendezvous::addresses_of_this_host(options.known_as);
  }
  rendezvous::ServerOptions listening;
  listening.token = address.token;
  listening.ranks = static_cast<size_t>(std::max<int64_t>(0, options.ranks));
  const bool has_six = address.hosts.back().find(':') != std::string::npos;
  if (!options.is_one_host) listening.address = has_six ? "::" : "0.0.0.0";
  ZT_TRY_ASSIGN(const auto server, rendezvous::Server::start(listening));
  address.port = server->port();

  ::umask(0077);  // the file holds the token
  ZT_TRY(files::write_atomic(options.file, to_json(address)));
  server->wait_until_deserted(clock::in(kFirstClientLimit));
  std::error_code ignored;
  std::filesystem::remove(options.file, ignored);
  return contract::kExitOk;
}

}  // namespace

void add_store(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("store", "Keep the store through which the ranks of one launch meet");
  verb->group("");
  const auto options = std::make_shared<StoreOptions>();
  verb->add_option("--file", options->file, "File to write the store's address to")->required();
  verb->add_option("--launch", options->launch, "Launch that the store belongs to")->required();
  verb->add_option("--ranks", options->ranks, "Number of ranks")->required();
  verb->add_option("--known-as", options->known_as, "What other hosts call this one");
  verb->add_flag("--one-host", options->is_one_host, "All ranks are on this host");
  verb->callback([options, &chosen] { chosen = [options] { return serve(*options); }; });
}

}  // namespace zt::cli
