// SPDX-License-Identifier: Apache-2.0
// zoetrope plan: what a training would take and cost on so many ranks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/limits.hpp"
#include "base/text/text.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;

struct PlanOptions {
  std::optional<int64_t> ranks;
  ForeignOptions foreign;
  std::string machine = "cpu";
  bool as_json = false;
  bool with_units = false;
};

std::string size(double bytes) { return text::bytes(static_cast<uint64_t>(bytes)); }
std::string size(const json& bytes) { return size(bytes.get<double>()); }

std::string seconds(const json& s) { return text::duration(std::chrono::duration<double>(s.get<double>())); }

/// What optimizer.offload moves to the host of a GPU, and the samples that are made there.
std::string host_memory_text(const json& memory) {
  if (memory["host_total"].get<int64_t>() == 0) return "";
  Table table({{"OF ITS HOST'S MEMORY"}, {"", Table::Align::Right}});
  const auto add = [&](const char* what, const char* key) {
    if (memory[key].get<int64_t>() > 0) table.add({what, size(memory[key])});
  };
  add("optimizer state", "host_optimizer_state");
  add("averages", "host_averages");
  add("buffers", "host_buffers");
  add("samples made ahead", "host_ahead");
  add("total", "host_total");
  return "\n" + table.text(table_width());
}

std::string memory_text(const json& plan) {
  const json& memory = plan["memory"];
  Table table({{"MEMORY OF A RANK"}, {"", Table::Align::Right}});
  const auto add = [&](const char* what, const char* key) {
    if (memory[key].get<int64_t>() > 0) table.add({what, size(memory[key])});
  };
  add("trained weights", "trained_weights");
  add("frozen weights", "frozen_weights");
  add("gradients", "gradients");
  add("optimizer state", "optimizer_state");
  add("averages", "averages");
  add("activations", "activations");
  add("samples of a step", "batches");
  add("samples made ahead", "ahead");
  add("slabs of whole units", "slabs");
  add("communication", "communication");
  add("encoders", "encoders");
  add("process", "process");
  add("total", "total");
  std::string text = table.text(table_width());
  text += fmt::format("A rank has {}: it {}. Writing a checkpoint takes {} more where there is room.\n",
                      size(plan["available"]), plan["fits"].get<bool>() ? "fits" : "does NOT fit",
                      size(memory["staging"]));
  if (memory["snapshots"].get<int64_t>() > 0)
    text += fmt::format("Snapshots that outlive it take {} of host memory more where there is room{}.\n",
                        size(memory["snapshots"]),
                        memory["held_snapshots"].get<int64_t>() > 0
                            ? fmt::format(", and {} for those of a neighbour", size(memory["held_snapshots"]))
                            : "");
  text += plan["smallest_ranks"].is_null() ? "No number of ranks makes it fit.\n"
                                           : fmt::format("The smallest number of ranks that fits: {}.\n",
                                                         plan["smallest_ranks"].get<int64_t>());
  return text + host_memory_text(memory);
}

std::string changes_text(const json& plan) {
  if (plan["changes"].empty()) return "";
  Table table({{"WHAT WOULD LOWER IT"}, {"TO", Table::Align::Right}});
  for (const json& change : plan["changes"])
    table.add({"--set " + change["setting"].get<std::string>(), size(change["needed"])});
  return "\n" + table.text(table_width());
}

/// What a step of offloaded state brings over the bus.
std::string bus_text(const json& plan) {
  const json& traffic = plan["traffic"];
  if (plan["memory"]["host_total"].get<int64_t>() == 0) return "";
  return fmt::format("The optimizer runs on the host: {} go there and {} come back in {}, beside its work.\n",
                     size(traffic["to_host_bytes"]), size(traffic["from_host_bytes"]),
                     seconds(plan["time"]["bus_s"]));
}

std::string step_cost_text(const json& plan) {
  const json &traffic = plan["traffic"], &time = plan["time"], &deepspeed = plan["deepspeed"];
  const auto each = traffic["element_bytes"].get<double>();
  const std::string snapshots =
      traffic["snapshot_bytes"].get<int64_t>() > 0
          ? fmt::format("Beside it, snapshots send {} to a neighbour.\n", size(traffic["snapshot_bytes"]))
          : "";
  return fmt::format(
      "\nA step sends {} per rank (DeepSpeed's ZeRO-{}: {}) and takes about {}:\n"
      "compute {}, optimizer {}, exchange {}.\n{}"
      "DeepSpeed's estimate of states, without activations: {} per GPU at stage 2, {} at stage 3;\n"
      "of each host's memory {} and {}.\n",
      size(each * traffic["elements"].get<double>()), plan["zero_stage"].get<int>(),
      size(each * traffic["deepspeed_elements"].get<double>()), seconds(time["total_s"]),
      seconds(time["compute_s"]), seconds(time["optimizer_s"]), seconds(time["exchange_s"]), snapshots,
      size(deepspeed["stage2"]), size(deepspeed["stage3"]), size(deepspeed["host_stage2"]),
      size(deepspeed["host_stage3"]));
}

std::string units_text(const json& plan) {
  Table table({{"UNIT"},
               {"STAGE", Table::Align::Right},
               {"RANKS", Table::Align::Right},
               {"TRAINED", Table::Align::Right},
               {"FROZEN", Table::Align::Right},
               {"KEPT", Table::Align::Right},
               {"GFLOP", Table::Align::Right}});
  for (const json& unit : plan["units"])
    table.add(
        {unit["name"], unit["zero_stage"].dump(), unit["sharing_ranks"].dump(), unit["trained"].dump(),
         unit["frozen"].dump(), size(unit["kept_bytes"]),
         fmt::format("{:.3g}",
                     (unit["forward_flops"].get<double>() + unit["backward_flops"].get<double>()) / 1e9)});
  return "\n" + table.text(table_width());
}

std::string counted(const json& number, std::string_view one, std::string_view several) {
  return fmt::format("{} {}", number.get<int64_t>(), number == 1 ? one : several);
}

std::string for_people(const json& plan, bool with_units) {
  return fmt::format("{} on {}, ZeRO stage {}, {} and {} each; {} trained and {} frozen parameters\n\n",
                     counted(plan["ranks"], "rank", "ranks"), plan["machine"].get<std::string>(),
                     plan["zero_stage"].get<int>(), counted(plan["lanes_per_rank"], "lane", "lanes"),
                     counted(plan["micro_batches"], "micro batch", "micro batches"),
                     plan["trained"].get<int64_t>(), plan["frozen"].get<int64_t>()) +
         memory_text(plan) + changes_text(plan) + step_cost_text(plan) + bus_text(plan) +
         (with_units ? units_text(plan) : "");
}

Result<int> plan(const PlanOptions& options, config::LoadRequest request) {
  ZT_TRY_ASSIGN(const AskedJob asked,
                load_for_ranks(std::move(request), options.foreign.files(), options.ranks, load_train_job));
  ZT_TRY(config::check_ranks(asked.resolved.job, asked.ranks));
  ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Plan, config::freeze(asked.resolved),
                                             {asked.ranks, options.machine}));
  print_results(end, options.as_json, [&](const json& plan) { return for_people(plan, options.with_units); });
  return end.code;
}

}  // namespace

void add_plan(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("plan", "Estimate memory, traffic and time of a training");
  const auto options = std::make_shared<PlanOptions>();
  JobOptions job(*verb, config::values(config::TrainJob{}));
  verb->add_option("--ranks", options->ranks, "Ranks that train together; default 1, or accelerate's")
      ->check(CLI::Range(int64_t{1}, kMaxRanks));
  options->foreign.add_to(*verb);
  verb->add_option("--device", options->machine,
                   "What each rank has: a10g, a100, h100, h200; cpu: this host, shared")
      ->check(CLI::IsMember({"cpu", "a10g", "a100", "h100", "h200"}))
      ->capture_default_str();
  verb->add_flag("--units", options->with_units, "List the model's units too");
  verb->add_flag("--json", options->as_json, "Print JSON");
  verb->footer(
      "Example: zoetrope plan --config stage1.yaml --ranks 8 --device h100\n"
      "Nothing is loaded and nothing started; docs/plan.md says what the numbers mean.");
  verb->callback([=, &chosen] { chosen = [=] { return plan(*options, job.request()); }; });
}

}  // namespace zt::cli
