// SPDX-License-Identifier: Apache-2.0
// See job_verbs.hpp.
#include "worker/job_verbs.hpp"

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "base/error_policy.hpp"
#include "base/signals.hpp"
#include "config/load.hpp"
#include "contract/exit_codes.hpp"
#include "contract/words/progress.hpp"
#include "generate/hooks.hpp"
#include "generate/run_eval.hpp"
#include "generate/run_export.hpp"
#include "generate/run_generate.hpp"
#include "prepare/build_cache.hpp"
#include "train/launch/run_plan.hpp"

namespace zt::worker {
namespace {

bool is_stop_wanted() { return signals::stop() != signals::Stop::None; }

/// Hooks that publish to the call's progress page, if it names one.
Result<generate::Hooks> make_hooks(const contract::WorkerCall& call) {
  generate::Hooks hooks;
  hooks.should_stop = is_stop_wanted;
  if (call.progress.empty()) return hooks;
  ZT_TRY_ASSIGN(auto opened, contract::ProgressWriter::open(call.progress));
  // Shared because std::function wants its target to be copyable.
  const auto writer = std::make_shared<contract::ProgressWriter>(std::move(opened));
  hooks.progress = [writer](const contract::Progress& progress) {
    contract::Progress state = progress;
    state.pid = ::getpid();
    writer->publish(state);
  };
  return hooks;
}

template <class Job>
Result<int> perform(const contract::WorkerCall& call,
                    Result<std::string> (*work)(const Job&, const generate::Hooks&)) {
  ZT_TRY_ASSIGN(const Job job, config::thaw<Job>(call.job));
  ZT_TRY_ASSIGN(const generate::Hooks hooks, make_hooks(call));
  const Result<std::string> report = work(job, hooks);
  if (!report && report.error().code == ErrorCode::Cancelled && is_stop_wanted()) return kExitResumable;
  if (!report) return fail(report.error());
  std::printf("%s\n", report->c_str());
  return contract::kExitOk;
}

Result<std::string> run_cache(const config::CacheJob& job, const generate::Hooks& hooks) {
  prepare::BuildOptions options;
  options.should_stop = hooks.should_stop;
  options.progress = [&](int64_t done, int64_t total) {
    hooks.say(contract::Phase::Caching, /*action=*/"", done, total);
  };
  return prepare::run_cache(job, options);
}

Result<int> plan(const contract::WorkerCall& call) {
  ZT_TRY_ASSIGN(const auto job, config::thaw<config::TrainJob>(call.job));
  ZT_TRY_ASSIGN(const std::string plan, train::run_plan(job, call.plan.ranks, call.plan.device));
  std::printf("%s\n", plan.c_str());
  return contract::kExitOk;
}

}  // namespace

Result<int> run_job(const contract::WorkerCall& call) {
  switch (call.verb) {
    case contract::WorkerVerb::Generate:
      return perform<config::GenerateJob>(call, generate::run_generate);
    case contract::WorkerVerb::Eval:
      return perform<config::EvalJob>(call, generate::run_eval);
    case contract::WorkerVerb::Cache:
      return perform<config::CacheJob>(call, run_cache);
    case contract::WorkerVerb::Export:
      return perform<config::ExportJob>(call, generate::run_export);
    case contract::WorkerVerb::Plan:
      return plan(call);
    case contract::WorkerVerb::Train:
    case contract::WorkerVerb::Import:
      break;  // have a run folder instead of a job file
  }
  return fail(ErrorCode::Unsupported,
              "zoetrope-worker has no job '" + std::string(contract::name(call.verb)) + "'");
}

}  // namespace zt::worker
