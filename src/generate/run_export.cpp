// SPDX-License-Identifier: Apache-2.0
#include "generate/run_export.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "base/files/files.hpp"
#include "base/process/resources.hpp"
#include "config/enum_names.hpp"
#include "config/scheduler_file.hpp"
#include "config/trained_as_file.hpp"
#include "generate/budget.hpp"
#include "generate/load_run.hpp"
#include "models/export_folder.hpp"
#include "models/run_model.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;

/// Absolute, and without the slash that a shell's completion leaves at the end of a folder's name.
fs::path target_folder(const std::string& output) {
  const fs::path path = files::whole_path(output).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

Status require_free(const fs::path& target) {
  std::error_code ec;
  if (!fs::exists(target, ec) || (fs::is_directory(target, ec) && fs::is_empty(target, ec))) return {};
  return fail(
      ErrorCode::AlreadyExists,
      fmt::format("{} is there and not an empty folder: name another, or remove it", target.string()));
}

Result<LoadedModel> load(const config::ExportJob& job, const fs::path& target) {
  LoadModelOptions options{.weights = {.use_ema = job.use_ema, .checkpoint = job.checkpoint}};
  options.before_networks = [&](const ModelOutline& model) -> Status {
    const std::vector<resources::Demand> demands = export_demands(model);
    // The encoders are in memory already.
    ZT_TRY(resources::require_memory(std::span(demands).first(1),
                                     "end other programs, or export on a larger machine"));
    return resources::require_disk(target, demands, "free some space, or write elsewhere (-o)");
  };
  return load_run(job.run, options);
}

Status write_whole(const LoadedModel& model, const config::TrainJob& run, const fs::path& target,
                   config::ExportLayout layout) {
  files::remove_leftovers_of(target);
  ZT_TRY_ASSIGN(const files::Temporary folder, files::Temporary::folder(target));
  ZT_TRY(models::export_networks(model.networks, model.codec.get(), model.image_encoder.get(), folder.path(),
                                 layout));
  const fs::path scheduler = config::scheduler_file(folder.path());
  ZT_TRY(files::make_folders(scheduler.parent_path()));
  ZT_TRY(
      files::write_atomic(scheduler, config::scheduler_json(run.schedule, run.validation.timestep_spacing)));
  ZT_TRY(files::write_atomic(config::trained_as_file(folder.path()), config::trained_as_json(run)));
  // An empty folder in the target's place is replaced; one that was filled meanwhile is an error.
  return files::rename_durable(folder.path(), target);
}

std::string report(const config::ExportJob& job, const fs::path& target, const LoadedModel& model) {
  std::vector<std::string> parts;
  // Written a moment ago: what cannot be read of it any more is only not counted.
  std::error_code error;
  for (fs::directory_iterator item(target, error), end; !error && item != end; item.increment(error))
    parts.push_back(item->path().filename().string());
  std::sort(parts.begin(), parts.end());
  uint64_t bytes = 0;
  error.clear();
  for (fs::recursive_directory_iterator item(target, error), end; !error && item != end;
       item.increment(error)) {
    std::error_code unreadable;
    const uint64_t size = item->is_regular_file(unreadable) ? item->file_size(unreadable) : 0;
    if (!unreadable) bytes += size;
  }
  nlohmann::ordered_json out;
  out["output"] = target.string();
  out["layout"] = config::name(job.layout);
  out["parts"] = parts;
  out["bytes"] = bytes;
  out["weights"] = model.source;
  out["weights_digest"] = model.digest;
  return out.dump();
}

}  // namespace

Result<std::string> run_export(const config::ExportJob& job, const Hooks& hooks) {
  const fs::path target = target_folder(job.output);
  ZT_TRY(require_free(target));
  ZT_TRY(files::require_writable_folder(target.parent_path()));
  hooks.say(contract::Phase::Loading, "reading the checkpoint");
  ZT_TRY_ASSIGN(const config::TrainJob run, models::run_config(job.run));
  ZT_TRY_ASSIGN(const LoadedModel model, load(job, target));
  ZT_TRY(hooks.check());
  hooks.say(contract::Phase::Saving, "writing the networks");
  ZT_TRY(files::make_folders(target.parent_path()));
  ZT_TRY(write_whole(model, run, target, job.layout));
  return report(job, target, model);
}

}  // namespace zt::generate
