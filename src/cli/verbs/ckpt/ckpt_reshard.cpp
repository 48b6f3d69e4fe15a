// SPDX-License-Identifier: Apache-2.0
// zoetrope ckpt reshard: a checkpoint as the files of another number of ranks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "archive/reshard.hpp"
#include "base/limits.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/ckpt/checkpoint_target.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

struct ReshardOptions {
  std::string runs_folder = "runs";
  std::string target;
  std::string output;
  int64_t ranks = 1;
};

Result<int> reshard(const ReshardOptions& options) {
  ZT_TRY_ASSIGN(const auto from, open_checkpoint(options.runs_folder, options.target));
  const std::string name = from.folder().lexically_normal().filename().string();
  const std::string output =
      options.output.empty() ? fmt::format("{}-ranks-{}", name, options.ranks) : options.output;
  ZT_TRY(archive::reshard(from, options.ranks, output));
  print(output + "\n");
  return contract::kExitOk;
}

}  // namespace

void add_ckpt_reshard(CLI::App& ckpt, Action& chosen) {
  auto* verb =
      ckpt.add_subcommand("reshard", "Write a checkpoint again as the files of another number of ranks");
  const auto options = std::make_shared<ReshardOptions>();
  verb->add_option("CHECKPOINT", options->target, kCheckpointHelp)->required();
  verb->add_option("--ranks", options->ranks, "Files to divide it into")
      ->required()
      ->check(CLI::Range(int64_t{1}, kMaxRanks));
  verb->add_option("-o,--output", options->output, "Folder to make; default ./CHECKPOINT-ranks-N");
  add_runs_folder(*verb, options->runs_folder);
  verb->footer(
      "Example: zoetrope ckpt reshard latest --ranks 4 -o moved/step-00001200\n"
      "For moving files: training and generation read checkpoints of any number of ranks as they are. The "
      "new folder\n"
      "is compared with the old one before it gets its name, which is printed.");
  verb->callback([=, &chosen] { chosen = [=] { return reshard(*options); }; });
}

}  // namespace zt::cli
