// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/accelerate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

#include "base/limits.hpp"
#include "base/text/text.hpp"
#include "config/foreign/offload.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::array<std::string_view, 5> kKinds = {"NO", "MULTI_CPU", "MULTI_GPU", "DEEPSPEED", "FSDP"};
constexpr std::string_view kStage = "parallel.zero_stage", kPrecision = "precision.mixed_precision",
                           kShardRanks = "parallel.shard_ranks";

int64_t whole_or(const KeyFile& file, std::string_view key, int64_t otherwise) {
  const Entry* entry = file.find(key);
  return entry ? whole(*entry) : otherwise;
}

std::string text_or(const KeyFile& file, std::string_view key, std::string otherwise) {
  const Entry* entry = file.find(key);
  return entry ? entry->value : std::move(otherwise);
}

bool is_kind(const KeyFile& file, std::string_view kind) {
  return file.find("distributed_type")->value == kind;
}

Status check_kind(const KeyFile& file) {
  const Entry* kind = file.find("distributed_type");
  if (!kind) return fail(file.source.error({}, "distributed_type is missing: accelerate demands it"));
  if (std::ranges::find(kKinds, kind->value) != kKinds.end()) return {};
  return fail(
      file.error(*kind, fmt::format("distributed_type: only {} are built, found {}",
                                    text::join(std::vector<std::string>(kKinds.begin(), kKinds.end()), ", "),
                                    text::quoted(kind->value))));
}

/// What a DeepSpeed file says must not be said beside it.
Status check_deepspeed_file(const KeyFile& file) {
  if (!file.find("deepspeed_config.deepspeed_config_file")) return {};
  std::vector<std::string> both;
  for (const std::string_view key :
       {"zero_stage", "gradient_accumulation_steps", "gradient_clipping", "offload_optimizer_device",
        "offload_param_device", "offload_optimizer_nvme_path", "offload_param_nvme_path",
        "zero3_save_16bit_model"})
    if (file.find(fmt::format("deepspeed_config.{}", key))) both.emplace_back(key);
  if (both.empty()) return {};
  return fail(file.error(*file.find("deepspeed_config.deepspeed_config_file"),
                         fmt::format("deepspeed_config_file excludes {} beside it: say it in that file alone",
                                     text::join(both, ", "))));
}

/// What FSDP is asked to shard.
struct Sharding {
  int64_t stage = 3;           ///< of ZeRO
  bool is_in_machine = false;  ///< each machine has a copy of its own
};

Result<Sharding> fsdp_sharding(const KeyFile& file) {
  if (whole_or(file, "fsdp_config.version", 1) == 2) {
    const std::string reshard = lower(text_or(file, "fsdp_config.reshard_after_forward", "true"));
    return Sharding{.stage = reshard == "true" || reshard == "full_shard" ? 3 : 2};
  }
  struct Strategy {
    std::string_view name, number;
    Sharding sharding;
  };
  constexpr Strategy kStrategies[] = {{"FULL_SHARD", "1", {3, false}},
                                      {"SHARD_GRAD_OP", "2", {2, false}},
                                      {"NO_SHARD", "3", {0, false}},
                                      {"HYBRID_SHARD", "4", {3, true}},
                                      {"HYBRID_SHARD_ZERO2", "5", {2, true}}};
  const Entry* entry = file.find("fsdp_config.sharding_strategy");
  if (!entry) return Sharding{};
  for (const Strategy& known : kStrategies)
    if (entry->value == known.name || entry->value == known.number) return known.sharding;
  return fail(file.error(*entry,
                         "sharding_strategy: wanted FULL_SHARD, SHARD_GRAD_OP, NO_SHARD, HYBRID_SHARD or "
                         "HYBRID_SHARD_ZERO2"));
}

/// Ranks in each direction of parallelism_config.
struct Mesh {
  int64_t copies, shards;
};

Mesh mesh_of(const KeyFile& file) {
  return {whole_or(file, "parallelism_config.dp_replicate_size", 1),
          whole_or(file, "parallelism_config.dp_shard_size", 1)};
}

/// accelerate 1.14 ends with an error too (parallelism_config.py, _validate_accelerator).
Status check_mesh(const KeyFile& file) {
  const Mesh mesh = mesh_of(file);
  if (!is_kind(file, "FSDP") || whole_or(file, "fsdp_config.version", 1) == 2) return {};
  if (mesh.copies == 1 && mesh.shards == 1) return {};
  const Entry* copies = file.find("parallelism_config.dp_replicate_size");
  return fail(file.error(copies ? *copies : *file.find("parallelism_config.dp_shard_size"),
                         "parallelism_config needs FSDP's version 2: set fsdp_config.fsdp_version: 2, or "
                         "leave this section out"));
}

Result<std::vector<Ask>> strategy_asks(const KeyFile& file, const Entry& entry, int64_t ranks) {
  const Mesh mesh = mesh_of(file);
  if (mesh.copies > 1 && mesh.shards == 1)
    return std::vector{says(file, entry, "not used: dp_shard_size is 1, so that every rank has a copy")};
  ZT_TRY_ASSIGN(const Sharding sharding, fsdp_sharding(file));
  std::vector<Ask> asks{wants(file, entry, kStage, std::to_string(sharding.stage))};
  const int64_t machines = whole_or(file, "num_machines", 1);
  if (!sharding.is_in_machine || machines == 1) return asks;
  if (machines < 1 || ranks % machines != 0)
    return fail(file.error(entry, fmt::format("{} ranks do not divide into {} machines", ranks, machines)));
  asks.push_back(wants(file, entry, kShardRanks, std::to_string(ranks / machines)));
  return asks;
}

Result<std::vector<Ask>> fsdp_asks(const KeyFile& file, const Entry& entry, int64_t ranks) {
  const std::string_view key = entry.row->key;
  if (key == "fsdp_config.activation_checkpointing")
    return std::vector{entry.value == "true" ? wants(file, entry, "gradient_checkpointing", "true")
                                             : says(file, entry, "gradient_checkpointing is the job's")};
  if (key == "fsdp_config.offload_params") {
    ZT_TRY_ASSIGN(Ask ask, offload_weights_ask(file, entry, 3));
    return std::vector{std::move(ask)};
  }
  if (key == "fsdp_config.version") return std::vector{says(file, entry, "as here")};
  const bool is_second = whole_or(file, "fsdp_config.version", 1) == 2;
  if ((key == "fsdp_config.reshard_after_forward") != is_second)
    return std::vector{says(file, entry, fmt::format("not used: it is for version {}", is_second ? 1 : 2))};
  return strategy_asks(file, entry, ranks);
}

Result<Ask> mesh_ask(const KeyFile& file, const Entry& entry, int64_t ranks) {
  const auto [copies, shards] = mesh_of(file);
  if (copies < 1 || shards < 1 || copies > ranks || shards > ranks ||
      (copies * shards != ranks && copies * shards != 1))
    return fail(
        file.error(entry, fmt::format("dp_replicate_size x dp_shard_size is {} x {}, and there are {} ranks",
                                      copies, shards, ranks)));
  const bool is_copies = entry.row->key == "parallelism_config.dp_replicate_size";
  if (is_copies && copies > 1 && shards == 1) return wants(file, entry, kStage, "0");
  if (!is_copies && copies > 1 && shards > 1) return wants(file, entry, kShardRanks, std::to_string(shards));
  return says(file, entry, "as here");
}

Result<Ask> precision_ask(const KeyFile& file, const Entry& entry) {
  const std::string name = lower(entry.value);
  if (name == "no" || name == "false") return wants(file, entry, kPrecision, "fp32");
  if (name == "fp16" || name == "bf16") return wants(file, entry, kPrecision, name);
  return fail(
      file.error(entry, fmt::format("mixed_precision: wanted no, fp16 or bf16, found {}; bf16 is the nearest "
                                    "to fp8",
                                    text::quoted(entry.value))));
}

std::string ranks_text(const KeyFile& file, int64_t ranks) {
  const auto asked = ranks_of(file);
  if (asked && *asked != ranks) return fmt::format("{} ranks: --ranks wins", ranks);
  return fmt::format("{} rank{}", ranks, ranks == 1 ? "" : "s");
}

/// The ZeRO stage that accelerate takes where its file names none; nothing where it does, or another file
/// may.
std::optional<int64_t> implied_stage(const KeyFile& file) {
  const auto has = [&](std::string_view key) { return file.find(key) != nullptr; };
  if (is_kind(file, "DEEPSPEED") && !has("deepspeed_config.zero_stage") &&
      !has("deepspeed_config.deepspeed_config_file"))
    return 2;
  const bool is_second = whole_or(file, "fsdp_config.version", 1) == 2;
  const Mesh mesh = mesh_of(file);
  if (is_kind(file, "FSDP") && (mesh.copies == 1 || mesh.shards > 1) &&
      !has(is_second ? "fsdp_config.reshard_after_forward" : "fsdp_config.sharding_strategy"))
    return 3;
  return std::nullopt;
}

Ask kind_ask(const KeyFile& file, const Entry& entry) {
  const auto stage = implied_stage(file);
  return stage ? brings(file, entry, kStage, std::to_string(*stage))
               : says(file, entry, "ranks divide each batch");
}

Result<Ask> special_ask(const KeyFile& file, const Entry& entry, int64_t ranks) {
  const std::string_view key = entry.row->key;
  if (key == "fp16")
    return entry.value == "true" && !file.find("mixed_precision")
               ? wants(file, entry, kPrecision, "fp16")
               : says(file, entry, "not used: mixed_precision says it");
  if (key == "use_cpu")
    return entry.value == "true" ? wants(file, entry, "device", "cpu")
                                 : says(file, entry, "device is the job's");
  if (key == "num_processes") return says(file, entry, ranks_text(file, ranks));
  if (key == "distributed_type") return kind_ask(file, entry);
  if (key == "deepspeed_config.deepspeed_config_file") return says(file, entry, "its keys follow");
  if (key == "deepspeed_config.offload_optimizer_device") return offload_ask(file, entry);
  if (key == "deepspeed_config.offload_param_device")
    return offload_weights_ask(file, entry, whole_or(file, "deepspeed_config.zero_stage", 2));
  if (key.starts_with("parallelism_config.")) return mesh_ask(file, entry, ranks);
  return precision_ask(file, entry);
}

/// Sections that the kind of training leaves unused.
bool is_unused(const KeyFile& file, std::string_view key) {
  return (key.starts_with("deepspeed_config.") && !is_kind(file, "DEEPSPEED")) ||
         (key.starts_with("fsdp_config.") && !is_kind(file, "FSDP"));
}

}  // namespace

std::optional<int64_t> ranks_of(const KeyFile& file) {
  const int64_t processes = whole_or(file, "num_processes", -1);
  if (processes >= 1) return processes;
  return is_kind(file, "NO") ? std::optional<int64_t>(1) : std::nullopt;
}

Result<std::filesystem::path> deepspeed_file_of(const KeyFile& file) {
  const Entry* entry = file.find("deepspeed_config.deepspeed_config_file");
  if (!entry || !is_kind(file, "DEEPSPEED")) return std::filesystem::path();
  std::filesystem::path found = find_file(file.source, entry->value);
  std::error_code ignored;
  if (std::filesystem::exists(found, ignored)) return found;
  return fail(
      file.error(*entry, fmt::format("{} is neither in the working folder nor beside this file or above "
                                     "it",
                                     text::quoted(entry->value))));
}

Result<KeyFile> read_accelerate(Source source, const YamlNode& root) {
  ZT_TRY_ASSIGN(KeyFile file, read_keys(std::move(source), root, accelerate_table()));
  ZT_TRY(check_kind(file));
  ZT_TRY(check_deepspeed_file(file));
  ZT_TRY(check_mesh(file));
  const int64_t processes = whole_or(file, "num_processes", -1);
  if (processes < -1 || processes == 0 || processes > kMaxRanks)
    return fail(
        file.error(*file.find("num_processes"),
                   fmt::format("num_processes: wanted 1 to {}, or -1, found {}", kMaxRanks, processes)));
  return file;
}

Result<std::vector<Ask>> accelerate_asks(const KeyFile& file, int64_t ranks) {
  std::vector<Ask> asks;
  for (const Entry& entry : file.entries) {
    if (is_unused(file, entry.row->key)) {
      asks.push_back(
          says(file, entry,
               fmt::format("not used: distributed_type is {}", file.find("distributed_type")->value)));
    } else if (entry.row->does == Does::Special && entry.row->key.starts_with("fsdp_config.")) {
      ZT_TRY_ASSIGN(const std::vector<Ask> more, fsdp_asks(file, entry, ranks));
      asks.insert(asks.end(), more.begin(), more.end());
    } else if (entry.row->does == Does::Special) {
      ZT_TRY_ASSIGN(Ask ask, special_ask(file, entry, ranks));
      asks.push_back(std::move(ask));
    } else {
      asks.push_back(plain_ask(file, entry));
    }
  }
  return asks;
}

}  // namespace zt::config::foreign
