// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/deepspeed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "base/text/text.hpp"
#include "config/foreign/batch_triangle.hpp"
#include "config/foreign/offload.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::string_view kTotal = "train_batch_size", kMicro = "train_micro_batch_size_per_gpu",
                           kAccumulation = "gradient_accumulation_steps";
constexpr std::string_view kOurBatch = "data.train_bs",
                           kOurAccumulation = "optimizer.gradient_accumulation_steps";
constexpr std::string_view kPrecision = "precision.mixed_precision";
constexpr std::string_view kOptimizers[] = {"Adam", "AdamW", "Adam8bit", "AdamW8bit", "PagedAdamW8bit"};
constexpr std::string_view kSchedulers[] = {"WarmupLR", "WarmupDecayLR", "WarmupCosineLR"};

std::optional<int64_t> number_of(const Entry* entry) {
  return entry && !entry->is_auto ? std::optional(whole(*entry)) : std::nullopt;
}

bool is_batch_key(std::string_view key) { return key == kTotal || key == kMicro || key == kAccumulation; }

/// The three batch keys, with what the job says where they leave something open.
Result<std::vector<Ask>> batch_asks(const KeyFile& file, const Resolved<TrainJob>& resolved, int64_t ranks) {
  const TrainJob& job = resolved.job;
  const Entry *total = file.find(kTotal), *micro = file.find(kMicro),
              *accumulation = file.find(kAccumulation);
  const Entry* first = micro ? micro : total ? total : accumulation;
  BatchKeys keys{number_of(total), number_of(micro), number_of(accumulation)};
  for (const Entry* entry : {total, micro, accumulation})
    if (const auto number = number_of(entry); number && !is_batch_number(*number))
      return fail(file.error(
          *entry, fmt::format("{}: wanted 1 to {}, found {}", entry->written, kMostSamples, *number)));

  const bool fills_micro = (micro && micro->is_auto) || (total && total->is_auto && !micro);
  if (fills_micro && job.data.train_bs * job.lanes % ranks != 0)
    return fail(file.error(
        *first, fmt::format("\"auto\" can't be filled: {} lanes of {} samples do not divide into {} "
                            "ranks",
                            job.lanes, job.data.train_bs, ranks)));
  if (fills_micro) keys.micro = job.data.train_bs * job.lanes / ranks;
  const bool job_accumulates = !is_default_origin(resolved.origins.find(kOurAccumulation)->second);
  if ((accumulation && accumulation->is_auto) || (!accumulation && job_accumulates))
    keys.accumulation = job.optimizer.gradient_accumulation_steps;

  auto batch = complete_batch(keys, ranks);
  if (!batch && first) return fail(file.error(*first, batch.error().message));
  if (!batch) return fail(file.source.error({}, batch.error().message));
  const int64_t of_rank = batch->micro * ranks;
  if (of_rank % job.lanes != 0)
    return fail(file.error(
        *first, fmt::format("{} samples per forward of {} ranks do not divide into {} lanes; change "
                            "lanes or the batch",
                            of_rank, ranks, job.lanes)));
  const std::string train_bs = std::to_string(of_rank / job.lanes),
                    steps = std::to_string(batch->accumulation);

  std::vector<Ask> asks;
  if (total) {
    asks.push_back(
        says(file, *total, fmt::format("{} x {} x {} ranks", batch->micro, batch->accumulation, ranks)));
    if (!total->is_auto && !micro) asks.push_back(wants(file, *total, kOurBatch, train_bs));
    if (!total->is_auto && !accumulation) asks.push_back(wants(file, *total, kOurAccumulation, steps));
  }
  if (micro)
    asks.push_back(micro->is_auto ? keeps(file, *micro, kOurBatch)
                                  : wants(file, *micro, kOurBatch, train_bs));
  if (accumulation)
    asks.push_back(accumulation->is_auto ? keeps(file, *accumulation, kOurAccumulation)
                                         : wants(file, *accumulation, kOurAccumulation, steps));
  return asks;
}

/// precision.mixed_precision's name for DeepSpeed's.
std::optional<std::string> dtype_of(const KeyFile& file) {
  const Entry* dtype = file.find("torch_autocast.dtype");
  const std::string name = dtype ? dtype->value.substr(dtype->value.rfind('.') + 1) : "bfloat16";
  if (name == "bfloat16") return "bf16";
  if (name == "float16") return "fp16";
  return std::nullopt;
}

/// fp16, bf16 and torch_autocast: which is switched on says the precision; "false" says what it is not.
Result<Ask> precision_ask(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  if (entry.is_auto) return keeps(file, entry, kPrecision);
  std::string name(entry.row->key.substr(0, entry.row->key.find('.')));
  if (name == "torch_autocast") {
    const auto dtype = dtype_of(file);
    if (!dtype)
      return fail(
          file.error(*file.find("torch_autocast.dtype"), "torch_autocast.dtype: wanted bfloat16 or float16"));
    name = *dtype;
  }
  if (entry.value == "true") return wants(file, entry, kPrecision, name);
  const std::string now = value_of(job, kPrecision);
  const bool is_said_elsewhere = std::ranges::any_of(file.entries, [](const Entry& other) {
    return other.row->key.ends_with(".enabled") && other.value != "false" && other.row->does == Does::Special;
  });
  if (now == name && !is_said_elsewhere) return wants(file, entry, kPrecision, "fp32");
  return says(file, entry, fmt::format("not {}", name));
}

/// What transformers' rule makes of "auto" sizes, from the widest level of the networks.
Ask size_ask(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  const std::string not_used = fmt::format("not used: {}", entry.row->reason);
  if (!entry.is_auto) return says(file, entry, not_used);
  const auto& widths = job.model.unet.block_out_channels;
  const int64_t hidden = widths.empty() ? 0 : std::ranges::max(widths);
  const auto square = static_cast<double>(hidden) * static_cast<double>(hidden);
  double size = square;
  if (entry.row->key.ends_with("stage3_prefetch_bucket_size")) size = std::floor(0.9 * square);
  if (entry.row->key.ends_with("stage3_param_persistence_threshold")) size = 10 * static_cast<double>(hidden);
  return says(file, entry,
              fmt::format("{:.0f} with hidden size {}, the widest level of the networks; {}", size, hidden,
                          not_used));
}

int64_t stage_of(const KeyFile& file, const TrainJob& job) {
  const Entry* stage = file.find("zero_optimization.stage");
  if (!stage) return 0;
  return stage->is_auto ? job.parallel.zero_stage : whole(*stage);
}

Result<Ask> special_ask(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  const std::string_view key = entry.row->key;
  if (key == "fp16.initial_scale_power") {
    const int64_t power = whole(entry);
    if (power < 0 || power > 32) return fail(file.error(entry, "fp16.initial_scale_power: wanted 0 to 32"));
    return wants(file, entry, "precision.init_loss_scale", std::to_string(int64_t{1} << power));
  }
  if (key == "zero_optimization.mics_shard_size")
    return whole(entry) > 0 ? wants(file, entry, "parallel.shard_ranks", entry.value)
                            : says(file, entry, "all ranks share one copy");
  if (key == "zero_optimization.offload_optimizer.device") return offload_ask(file, entry);
  if (key == "zero_optimization.offload_param.device" || key == "zero_optimization.cpu_offload_param")
    return offload_weights_ask(file, entry, stage_of(file, job));
  if (key == "zero_optimization.cpu_offload")
    return entry.value == "true"
               ? wants(file, entry, "optimizer.offload", "cpu")
               : says(file, entry, "zero_optimization.offload_optimizer.device says it now");
  if (key.ends_with(".enabled")) return precision_ask(file, entry, job);
  if (key == "torch_autocast.dtype") return says(file, entry, "counts if torch_autocast.enabled is true");
  if (key == "zero_optimization") {
    return wants(file, entry, "parallel.zero_stage", entry.value == "true" ? "1" : "0");
  }
  return size_ask(file, entry, job);
}

/// Ranks send what they keep, as it is.
Ask communication_ask(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  const bool is_kept_whole = job.precision.trained_weights == TrainedWeights::Fp32;
  if (lower(entry.value) == (is_kept_whole ? "fp32" : "bf16")) return says(file, entry, "as here");
  return says(
      file, entry,
      fmt::format("warning: not used, so numbers may differ: {} ({})", entry.row->reason, entry.row->text));
}

/// What the file leaves open, and DeepSpeed's releases fill differently.
std::vector<Ask> open_asks(const KeyFile& file, const TrainJob& job) {
  std::vector<Ask> asks;
  if (!file.find("gradient_clipping"))
    asks.push_back(
        leaves(file, "gradient_clipping",
               fmt::format("optimizer.max_grad_norm = {}", value_of(job, "optimizer.max_grad_norm"))));
  if (!file.find("zero_optimization.stage") && !file.find("zero_optimization"))
    asks.push_back(leaves(file, "zero_optimization.stage",
                          fmt::format("parallel.zero_stage = {}", value_of(job, "parallel.zero_stage"))));
  for (const std::string_view section :
       {"zero_optimization.offload_param", "zero_optimization.offload_optimizer"}) {
    const bool is_there = std::ranges::any_of(
        file.entries, [&](const Entry& entry) { return entry.row->key.starts_with(section); });
    const std::string pin = fmt::format("{}.pin_memory", section);
    if (is_there && !file.find(pin))
      asks.push_back(leaves(file, pin, fmt::format("not used: {}", file.table->find(pin)->reason)));
  }
  return asks;
}

bool is_optimizer_key(std::string_view key) {
  return key.starts_with("optimizer.") || key.starts_with("scheduler.");
}

Status require_known_type(const Source& source, const YamlNode& root, std::string_view key,
                          std::span<const std::string_view> known, std::string_view advice) {
  const YamlNode* type = find_dotted(root, key);
  if (!type || type->kind == YamlNode::Kind::Null) return {};
  const bool is_known = std::ranges::any_of(
      known, [&](std::string_view name) { return lower(std::string(name)) == lower(type->text); });
  if (type->kind == YamlNode::Kind::Scalar && is_known) return {};
  return fail(source.error(type->at,
                           fmt::format("{}: only {} are built, found {}; {}", key,
                                       text::join(std::vector<std::string>(known.begin(), known.end()), ", "),
                                       text::quoted(node_text(*type)), advice)));
}

}  // namespace

Result<KeyFile> read_deepspeed(Source source, const YamlNode& root) {
  ZT_TRY(require_known_type(source, root, "optimizer.type", kOptimizers, "AdamW is the nearest to most"));
  ZT_TRY(require_known_type(source, root, "scheduler.type", kSchedulers,
                            "leave the section out and set optimizer.lr_scheduler of the job"));
  return read_keys(std::move(source), root, deepspeed_table());
}

Result<std::vector<Ask>> deepspeed_asks(const KeyFile& file, const Resolved<TrainJob>& resolved,
                                        int64_t ranks) {
  const TrainJob& job = resolved.job;
  ZT_TRY_ASSIGN(std::vector<Ask> asks, batch_asks(file, resolved, ranks));
  ZT_TRY_ASSIGN(std::vector<Ask> more, optimizer_asks(file, job));
  asks.insert(asks.end(), more.begin(), more.end());
  for (const Entry& entry : file.entries) {
    if (is_batch_key(entry.row->key) || is_optimizer_key(entry.row->key)) continue;
    if (entry.row->does == Does::Special) {
      ZT_TRY_ASSIGN(Ask ask, special_ask(file, entry, job));
      asks.push_back(std::move(ask));
    } else if (entry.row->key == "communication_data_type") {
      asks.push_back(communication_ask(file, entry, job));
    } else {
      asks.push_back(plain_ask(file, entry));
    }
  }
  std::ranges::stable_sort(
      asks, {}, [](const Ask& ask) { return std::pair(ask.entry->key_at.line, ask.entry->key_at.column); });
  std::vector<Ask> open = open_asks(file, job);
  asks.insert(asks.end(), open.begin(), open.end());
  return asks;
}

}  // namespace zt::config::foreign
