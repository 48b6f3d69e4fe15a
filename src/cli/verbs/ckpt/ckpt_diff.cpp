// SPDX-License-Identifier: Apache-2.0
// zoetrope ckpt diff: where two checkpoints differ.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "archive/compare.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/json_text.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/ckpt/checkpoint_target.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
constexpr int kDiffVersion = 1;
constexpr int kExitDifferent = 1;  // as diff(1)

struct DiffOptions {
  std::string runs_folder = "runs";
  std::string a, b;
  bool as_json = false;
};

json finite(double number) { return std::isfinite(number) ? json(number) : json(nullptr); }

json side(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json named_json(const std::vector<archive::NamedDifference>& differences) {
  json items = json::array();
  for (const auto& d : differences) items.push_back({{"name", d.name}, {"a", side(d.a)}, {"b", side(d.b)}});
  return items;
}

json to_json(const archive::Difference& difference) {
  json tensors = json::array();
  for (const auto& t : difference.tensors)
    tensors.push_back({{"name", t.name},
                       {"elements", t.elements},
                       {"differing", t.differing},
                       {"largest_absolute", finite(t.largest_absolute)},
                       {"largest_relative", finite(t.largest_relative)}});
  return {{"is_same", difference.is_same()},
          {"num_tensors", difference.num_tensors},
          {"num_scalars", difference.num_scalars},
          {"kinds", named_json(difference.kinds)},
          {"tensors", tensors},
          {"scalars", named_json(difference.scalars)}};
}

std::string named_text(const std::string& what, const std::vector<archive::NamedDifference>& differences) {
  if (differences.empty()) return "";
  Table table({{what}, {"A"}, {"B"}});
  for (const auto& d : differences)
    table.add({d.name, d.a.empty() ? "absent" : d.a, d.b.empty() ? "absent" : d.b});
  return table.text(table_width());
}

std::string to_text(const archive::Difference& difference) {
  if (difference.is_same())
    return fmt::format("the same bits: {} tensors, {} numbers\n", difference.num_tensors,
                       difference.num_scalars);
  std::string text = named_text("TENSOR", difference.kinds);
  if (!difference.tensors.empty()) {
    Table table({{"TENSOR"},
                 {"DIFFERING", Table::Align::Right},
                 {"OF", Table::Align::Right},
                 {"SHARE", Table::Align::Right},
                 {"LARGEST", Table::Align::Right},
                 {"RELATIVE", Table::Align::Right}});
    for (const auto& t : difference.tensors)
      table.add({t.name, fmt::format("{}", t.differing), fmt::format("{}", t.elements),
                 fmt::format("{:.3g} %",
                             100.0 * static_cast<double>(t.differing) / static_cast<double>(t.elements)),
                 fmt::format("{:.3g}", t.largest_absolute), fmt::format("{:.3g}", t.largest_relative)});
    text += table.text(table_width());
  }
  text += named_text("NUMBER", difference.scalars);
  return text + fmt::format("{} of {} tensors and {} of {} numbers differ\n", difference.tensors.size(),
                            difference.num_tensors, difference.scalars.size(), difference.num_scalars);
}

Result<int> diff(const DiffOptions& options) {
  ZT_TRY_ASSIGN(const auto a, open_checkpoint(options.runs_folder, options.a));
  ZT_TRY_ASSIGN(const auto b, open_checkpoint(options.runs_folder, options.b));
  const archive::Difference difference = archive::compare(a, b);
  if (options.as_json) {
    json out{{"version", kDiffVersion}, {"a", a.folder().string()}, {"b", b.folder().string()}};
    out.update(to_json(difference));
    print(json_text(out));
  } else {
    print(fmt::format("A  {}\nB  {}\n", a.folder().string(), b.folder().string()) + to_text(difference));
  }
  return difference.is_same() ? contract::kExitOk : kExitDifferent;
}

}  // namespace

void add_ckpt_diff(CLI::App& ckpt, Action& chosen) {
  auto* verb =
      ckpt.add_subcommand("diff", "Compare two checkpoints; exit code 0 if they are the same, 1 if not");
  const auto options = std::make_shared<DiffOptions>();
  verb->add_option("A", options->a, kCheckpointHelp)->required();
  verb->add_option("B", options->b, "The other one")->required();
  add_runs_folder(*verb, options->runs_folder);
  verb->add_flag("--json", options->as_json, "Print JSON");
  verb->footer(
      "Example: zoetrope ckpt diff walk-1c9e02ab walk-77d0aa13\n"
      "Tensors are compared bit for bit, whatever the number of ranks that wrote them; the time a run took "
      "is not.");
  verb->callback([=, &chosen] { chosen = [=] { return diff(*options); }; });
}

}  // namespace zt::cli
