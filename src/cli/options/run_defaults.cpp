// SPDX-License-Identifier: Apache-2.0
#include "cli/options/run_defaults.hpp"

#include <fmt/format.h>

#include <string>

#include "cli/output/output.hpp"
#include "config/meaning/run_context.hpp"
#include "config/paths.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {
namespace {

/// Pictures of another size than the networks were trained on are slower by its square and seldom good.
void take_size(const config::TrainJob& trained, const std::string& run_id,
               config::Resolved<config::GenerateJob>& resolved) {
  config::GenerateJob& job = resolved.job;
  std::string& width = resolved.origins["width"];
  std::string& height = resolved.origins["height"];
  if (!config::is_default_origin(width) || !config::is_default_origin(height)) return;
  job.width = trained.data.width;
  job.height = trained.data.height;
  width = height = "run " + run_id;
  note(fmt::format("zoetrope: note: {}x{}, the size that {} was trained at (-W, -H: another)", job.width,
                   job.height, run_id));
}

}  // namespace

Status take_run_defaults(config::Resolved<config::GenerateJob>& resolved) {
  const auto run = contract::RunFolder::open(resolved.job.run);
  if (!run) return {};
  const auto trained = config::thaw_run(run->run_yaml(), run->places());
  if (!trained) return {};
  const std::string& run_id = run->identity().run_id;
  take_size(*trained, run_id, resolved);
  ZT_TRY_ASSIGN(const auto lines, config::fit_context(*trained, run_id, resolved));
  for (const std::string& line : lines) note("zoetrope: note: " + line);
  return {};
}

}  // namespace zt::cli
