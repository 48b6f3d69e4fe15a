// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/launch_environment.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/foreign/accelerate.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::string_view kKind = "distributed_type";

struct Variable {
  std::string_view name;
  std::string_view key;         ///< of accelerate's YAML
  std::string_view value = "";  ///< what `true` means for the key; empty: the variable's own text
};

/// Those that can change what is trained, where, or how it is shared. All others name only another way to the
/// same numbers.
constexpr Variable kVariables[] = {
    {"ACCELERATE_USE_DEEPSPEED", kKind, "DEEPSPEED"},
    {"ACCELERATE_USE_FSDP", kKind, "FSDP"},
    {"ACCELERATE_USE_MEGATRON_LM", kKind, "MEGATRON_LM"},
    {"ACCELERATE_USE_CPU", "use_cpu"},
    {"ACCELERATE_MIXED_PRECISION", "mixed_precision"},
    {"ACCELERATE_DEEPSPEED_CONFIG_FILE", "deepspeed_config.deepspeed_config_file"},
    {"ACCELERATE_DEEPSPEED_ZERO_STAGE", "deepspeed_config.zero_stage"},
    {"ACCELERATE_GRADIENT_ACCUMULATION_STEPS", "deepspeed_config.gradient_accumulation_steps"},
    {"ACCELERATE_GRADIENT_CLIPPING", "deepspeed_config.gradient_clipping"},
    {"ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE", "deepspeed_config.offload_optimizer_device"},
    {"ACCELERATE_DEEPSPEED_OFFLOAD_PARAM_DEVICE", "deepspeed_config.offload_param_device"},
    {"FSDP_VERSION", "fsdp_config.version"},
    {"FSDP_SHARDING_STRATEGY", "fsdp_config.sharding_strategy"},
    {"FSDP_RESHARD_AFTER_FORWARD", "fsdp_config.reshard_after_forward"},
    {"FSDP_OFFLOAD_PARAMS", "fsdp_config.offload_params"},
    {"FSDP_ACTIVATION_CHECKPOINTING", "fsdp_config.activation_checkpointing"},
    {"PARALLELISM_CONFIG_DP_REPLICATE_SIZE", "parallelism_config.dp_replicate_size"},
    {"PARALLELISM_CONFIG_DP_SHARD_SIZE", "parallelism_config.dp_shard_size"},
    {"PARALLELISM_CONFIG_TP_SIZE", "parallelism_config.tp_size"},
    {"PARALLELISM_CONFIG_CP_SIZE", "parallelism_config.cp_size"},
    {"PARALLELISM_CONFIG_SP_SIZE", "parallelism_config.sp_size"},
};

/// The key's value, or nothing where the variable asks for nothing.
std::optional<std::string> asked(const Variable& variable, const Environment& environment) {
  const auto found = environment.find(variable.name);
  if (found == environment.end()) return std::nullopt;
  const std::string value = lower(found->second);
  if (value.empty() || value == "none" || (variable.key == "mixed_precision" && value == "no"))
    return std::nullopt;
  if (variable.value.empty()) return found->second;
  return value == "true" ? std::optional<std::string>(variable.value) : std::nullopt;
}

std::string_view name_of(std::string_view key) {
  return std::ranges::find(kVariables, key, &Variable::key)->name;
}

}  // namespace

Result<std::optional<KeyFile>> read_environment(const Environment& environment) {
  Source source{"the environment", ""};
  YamlNode root;
  root.kind = YamlNode::Kind::Map;
  for (const Variable& variable : kVariables) {
    auto value = asked(variable, environment);
    if (!value) continue;
    const Position at{root.children.size(), variable.name.size() + 1};
    source.text += std::string(variable.name) + "=" + environment.find(variable.name)->second + "\n";
    root.children.push_back(make_node(YamlNode::Kind::Scalar, variable.key, std::move(*value), at));
  }
  if (root.children.empty()) return std::nullopt;
  // Accumulation counts without any of the kinds as well.
  if (!root.find(kKind)) root.children.push_back(make_node(YamlNode::Kind::Scalar, kKind, "DEEPSPEED", {}));
  ZT_TRY_ASSIGN(KeyFile file, read_accelerate(std::move(source), root));
  for (Entry& entry : file.entries) entry.written = name_of(entry.row->key);
  return std::optional(std::move(file));
}

}  // namespace zt::config::foreign
