// SPDX-License-Identifier: Apache-2.0
// Optimizer and scheduler of DeepSpeed's JSON. A section that names a type means that type's defaults where
// it leaves keys out.
#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/text/text.hpp"
#include "config/foreign/deepspeed.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

constexpr std::string_view kRate = "optimizer.learning_rate";

/// Of an entry whose type is Type::Number or Type::Int.
double number(const Entry& entry) { return text::to_number<double>(entry.value).value_or(0); }

struct Default {
  std::string_view theirs, ours, value;
};

/// Defaults of `type` for what the file leaves out.
void bring(const KeyFile& file, const Entry& type, std::span<const Default> defaults,
           std::vector<Ask>& asks) {
  for (const Default& row : defaults)
    if (!file.find(row.theirs)) asks.push_back(brings(file, type, row.ours, row.value));
}

/// Whether the scheduler, not the optimizer, says how high the rate gets.
bool scheduler_sets_rate(const KeyFile& file) {
  const Entry* type = file.find("scheduler.type");
  const Entry* peak = file.find("scheduler.params.warmup_max_lr");
  return (peak && !peak->is_auto) || (type && !peak && lower(type->value) == "warmupdecaylr");
}

Result<Ask> decay_mode(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  const Entry* type = file.find("optimizer.type");
  const Entry* decay = file.find("optimizer.params.weight_decay");
  const bool is_adam = type && lower(type->value) == "adam";
  const double value = !decay ? 0 : decay->is_auto ? job.optimizer.adam_weight_decay : number(*decay);
  if (is_adam && entry.value == "false" && value != 0)
    return fail(
        file.error(entry,
                   "adam_w_mode: false adds weight decay to the gradient, which is not built; use true, "
                   "or weight_decay: 0"));
  return says(file, entry, "as here: decay is apart from the gradient");
}

Result<std::vector<Ask>> betas(const KeyFile& file, const Entry& entry) {
  if (entry.is_auto)
    return std::vector<Ask>{keeps(file, entry, "optimizer.adam_beta1"),
                            keeps(file, entry, "optimizer.adam_beta2")};
  if (entry.items.size() != 2)
    return fail(
        file.error(entry, fmt::format("optimizer.params.betas: wanted 2 numbers, found {}", entry.value)));
  return std::vector<Ask>{wants(file, entry, "optimizer.adam_beta1", entry.items[0]),
                          wants(file, entry, "optimizer.adam_beta2", entry.items[1])};
}

void add_optimizer_type(const KeyFile& file, const Entry& type, std::vector<Ask>& asks) {
  const std::string name = lower(type.value);
  const bool is_8bit = name.ends_with("8bit");
  asks.push_back(wants(file, type, "optimizer.use_8bit_adam", is_8bit ? "true" : "false"));
  const Default defaults[] = {{"optimizer.params.betas", "optimizer.adam_beta1", "0.9"},
                              {"optimizer.params.betas", "optimizer.adam_beta2", "0.999"},
                              {"optimizer.params.eps", "optimizer.adam_epsilon", "1e-8"},
                              {"optimizer.params.weight_decay", "optimizer.adam_weight_decay",
                               is_8bit && name.ends_with("adamw8bit") ? "0.01" : "0"}};
  bring(file, type, defaults, asks);
  if (!file.find("optimizer.params.lr") && !scheduler_sets_rate(file))
    asks.push_back(brings(file, type, kRate, "0.001"));
}

Status check_scheduler_keys(const KeyFile& file, const std::string& type) {
  const bool is_cosine = type == "warmupcosinelr";
  for (const Entry& entry : file.entries) {
    const std::string_view key = entry.row->key;
    const bool is_rate = key.ends_with(".warmup_min_lr") || key.ends_with(".warmup_max_lr");
    const bool is_ratio = key.ends_with(".warmup_min_ratio") || key.ends_with(".cos_min_ratio");
    const bool is_total = key.ends_with(".total_num_steps") && type == "warmuplr";
    if ((is_cosine && is_rate) || (!is_cosine && is_ratio) || is_total)
      return fail(file.source.error(entry.key_at, fmt::format("unknown {} key {}", type, key)));
    if (key.ends_with(".warmup_num_steps") && !entry.is_auto && number(entry) < 1)
      return fail(file.error(entry, fmt::format("{}: wanted at least 1, found {}", key, entry.value)));
  }
  return {};
}

void add_scheduler_type(const KeyFile& file, const Entry& type, std::vector<Ask>& asks) {
  const std::string name = lower(type.value);
  const bool is_cosine = name == "warmupcosinelr", is_decay = name == "warmupdecaylr";
  asks.push_back(wants(file, type, "optimizer.lr_scheduler",
                       is_cosine  ? "deepspeed_warmup_cosine"
                       : is_decay ? "deepspeed_warmup_decay"
                                  : "deepspeed_warmup"));
  const Default defaults[] = {
      {"scheduler.params.warmup_num_steps", "optimizer.lr_warmup_steps", "1000"},
      {"scheduler.params.warmup_type", "optimizer.lr_warmup_curve", "log"},
      {is_cosine ? "scheduler.params.warmup_min_ratio" : "scheduler.params.warmup_min_lr",
       "optimizer.lr_warmup_start", "0"}};
  bring(file, type, defaults, asks);
  const Default floor[] = {{"scheduler.params.cos_min_ratio", "optimizer.lr_final_ratio", "0.0001"}};
  if (is_cosine) bring(file, type, floor, asks);
  const Default peak[] = {{"scheduler.params.warmup_max_lr", kRate, "0.001"}};
  if (is_decay) bring(file, type, peak, asks);
}

/// warmup_min_lr as a share of the peak.
Result<Ask> warmup_start(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  if (entry.is_auto) return keeps(file, entry, "optimizer.lr_warmup_start");
  const Entry* peak = file.find("scheduler.params.warmup_max_lr");
  const Entry* rate = file.find("optimizer.params.lr");
  double highest = job.optimizer.learning_rate;
  if (peak && !peak->is_auto)
    highest = number(*peak);
  else if (scheduler_sets_rate(file))
    highest = 0.001;
  else if (rate && !rate->is_auto)
    highest = number(*rate);
  const double start = number(entry);
  if (start < 0 || start > highest || highest == 0)
    return fail(file.error(
        entry,
        fmt::format("warmup_min_lr: wanted from 0 to the highest rate, {}, found {}", highest, entry.value)));
  return wants(file, entry, "optimizer.lr_warmup_start", fmt::format("{}", start / highest));
}

Result<std::vector<Ask>> asks_of(const KeyFile& file, const Entry& entry, const TrainJob& job) {
  const std::string_view key = entry.row->key;
  std::vector<Ask> asks;
  if (key == "optimizer.type") {
    add_optimizer_type(file, entry, asks);
  } else if (key == "scheduler.type") {
    ZT_TRY(check_scheduler_keys(file, lower(entry.value)));
    add_scheduler_type(file, entry, asks);
  } else if (key == "optimizer.params.betas") {
    return betas(file, entry);
  } else if (key == "optimizer.params.adam_w_mode") {
    ZT_TRY_ASSIGN(Ask ask, decay_mode(file, entry, job));
    asks.push_back(std::move(ask));
  } else if (key == "optimizer.params.lr" && scheduler_sets_rate(file)) {
    asks.push_back(says(file, entry, "not used: the scheduler says how high the rate gets"));
  } else if (key == "optimizer.params.lr" || key == "scheduler.params.warmup_max_lr") {
    asks.push_back(takes(file, entry, kRate));
  } else if (key == "scheduler.params.warmup_min_lr") {
    ZT_TRY_ASSIGN(Ask ask, warmup_start(file, entry, job));
    asks.push_back(std::move(ask));
  } else if (key == "scheduler.params.total_num_steps" && entry.is_auto) {
    asks.push_back(keeps(file, entry, "max_train_steps"));
  } else {
    asks.push_back(plain_ask(file, entry));
  }
  return asks;
}

}  // namespace

Result<std::vector<Ask>> optimizer_asks(const KeyFile& file, const TrainJob& job) {
  std::vector<Ask> all;
  for (const Entry& entry : file.entries) {
    const std::string_view section = entry.row->key.substr(0, entry.row->key.find('.'));
    if (section != "optimizer" && section != "scheduler") continue;
    if (!file.find(fmt::format("{}.type", section)))
      return fail(
          file.source.error(entry.key_at, fmt::format("{0}: wanted {0}.type beside this key", section)));
    ZT_TRY_ASSIGN(std::vector<Ask> asks, asks_of(file, entry, job));
    all.insert(all.end(), asks.begin(), asks.end());
  }
  return all;
}

}  // namespace zt::config::foreign
