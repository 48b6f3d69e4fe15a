// SPDX-License-Identifier: Apache-2.0
// A training run in a temporary folder and zoetrope-worker started on it as `zoetrope` would.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/files/files.hpp"
#include "base/process/process.hpp"
#include "config/load.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/manifest.hpp"
#include "contract/run_folder.hpp"
#include "contract/words/progress.hpp"
#include "support/puppet_clips.hpp"

namespace zt::test {

/// One run folder and the launches of the worker on it.
class TinyRun {
 public:
  /// `changes` win over tiny_settings().
  TinyRun(const std::filesystem::path& folder, const std::string& name,
          const std::vector<std::string>& changes)
      : settings_(tiny_settings(folder)), run_(create(folder, name, changes)) {}

  const contract::RunFolder& run() const { return run_; }

  /// The launch that `zoetrope ckpt import --step` makes, to its end; its exit code.
  int import(int64_t step) {
    process::Child child = launch({"import", "--step", std::to_string(step)}, value_of(run_.begin_attempt()));
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Starts a launch; `changes` are what a resume may change.
  process::Child start(const std::vector<std::string>& changes = {}) {
    const contract::Attempt attempt = value_of(run_.begin_attempt());
    if (!changes.empty()) expect_ok(files::write_atomic(attempt.run_yaml(), resolve(changes)));
    return launch({"train"}, attempt);
  }

  /// Runs a launch to its end and returns its exit code.
  int finish(const std::vector<std::string>& changes = {}) {
    process::Child child = start(changes);
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Has `zoetrope` (ZT_PROGRAM) train the run to its end on several ranks; its exit code.
  int finish_on_ranks(int ranks) {
    process::SpawnOptions options;
    options.argv = {ZT_PROGRAM, "train", "--resume", run_.path().string(), "--ranks", std::to_string(ranks)};
    options.out = options.err = process::Stream::discard();
    process::Child child = value_of(process::Child::spawn(options));
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Waits until the newest launch has finished `step`, sends `signal` and returns how it ended.
  int interrupt(process::Child& child, int64_t step, int signal) {
    const auto page = value_of(run_.attempt(value_of(run_.attempts()).back().generation)).progress();
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto progress = contract::read_progress(page);
      if (progress && progress->step >= step && progress->phase != contract::Phase::Loading) break;
      if (value_of(child.poll())) break;  // it ended before: the caller sees its exit code
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    expect_ok(child.send(signal));
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Waits until the newest launch has saved a checkpoint of a multiple of `every` and made at least one
  /// step, at most `more`, after that; it is stopped (SIGSTOP) then. The step.
  int64_t stop_after(process::Child& child, int64_t every, int64_t more) {
    const auto page = value_of(run_.attempt(value_of(run_.attempts()).back().generation)).progress();
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline && !value_of(child.poll())) {
      expect_ok(child.send(SIGSTOP));
      const auto progress = contract::read_progress(page);
      const int64_t step = progress ? progress->step : 0, saved = step / every * every;
      const auto manifest = run_.checkpoints() / contract::checkpoint_name(saved) / "manifest.json";
      if (step > saved && step <= saved + more && saved > 0 && std::filesystem::exists(manifest)) return step;
      expect_ok(child.send(SIGCONT));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "the run never was at such a step";
    return 0;
  }

  /// Digests of everything in the checkpoint of a step but the clock: equal for runs in the same state.
  std::map<std::string, std::string> state(int64_t step) const {
    const contract::Manifest manifest =
        value_of(contract::read_manifest(run_.checkpoints() / contract::checkpoint_name(step)));
    std::map<std::string, std::string> state = manifest.scalars;
    state.erase("train.elapsed_s");
    for (const contract::ManifestFile& file : manifest.files) state["file " + file.name] = file.xxh128;
    return state;
  }

  /// The newest launch's log, for messages.
  std::string log() const { return files::read(value_of(run_.attempts()).back().log()).value_or("(no log)"); }

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr std::chrono::seconds kDeadline{240};  // a run of 80 steps took more than 60 beside a build
#else
  static constexpr std::chrono::seconds kDeadline{60};
#endif

  process::Child launch(const std::vector<std::string>& verb, const contract::Attempt& attempt) {
    process::SpawnOptions options;
    options.argv = {ZT_WORKER};
    options.argv.insert(options.argv.end(), verb.begin(), verb.end());
    for (const std::string& word : {std::string("--run-dir"), run_.path().string(),
                                    std::string("--generation"), std::to_string(attempt.generation)})
      options.argv.push_back(word);
    options.out = process::Stream::discard();
    options.err = process::Stream::to_file(attempt.log());
    return value_of(process::Child::spawn(options));
  }

  std::string resolve(const std::vector<std::string>& changes) {
    settings_.insert(settings_.end(), changes.begin(), changes.end());
    return config::freeze(value_of(config::load<config::TrainJob>({{}, settings_})));
  }
  contract::RunFolder create(const std::filesystem::path& folder, const std::string& name,
                             const std::vector<std::string>& changes) {
    contract::CreateRun options;
    options.runs_folder = folder / "runs";
    options.name = name;
    options.run_yaml = resolve(changes);
    return value_of(contract::RunFolder::create(options));
  }
  std::vector<std::string> settings_;
  contract::RunFolder run_;
};

}  // namespace zt::test
