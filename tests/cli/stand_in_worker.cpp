// SPDX-License-Identifier: Apache-2.0
// Stands in for zoetrope-worker in command-line tests: the same command line, run folder, events, progress
// words and exit codes, but no computing, and it can be told to fail. ZT_STAND_IN names what it does:
//   complete   a few steps (none for an import), one checkpoint, exit 0
//   wait       runs until it is asked to stop, then saves and exits 75 (a second Ctrl-C: 130)
//   bare       a job's result as of a generation without panels
//   planned    a small plan
//   offloaded  one with optimizer state in host memory
//   refuse     logs an error and exits 72 (Exhausted)
//   forestalled  finds the run in use by another process, exits 69
//   die        kills itself
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/exit_codes.hpp"
#include "contract/manifest.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/progress.hpp"
#include "contract/worker_call.hpp"
#include "weights/safetensors.hpp"

namespace {

using namespace zt;
using namespace zt::contract;
constexpr int64_t kSteps = 5;
constexpr useconds_t kPoll_us = 2000;
constexpr int kMaxPolls = 15000;  // 30 s: a test that forgot to stop it

Status save_checkpoint(const RunFolder& run, int64_t generation, int64_t step) {
  const auto folder = run.checkpoints() / checkpoint_name(step);
  Manifest manifest;
  manifest.step = step;
  manifest.generation = generation;
  manifest.run_id = run.identity().run_id;
  manifest.written_at = clock::utc_now();
  manifest.metrics = {{"val_loss", 0.25}};
  ZT_TRY(files::make_folders(folder));
  const std::array<float, 4> values{1, 2, 3, static_cast<float>(step)};
  const std::string file = "rank-00000.safetensors", tensor = "param/weight";
  const weights::TensorEntry entry{tensor, weights::DType::F32, {4}, std::as_bytes(std::span(values))};
  ZT_TRY_ASSIGN(const auto written, weights::write_summed_safetensors(folder / file, std::span(&entry, 1)));
  manifest.files = {{file, written.size_bytes, written.xxh128}};
  manifest.tensors = {{tensor, "F32", {4}, {{0, tensor, 0, 4}}}};
  return files::write_atomic(folder / "manifest.json", to_json(manifest));
}

Result<int> act(const RunFolder& run, int64_t generation, const std::string& part, ProgressWriter& progress,
                EventWriter& events) {
  ZT_TRY_ASSIGN(auto metrics, MetricWriter::create(run.metrics(), generation, "rank0"));
  Progress state;
  state.generation = generation;
  state.pid = ::getpid();
  state.phase = Phase::Training;
  state.total_steps = kSteps;
  state.eta_s = std::numeric_limits<double>::quiet_NaN();
  for (state.step = 1; state.step <= kSteps; ++state.step) {
    state.loss = 1.0 / static_cast<double>(state.step);
    const std::array<MetricValue, 1> row{{{"train/loss", state.loss}}};
    ZT_TRY(metrics.write(state.step, row));
    progress.publish(state);
  }
  if (part == "wait") {
    log::info("train", "waiting to be stopped");
    for (int i = 0; i < kMaxPolls && signals::stop() == signals::Stop::None; ++i) ::usleep(kPoll_us);
  }
  ZT_TRY(save_checkpoint(run, generation, kSteps));
  ZT_TRY(events.write(CheckpointSaved{.step = kSteps, .name = checkpoint_name(kSteps)}));
  return part == "wait" ? kExitResumable : kExitOk;
}

Result<int> launch(const WorkerCall& call, const std::string& part) {
  ZT_TRY_ASSIGN(const auto run, RunFolder::open(call.run_dir));
  if (part == "forestalled") return fail(ErrorCode::Unavailable, "runs/lock is in use by another process");
  ZT_TRY_ASSIGN(const auto lock, run.lock());
  ZT_TRY_ASSIGN(auto events, EventWriter::create(run.events(), call.generation, "rank0"));
  ZT_TRY_ASSIGN(auto progress, ProgressWriter::open(call.progress));
  AttemptStarted started;
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  started.host = host.data();
  started.pid = ::getpid();
  ZT_TRY(events.write(started));
  if (part == "die") ::raise(SIGKILL);
  AttemptFinished finished;
  finished.step = kSteps;
  if (part == "refuse") {
    finished.outcome = "failed";
    finished.message = "not enough memory";
    ZT_TRY(events.write(finished));
    return fail(ErrorCode::Exhausted, finished.message);
  }
  if (call.verb == WorkerVerb::Import) {
    ZT_TRY(save_checkpoint(run, call.generation, call.step));
    return kExitOk;
  }
  ZT_TRY_ASSIGN(const int code, act(run, call.generation, part, progress, events));
  finished.outcome = code == kExitOk ? "completed" : "stopped";
  finished.exit_code = code;
  ZT_TRY(events.write(finished));
  return code;
}

/// For `plan` with ranks, device, and bytes of optimizer state on the host, twice.
constexpr const char* kPlan =
    R"({"ranks":%ld,"machine":"%s","zero_stage":3,"lanes_per_rank":1,"micro_batches":2,"trained":10,"frozen":20,)"
    R"("memory":{"trained_weights":4096,"frozen_weights":0,"gradients":4096,"optimizer_state":8192,"averages":0,)"
    R"("activations":1048576,"batches":0,"ahead":0,"slabs":0,"communication":0,"encoders":0,"process":0,"total":1064960,"staging":2048,)"
    R"("snapshots":4096,"held_snapshots":4096,)"
    R"("host_optimizer_state":%ld,"host_averages":0,"host_buffers":0,"host_ahead":0,"host_total":%ld},)"
    R"("available":1073741824,"fits":true,"smallest_ranks":2,)"
    R"("changes":[{"setting":"gradient_checkpointing=true","needed":524288}],)"
    R"("traffic":{"elements":256,"element_bytes":4,"snapshot_bytes":205,"deepspeed_elements":512,"to_host_bytes":2048,"from_host_bytes":1024},)"
    R"("time":{"compute_s":0.5,"optimizer_s":0.25,"bus_s":0.125,"exchange_s":0.25,"total_s":1.0},)"
    R"("deepspeed":{"stage2":4096,"stage3":2048,"host_stage2":6144,"host_stage3":3072},)"
    R"("units":[{"name":"net.head","zero_stage":3,"sharing_ranks":3,"trained":4,"frozen":5,"kept_bytes":3072,"forward_flops":1e9,"backward_flops":2e9}]})"
    "\n";

Result<int> perform(std::span<const char* const> args, const std::string& part) {
  ZT_TRY_ASSIGN(const WorkerCall call, parse_worker_call(args));
  if (has_run(call.verb)) return launch(call, part);
  if (part == "die") ::raise(SIGKILL);
  ZT_TRY_ASSIGN(const std::string job, files::read(call.job));
  if (part == "refuse") return fail(ErrorCode::NotFound, "no such picture");
  if (part == "bare") {
    std::puts(
        R"({"output":"a.mp4","panels":null,"frames":2,"width":64,"height":32,"fps":"25/2","seconds":1.5})");
    return kExitOk;
  }
  if (part == "planned" || part == "offloaded") {
    const long on_host = part == "offloaded" ? 8192 : 0;
    std::printf(kPlan, static_cast<long>(call.plan.ranks), call.plan.device.c_str(), on_host, on_host);
    return kExitOk;
  }
  std::printf("%s: %zu bytes of job\n", std::string(name(call.verb)).c_str(), job.size());
  return kExitOk;
}

}  // namespace

int main(int argc, char** argv) {
  signals::install(signals::OnNow::Exit);
  const char* part = std::getenv("ZT_STAND_IN");
  const std::vector<const char*> args(argv + 1, argv + argc);
  const auto code = perform(args, part ? part : "complete");
  if (code) return *code;
  std::fprintf(stderr, "zoetrope-worker: error: %s\n", code.error().text().c_str());
  return exit_code(code.error());
}
