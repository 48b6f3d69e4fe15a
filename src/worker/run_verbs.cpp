// SPDX-License-Identifier: Apache-2.0
// See run_verbs.hpp.
#include "worker/run_verbs.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/error_policy.hpp"
#include "base/signals.hpp"
#include "config/paths.hpp"
#include "contract/exit_codes.hpp"
#include "contract/run_folder.hpp"
#include "tensor/device.hpp"
#include "train/journal/flight_dump.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/import_weights.hpp"
#include "worker/attempt_events.hpp"
#include "worker/guard.hpp"
#include "worker/join.hpp"
#include "worker/training.hpp"

namespace zt::worker {
namespace {

Result<int> import_run(const contract::RunFolder& run, int64_t generation, int64_t step,
                       train::Journal& journal) {
  ZT_TRY_ASSIGN(const auto file, run.config_file(generation));
  ZT_TRY_ASSIGN(const config::TrainJob job, config::thaw_run(file, run.places()));
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  journal.event(started(device));
  ZT_TRY(train::import_weights(job, run, generation, step, device, journal));
  return contract::kExitOk;
}

/// Where the launcher looks for it: beside the progress words, in the folder of the launch's first attempt.
std::filesystem::path flight_file(const contract::WorkerCall& call, const Launch& launch) {
  return call.progress.empty() ? launch.attempt.flight(static_cast<int>(launch.rank))
                               : contract::flight_beside(call.progress, launch.rank);
}

/// What was recorded in the launch's earlier generations is evidence of its own.
void put_aside(const std::filesystem::path& flight, int64_t generation) {
  std::filesystem::path aside = flight;
  aside.replace_extension(fmt::format(".before-{}.jsonl", generation));
  std::error_code none;  // most often there is none
  std::filesystem::rename(flight, aside, none);
}

/// A request to stop that came before the first step, or while ranks were lost: what is to be saved is saved,
/// everything can be resumed.
bool was_stopped(const Error& error) {
  return (error.code == ErrorCode::Cancelled || error.code == ErrorCode::PeerLost) &&
         signals::stop() != signals::Stop::None;
}

}  // namespace

Result<int> run_launch(const contract::WorkerCall& call) {
  ZT_TRY_ASSIGN(const contract::RunFolder run, contract::RunFolder::open(call.run_dir));
  Result<Launch> found = find_launch(run, call);
  if (!found && was_stopped(found.error())) return kExitResumable;
  if (!found) return fail(std::move(found.error()));
  Launch& launch = *found;
  Training training(run, call, launch);
  for (;;) {
    ZT_TRY_ASSIGN(train::Journal journal,
                  train::Journal::open(run, launch.attempt, call.progress, static_cast<int>(launch.rank)));
    put_aside(flight_file(call, launch), launch.attempt.generation);
    train::FlightDump flight(flight_file(call, launch), journal.words());
    Result<int> code = guarded([&] {
      return call.verb == contract::WorkerVerb::Import
                 ? import_run(run, launch.attempt.generation, call.step, journal)
                 : training.run(journal, flight);
    });
    if (!code) (void)flight.write(code.error().text());  // evidence only: the error itself is the news
    const bool goes_on = !code && training.goes_on_after(code.error());
    if (!code && !goes_on && was_stopped(code.error())) code = kExitResumable;
    journal.event(finished(code, journal.last_progress().step));
    journal.sync();
    if (goes_on) continue;
    return training.exit_code() ? Result<int>(*training.exit_code()) : code;
  }
}

}  // namespace zt::worker
