// SPDX-License-Identifier: Apache-2.0
// Files of accelerate and DeepSpeed on a command line, and what became of their keys on the way out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/foreign_files.hpp"
#include "config/load.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace zt::cli {

struct ForeignOptions {
  std::string accelerate;
  std::string deepspeed;
  std::string accelerate_flags;

  /// --accelerate, --accelerate-flags and --deepspeed, which the option `without`, if any, excludes.
  void add_to(CLI::App& verb, CLI::Option* without = nullptr);
  config::ForeignFiles files() const { return {accelerate, deepspeed, accelerate_flags}; }
};

/// A training job as its files and the command line ask for it.
struct AskedJob {
  config::Resolved<config::TrainJob> resolved;  ///< effects: of all foreign files, and of `compat: moore`
  int64_t ranks = 1;
};

using TrainJobLoader = Result<config::Resolved<config::TrainJob>> (*)(const config::LoadRequest&);

/// Loads the request with `load` and puts the foreign files onto it. `ranks`: the command line's; else
/// accelerate's file says it; else 1. A job that leaves its lanes open gets one per rank. Errors: those of
/// `load` and of config::add_foreign().
Result<AskedJob> load_for_ranks(config::LoadRequest request, const config::ForeignFiles& files,
                                std::optional<int64_t> ranks, TrainJobLoader load);

/// Value, origin and effect of each key, as a table; "" for none.
std::string effects_text(const std::vector<config::Effect>& effects);
/// The same to stderr.
void note_effects(const std::vector<config::Effect>& effects);
/// The job and the table as JSON, for --json.
std::string asked_json(const AskedJob& asked);
/// The same of the videos that one call makes.
std::string jobs_json(const std::vector<config::Resolved<config::GenerateJob>>& jobs);

}  // namespace zt::cli
