// SPDX-License-Identifier: Apache-2.0
#include "cli/output/run_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

}  // namespace

std::string step_text(const contract::RunState& state) {
  return state.total_steps > 0 ? fmt::format("{}/{}", state.step, state.total_steps)
                               : fmt::format("{}", state.step);
}

std::string number_text(const std::optional<double>& value) {
  if (!value) return "-";
  return fmt::format("{:.4g}", std::isnan(*value) ? std::abs(*value) : *value);  // no "-nan"
}

json run_json(const contract::RunFolder& run, const contract::RunState& state) {
  const auto& id = run.identity();
  return {{"run_id", id.run_id},
          {"name", id.name},
          {"kind", id.kind},
          {"parent", id.parent},
          {"created_at", id.created_at},
          {"path", run.path().string()},
          {"condition", contract::name(state.condition)},
          {"generation", state.generation},
          {"step", state.step},
          {"total_steps", state.total_steps},
          {"train_loss", optional_number(state.train_loss)},
          {"validation_loss", optional_number(state.validation_loss)},
          {"best_loss", optional_number(state.best_loss)},
          {"samples_per_s", optional_number(state.samples_per_s)},
          {"message", state.message}};
}

json damaged_json(const std::filesystem::path& folder, const Error& defect) {
  return {{"run_id", folder.filename().string()},
          {"path", folder.string()},
          {"condition", kDamaged},
          {"message", defect.text()}};
}

std::string damaged_text(const std::filesystem::path& folder, const Error& defect) {
  return fmt::format("{} can't be read: {}", folder.string(), defect.text());
}

}  // namespace zt::cli
