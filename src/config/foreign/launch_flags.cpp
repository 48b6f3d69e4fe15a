// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/launch_flags.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text/text.hpp"
#include "config/internal/foreign.hpp"
#include "config/internal/rules.hpp"

namespace zt::config::foreign {
namespace {

using std::string_view_literals::operator""sv;

/// A switch and what it says.
struct Switch {
  std::string_view name, key, value;
};
constexpr Switch kSwitches[] = {
    {"cpu", "use_cpu", "true"},
    {"multi_gpu", "distributed_type", "MULTI_GPU"},
    {"tpu", "distributed_type", "XLA"},
    {"use_deepspeed", "distributed_type", "DEEPSPEED"},
    {"use_fsdp", "distributed_type", "FSDP"},
    {"use_megatron_lm", "distributed_type", "MEGATRON_LM"},
    {"same_network", "same_network", "true"},
    {"enable_cpu_affinity", "enable_cpu_affinity", "true"},
    {"downcast_bf16", "downcast_bf16", "true"},
    {"debug", "debug", "true"},
    {"quiet", "quiet", "true"},
    {"module", "module", "true"},
    {"m", "m", "true"},
    {"no_python", "no_python", "true"},
    {"use_parallelism_config", "use_parallelism_config", "true"},
    {"dynamo_use_fullgraph", "dynamo_use_fullgraph", "true"},
    {"dynamo_use_dynamic", "dynamo_use_dynamic", "true"},
    {"dynamo_use_regional_compilation", "dynamo_use_regional_compilation", "true"}};
/// With a value: the key's own name at the top of the file, or in deepspeed_config.
constexpr std::array kTop = {"mixed_precision"sv, "num_processes"sv,
                             "num_machines"sv,    "machine_rank"sv,
                             "main_process_ip"sv, "main_process_port"sv,
                             "rdzv_backend"sv,    "gpu_ids"sv,
                             "dynamo_backend"sv,  "num_cpu_threads_per_process"sv,
                             "max_restarts"sv,    "monitor_interval"sv,
                             "rdzv_conf"sv,       "tee"sv,
                             "log_dir"sv,         "role"sv,
                             "mpirun_hostfile"sv, "mpirun_ccl"sv,
                             "dynamo_mode"sv};
constexpr std::array kDeepSpeed = {"deepspeed_config_file"sv,
                                   "zero_stage"sv,
                                   "offload_optimizer_device"sv,
                                   "offload_param_device"sv,
                                   "offload_optimizer_nvme_path"sv,
                                   "offload_param_nvme_path"sv,
                                   "gradient_accumulation_steps"sv,
                                   "gradient_clipping"sv,
                                   "zero3_init_flag"sv,
                                   "zero3_save_16bit_model"sv,
                                   "deepspeed_hostfile"sv,
                                   "deepspeed_exclusion_filter"sv,
                                   "deepspeed_inclusion_filter"sv,
                                   "deepspeed_multinode_launcher"sv,
                                   "deepspeed_moe_layer_cls_names"sv};
constexpr std::string_view kKind = "distributed_type";
constexpr std::string_view kFsdp = "fsdp_", kMesh = "parallelism_config_";

/// The YAML key of a flag with a value; nothing for one that accelerate does not have.
std::optional<std::string> key_of(std::string_view name) {
  if (std::ranges::find(kTop, name) != kTop.end()) return std::string(name);
  if (std::ranges::find(kDeepSpeed, name) != kDeepSpeed.end()) return "deepspeed_config." + std::string(name);
  std::string key;
  if (name.starts_with(kFsdp)) key = "fsdp_config." + std::string(name.substr(kFsdp.size()));
  if (name.starts_with(kMesh)) key = "parallelism_config." + std::string(name.substr(kMesh.size()));
  return accelerate_table().find(key) ? std::optional(key) : std::nullopt;
}

/// Words as a POSIX shell splits them: quotes, backslashes, and a backslash at the end of a line.
Result<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  bool is_open = false;  // a word has begun
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    const bool is_space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (quote == 0 && is_space) {
      is_open = false;
      continue;
    }
    const bool escapes = c == '\\' && quote != '\'' && i + 1 < line.size();
    if (escapes && line[i + 1] == '\n') {
      ++i;
      continue;
    }
    if (!std::exchange(is_open, true)) words.emplace_back();
    if (escapes) {
      words.back() += line[++i];
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else {
      words.back() += c;
    }
  }
  if (quote != 0) return broken(fmt::format("accelerate's flags: a {} has no end", quote));
  return words;
}

/// "--num-processes=4" -> "num_processes", "4".
std::pair<std::string, std::optional<std::string>> name_and_value(std::string_view word) {
  word.remove_prefix(word.starts_with("--") ? 2 : 1);
  const size_t equals = word.find('=');
  std::string name(word.substr(0, equals));
  std::ranges::replace(name, '-', '_');
  if (equals == std::string_view::npos) return {std::move(name), std::nullopt};
  return {std::move(name), std::string(word.substr(equals + 1))};
}

/// In place of an earlier one of the same key. Errors: InvalidConfig for a second kind of launch, as
/// accelerate's.
Status keep(LaunchFlags& out, LaunchFlag flag) {
  const auto earlier = std::ranges::find(out.flags, flag.key, &LaunchFlag::key);
  if (earlier != out.flags.end()) {
    if (flag.key == kKind && earlier->value != flag.value)
      return broken(fmt::format("accelerate's flags: {} and {} exclude each other: leave one out",
                                earlier->name, flag.name));
    out.flags.erase(earlier);
  }
  out.flags.push_back(std::move(flag));
  return {};
}

/// --cpu is one of accelerate's kinds too.
Status check_one_kind(const std::vector<LaunchFlag>& flags) {
  const auto cpu = std::ranges::find(flags, "use_cpu", &LaunchFlag::key);
  const auto kind = std::ranges::find(flags, kKind, &LaunchFlag::key);
  if (cpu == flags.end() || kind == flags.end()) return {};
  return broken(
      fmt::format("accelerate's flags: {} and {} exclude each other: leave one out", cpu->name, kind->name));
}

/// The map of a section, made if there is none.
YamlNode& section(YamlNode& root, std::string_view name, Position at) {
  const auto found = std::ranges::find(root.children, name, &YamlNode::key);
  if (found != root.children.end() && found->kind == YamlNode::Kind::Map) return *found;
  if (found != root.children.end()) root.children.erase(found);
  return root.children.emplace_back(make_node(YamlNode::Kind::Map, name, "", at));
}

}  // namespace

Result<LaunchFlags> read_flags(std::string_view command_line) {
  ZT_TRY_ASSIGN(const std::vector<std::string> words, split_words(command_line));
  LaunchFlags out;
  size_t at = 0;
  for (const std::string_view before : {"accelerate", "launch"})
    if (at < words.size() && words[at] == before) ++at;
  for (; at < words.size() && words[at].starts_with('-'); ++at) {
    auto [name, value] = name_and_value(words[at]);
    const std::string written = "--" + name;
    if (const auto* found = std::ranges::find(kSwitches, name, &Switch::name); found != std::end(kSwitches)) {
      ZT_TRY(keep(out, {written, std::string(found->key), std::string(found->value)}));
      continue;
    }
    const bool is_file = name == "config_file";
    const std::optional<std::string> key = key_of(name);
    if (!is_file && !key)
      return broken(
          fmt::format("accelerate's flags: {} is none that is known here (docs/deepspeed.md lists the "
                      "keys of its YAML, of which each has a flag)",
                      text::quoted(words[at])));
    if (!value && at + 1 < words.size()) value = words[++at];
    if (!value) return broken(fmt::format("accelerate's flags: {} has no value", written));
    if (is_file) out.config_file = *value;
    if (key) ZT_TRY(keep(out, {written, *key, *value}));
  }
  ZT_TRY(check_one_kind(out.flags));
  return out;
}

void put_flags(LaunchFlags flags, Source& source, YamlNode& root) {
  if (flags.flags.empty()) return;
  const auto is_kind = [](const LaunchFlag& flag) { return flag.key == kKind; };
  if (!root.find(kKind) && std::ranges::none_of(flags.flags, is_kind))
    flags.flags.push_back({"--multi_gpu", std::string(kKind), "MULTI_GPU"});
  if (!source.text.empty() && !source.text.ends_with('\n')) source.text += '\n';
  root.kind = YamlNode::Kind::Map;
  auto line = static_cast<size_t>(std::ranges::count(source.text, '\n'));
  for (const LaunchFlag& flag : flags.flags) {
    const Position at{line++, flag.name.size() + 1};
    source.text += flag.name + " " + flag.value + "\n";
    const size_t dot = flag.key.find('.');
    YamlNode& map = dot == std::string::npos ? root : section(root, flag.key.substr(0, dot), at);
    const std::string key = flag.key.substr(dot == std::string::npos ? 0 : dot + 1);
    // Sections of FSDP may spell their keys with a prefix.
    std::erase_if(map.children,
                  [&](const YamlNode& one) { return one.key == key || one.key == "fsdp_" + key; });
    map.children.push_back(make_node(YamlNode::Kind::Scalar, key, flag.value, at));
  }
}

}  // namespace zt::config::foreign
