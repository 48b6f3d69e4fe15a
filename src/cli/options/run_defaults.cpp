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
#include "config/scheduler_file.hpp"
#include "config/trained_as_file.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {
namespace {

/// As the run's newest attempt trains; nothing if it can't be read.
std::optional<config::Trained> trained_as(const std::string& path) {
  const auto run = contract::RunFolder::open(path);
  if (!run) return {};
  const auto file = run->config_file(std::numeric_limits<int64_t>::max());
  if (!file) return {};
  auto job = config::thaw_run(*file, run->places());
  if (!job) return {};
  const std::string& run_id = run->identity().run_id;
  return config::Trained{*std::move(job), run_id, "run " + run_id};
}

Status take_defaults(const config::Trained& trained, config::Resolved<config::GenerateJob>& resolved) {
  ZT_TRY_ASSIGN(const auto size, config::take_size(trained, resolved));
  note_all(size);
  ZT_TRY_ASSIGN(const auto sampling, config::take_sampling(trained, resolved));
  note_all(sampling);
  ZT_TRY_ASSIGN(const auto drawing, config::take_drawing(trained, resolved));
  if (config::holds_keypoints(resolved.job.pose)) note_all(drawing);
  ZT_TRY_ASSIGN(const auto context, config::fit_context(trained, resolved));
  note_all(context);
  return {};
}

}  // namespace

Status take_run_defaults(config::Resolved<config::GenerateJob>& resolved) {
  const auto trained = trained_as(resolved.job.run);
  return trained ? take_defaults(*trained, resolved) : Status{};
}

Status take_weights_defaults(config::Resolved<config::GenerateJob>& resolved) {
  const std::string folder = resolved.job.weights;
  ZT_TRY_ASSIGN(const auto trained, config::read_trained_as(folder));
  if (trained) ZT_TRY(config::take_schedule(*trained, resolved));
  ZT_TRY(config::take_scheduler(folder, resolved));
  return trained ? take_defaults(*trained, resolved) : Status{};
}

Status take_run_defaults(config::Resolved<config::EvalJob>& resolved) {
  const auto trained = trained_as(resolved.job.run);
  if (!trained) return {};
  config::Resolved<config::EvalJob> as_baseline = resolved;
  ZT_TRY_ASSIGN(const auto sampling, config::take_sampling(*trained, resolved));
  note_all(sampling);
  if (const auto baseline = trained_as(resolved.job.baseline_run)) {
    ZT_TRY_ASSIGN(const auto its_own, config::take_sampling(*baseline, as_baseline));
    if (config::digest(as_baseline.job) != config::digest(resolved.job))
      note(fmt::format("zoetrope: note: {} is sampled likewise, not as in its own validation{}",
                       baseline->name, its_own.empty() ? "" : " (" + its_own.front() + ")"));
  }
  return {};
}

}  // namespace zt::cli
