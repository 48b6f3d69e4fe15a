// SPDX-License-Identifier: Apache-2.0
#include "cli/options/run_defaults.hpp"

#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/output/output.hpp"
#include "config/meaning/run_context.hpp"
#include "config/meaning/run_settings.hpp"
#include "config/paths.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {
namespace {

struct Trained {
  std::string run_id;
  config::TrainJob job;
};

/// As the run's newest attempt trains; nothing if it can't be read.
std::optional<Trained> trained_as(const std::string& path) {
  const auto run = contract::RunFolder::open(path);
  if (!run) return {};
  const auto file = run->config_file(std::numeric_limits<int64_t>::max());
  if (!file) return {};
  auto job = config::thaw_run(*file, run->places());
  if (!job) return {};
  return Trained{run->identity().run_id, *std::move(job)};
}

}  // namespace

Status take_run_defaults(config::Resolved<config::GenerateJob>& resolved) {
  const auto trained = trained_as(resolved.job.run);
  if (!trained) return {};
  const auto& [run_id, job] = *trained;
  ZT_TRY_ASSIGN(const auto size, config::take_size(job, run_id, resolved));
  note_all(size);
  ZT_TRY_ASSIGN(const auto sampling, config::take_sampling(job, run_id, resolved));
  note_all(sampling);
  ZT_TRY_ASSIGN(const auto drawing, config::take_drawing(job, run_id, resolved));
  note_all(drawing);
  ZT_TRY_ASSIGN(const auto context, config::fit_context(job, run_id, resolved));
  note_all(context);
  return {};
}

Status take_run_defaults(config::Resolved<config::EvalJob>& resolved) {
  const auto trained = trained_as(resolved.job.run);
  if (!trained) return {};
  config::Resolved<config::EvalJob> as_baseline = resolved;
  ZT_TRY_ASSIGN(const auto sampling, config::take_sampling(trained->job, trained->run_id, resolved));
  note_all(sampling);
  if (const auto baseline = trained_as(resolved.job.baseline_run)) {
    ZT_TRY_ASSIGN(const auto its_own, config::take_sampling(baseline->job, baseline->run_id, as_baseline));
    if (config::digest(as_baseline.job) != config::digest(resolved.job))
      note(fmt::format("zoetrope: note: {} is sampled likewise, not as in its own validation{}",
                       baseline->run_id, its_own.empty() ? "" : " (" + its_own.front() + ")"));
  }
  return {};
}

}  // namespace zt::cli
