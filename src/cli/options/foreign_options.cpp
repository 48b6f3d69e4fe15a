// SPDX-License-Identifier: Apache-2.0
#include "cli/options/foreign_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text/text.hpp"
#include "cli/output/json_text.hpp"
#include "cli/output/output.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
constexpr int kJsonVersion = 1;
constexpr size_t kShownBytes = 60;

// Text of a file as a cell of a table: in quotes where it is long or would not stand on one line.
std::string cell(const std::string& value) {
  const bool is_plain = value.size() <= kShownBytes && std::ranges::all_of(value, [](char c) {
                          const auto byte = static_cast<unsigned char>(c);
                          return byte >= 0x20 && byte < 0x7F;
                        });
  return is_plain ? value : text::quoted(value, kShownBytes);
}

template <class Job>
json resolved_json(const config::Resolved<Job>& resolved) {
  json effects = json::array(), settings = json::array();
  for (const config::Effect& row : resolved.effects)
    effects.push_back(
        {{"key", row.key}, {"value", row.value}, {"origin", row.origin}, {"effect", row.effect}});
  for (const auto& [key, value] : config::values(resolved.job))
    settings.push_back({{"key", key}, {"value", value}, {"origin", resolved.origins.find(key)->second}});
  return {{"effects", effects}, {"settings", settings}};
}

}  // namespace

void ForeignOptions::add_to(CLI::App& verb, CLI::Option* without) {
  CLI::Option* const both[] = {
      verb.add_option("--accelerate", accelerate,
                      "accelerate's YAML, as it stands; docs/coming-from-deepspeed.md"),
      verb.add_option("--deepspeed", deepspeed, "DeepSpeed's JSON, as it stands")};
  for (CLI::Option* option : both) {
    option->type_name("FILE");
    if (without) option->excludes(without);
  }
  CLI::Option* flags = verb.add_option("--accelerate-flags", accelerate_flags,
                                       "What follows `accelerate launch`, as one text: \"--num_processes 2 "
                                       "--use_deepspeed --zero_stage 2\"");
  flags->type_name("TEXT");
  if (without) flags->excludes(without);
}

Result<AskedJob> load_for_ranks(config::LoadRequest request, const config::ForeignFiles& files,
                                std::optional<int64_t> ranks, TrainJobLoader load) {
  AskedJob asked;
  if (!ranks) {
    ZT_TRY_ASSIGN(ranks, config::foreign_ranks(files));
  }
  asked.ranks = ranks.value_or(1);
  ZT_TRY_ASSIGN(asked.resolved, load(request));
  if (asked.ranks > 1 && config::is_default_origin(asked.resolved.origins.find("lanes")->second)) {
    request.sets.push_back(fmt::format("lanes={}", asked.ranks));
    ZT_TRY_ASSIGN(asked.resolved, load(request));
    asked.resolved.origins["lanes"] = fmt::format("{} ranks", asked.ranks);
  }
  ZT_TRY(config::add_foreign(files, asked.ranks, asked.resolved));
  return asked;
}

std::string effects_text(const std::vector<config::Effect>& effects) {
  if (effects.empty()) return "";
  Table table({{"KEY"}, {"VALUE"}, {"ORIGIN"}, {"EFFECT"}});
  for (const config::Effect& row : effects) table.add({row.key, cell(row.value), row.origin, row.effect});
  return table.text(0);
}

void note_effects(const std::vector<config::Effect>& effects) {
  std::string text = effects_text(effects);
  if (text.empty()) return;
  text.pop_back();  // note() ends the line
  note(text);
}

std::string asked_json(const AskedJob& asked) {
  json out{{"version", kJsonVersion}, {"ranks", asked.ranks}};
  out.update(resolved_json(asked.resolved));
  return json_text(out);
}

std::string jobs_json(const std::vector<config::Resolved<config::GenerateJob>>& jobs) {
  json all = json::array();
  for (const auto& job : jobs) all.push_back(resolved_json(job));
  return json_text({{"version", kJsonVersion}, {"jobs", all}});
}

}  // namespace zt::cli
