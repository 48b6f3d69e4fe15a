// SPDX-License-Identifier: Apache-2.0
// zoetrope ckpt ls | verify: the checkpoints of a run, read without libtorch.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "archive/stored_checkpoint.hpp"
#include "base/text/text.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/json_text.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/ckpt/checkpoint_target.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/exit_codes.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
namespace fs = std::filesystem;
constexpr int kCkptVersion = 1;

struct CkptOptions {
  std::string runs_folder = "runs";
  std::string target;
  bool as_json = false;
};

std::string metrics_text(const std::map<std::string, double>& metrics) {
  std::string out;
  for (const auto& [name, value] : metrics)
    out += fmt::format("{}{} {:.4g}", out.empty() ? "" : "  ", name, value);
  return out;
}

Result<int> list(const CkptOptions& options) {
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, options.target));
  Table table({{"CHECKPOINT"},
               {"STEP", Table::Align::Right},
               {"SIZE", Table::Align::Right},
               {"WRITTEN"},
               {"METRICS"}});
  json items = json::array();
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    const std::string name = entry.folder.filename().string();
    table.add({name, fmt::format("{}", entry.step), text::bytes(entry.size_bytes()),
               entry.written_at.substr(0, 19),
               entry.defect ? "unusable: " + entry.defect->message : metrics_text(entry.metrics)});
    items.push_back({{"name", name},
                     {"step", entry.step},
                     {"size_bytes", entry.size_bytes()},
                     {"written_at", entry.written_at},
                     {"metrics", entry.metrics},
                     {"defect", entry.defect ? json(entry.defect->message) : json(nullptr)}});
  }
  if (options.as_json) {
    print(json_text({{"version", kCkptVersion}, {"run_id", run.identity().run_id}, {"checkpoints", items}}));
  } else if (items.empty()) {
    note(fmt::format("{} has no checkpoints", run.identity().run_id));
  } else {
    print(table.text(table_width()));
  }
  return 0;
}

// The folders a target names: one checkpoint, or every one of a run.
Result<std::vector<contract::CheckpointEntry>> checkpoint_folders(const CkptOptions& options) {
  if (is_checkpoint_folder(options.target)) {
    contract::CheckpointEntry named;
    named.folder = options.target;
    return std::vector{named};
  }
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, run_meant_by(options.target)));
  return contract::list_checkpoints(run.checkpoints());
}

// A file that is missing, a folder or a loop of links in its place is damage too.
bool is_damage(ErrorCode code) {
  return code == ErrorCode::NotFound || code == ErrorCode::InvalidArgument || code == ErrorCode::Unavailable;
}

// Reads all of it; as `ckpt ls` and a resume judge it, and down to the last byte.
Status verify_entry(const contract::CheckpointEntry& entry) {
  if (entry.defect) return fail(*entry.defect);
  ZT_TRY_ASSIGN(const auto opened, archive::StoredCheckpoint::open(entry.folder));
  return contract::check_name(entry.folder, opened.manifest().step);
}

/// What verifying found, one item a checkpoint.
struct Verified {
  json items = json::array();
  int code = contract::kExitOk;
};

Result<Verified> verify_all(const CkptOptions& options) {
  ZT_TRY_ASSIGN(const auto entries, checkpoint_folders(options));
  if (entries.empty())
    return fail(ErrorCode::NotFound, fmt::format("{} has no checkpoints to verify", options.target));
  const bool is_run = !is_checkpoint_folder(options.target);
  Verified verified;
  for (const contract::CheckpointEntry& entry : entries) {
    const fs::path& folder = entry.folder;
    Status good = verify_entry(entry);
    if (!good && is_run && contract::was_removed(entry)) continue;  // by the training, which keeps newer ones
    if (!good && is_damage(good.error().code)) good.error().code = ErrorCode::Corrupt;
    if (!good) verified.code = contract::exit_code(good.error());
    verified.items.push_back({{"path", folder.string()},
                              {"is_valid", good.has_value()},
                              {"defect", good ? json(nullptr) : json(good.error().text())}});
    if (!options.as_json) {
      print(fmt::format("{:<8}{}\n", good ? "ok" : "BAD", folder.string()));
      if (!good) note("  " + good.error().text());
    }
  }
  return verified;
}

Result<int> verify(const CkptOptions& options) {
  constexpr int kLooks = 5;
  for (int look = 0; look < kLooks; ++look) {
    ZT_TRY_ASSIGN(const Verified verified, verify_all(options));
    if (verified.items.empty()) continue;  // training had replaced all of them
    if (options.as_json) print(json_text({{"version", kCkptVersion}, {"checkpoints", verified.items}}));
    return verified.code;
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("the training of {} removes its checkpoints before they are read: let it keep more "
                          "(checkpoint.keep_last)",
                          options.target));
}

}  // namespace

void add_ckpt(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<CkptOptions>();
  auto* ckpt = app.add_subcommand("ckpt", "List, verify, compare, reshard, export and import checkpoints");
  ckpt->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<int> (*action)(const CkptOptions&)) {
    auto* verb = ckpt->add_subcommand(name, help);
    add_runs_folder(*verb, options->runs_folder);
    verb->add_flag("--json", options->as_json, "Print JSON");
    verb->callback([=, &chosen] { chosen = [=] { return action(*options); }; });
    return verb;
  };
  auto* ls = add("ls", "List a run's checkpoints, oldest first", list);
  ls->add_option("RUN", options->target, kRunHelp)->required();
  ls->footer("Example: zoetrope ckpt ls latest");
  auto* check =
      add("verify",
          "Read all and compare it with sizes, checksums and the manifest; exit code 65 if one is damaged",
          verify);
  check->add_option("TARGET", options->target, "A run, or one checkpoint's folder")->required();
  check->footer("Example: zoetrope ckpt verify latest");
  add_ckpt_diff(*ckpt, chosen);
  add_ckpt_reshard(*ckpt, chosen);
  add_ckpt_export(*ckpt, chosen);
  add_ckpt_import(*ckpt, chosen);
}

}  // namespace zt::cli
