// SPDX-License-Identifier: Apache-2.0
// zoetrope convert: files of other training programs into one job file, with what became of every key.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"

namespace zt::cli {
namespace {

struct ConvertOptions {
  std::vector<std::string> files;
  std::string to;
  bool as_json = false;
};

struct Sorted {
  config::LoadRequest request;
  config::ForeignFiles foreign;
};

// The files by their kinds, one of each.
Result<Sorted> sort(const std::vector<std::string>& files) {
  Sorted sorted;
  for (const std::string& file : files) {
    ZT_TRY_ASSIGN(const config::FileKind kind, config::kind_of(file));
    std::filesystem::path& place = kind == config::FileKind::Accelerate  ? sorted.foreign.accelerate
                                   : kind == config::FileKind::DeepSpeed ? sorted.foreign.deepspeed
                                                                         : sorted.request.file;
    if (!place.empty())
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("{} and {} are of the same kind: give one", place.string(), file));
    place = file;
  }
  return sorted;
}

Result<int> convert(const ConvertOptions& options) {
  ZT_TRY_ASSIGN(const Sorted sorted, sort(options.files));
  ZT_TRY_ASSIGN(const AskedJob asked,
                load_for_ranks(sorted.request, sorted.foreign, {}, config::load<config::TrainJob>));
  const std::string yaml =
      fmt::format("# Made by `zoetrope convert {}` for `zoetrope train --ranks {}`.\n{}",
                  text::join(options.files, " "), asked.ranks, config::freeze_written(asked.resolved));
  std::error_code ignored;
  if (!options.to.empty() && std::filesystem::exists(options.to, ignored))
    return fail(ErrorCode::AlreadyExists,
                fmt::format("{} already exists: choose another with -o, or remove it", options.to));
  if (!options.to.empty()) ZT_TRY(files::write_atomic(options.to, yaml));
  if (options.as_json) {
    print(asked_json(asked));
  } else if (options.to.empty()) {
    note_effects(asked.resolved.effects);
    print(yaml);
  } else {
    print(effects_text(asked.resolved.effects));
  }
  return 0;
}

}  // namespace

void add_convert(CLI::App& app, Action& chosen) {
  auto* verb =
      app.add_subcommand("convert", "Files of accelerate, DeepSpeed and Moore-AnimateAnyone into a job file");
  const auto options = std::make_shared<ConvertOptions>();
  verb->add_option("FILE", options->files, "One of each kind at most, and a job's own file")->required();
  verb->add_option("-o,--output", options->to, "Job file to write; default: standard output")
      ->type_name("FILE");
  verb->add_flag("--json", options->as_json, "Every value and what became of every key, as JSON");
  verb->footer(
      "Example: zoetrope convert stage1.yaml ds_config.yaml -o job.yaml\ndocs/deepspeed.md lists all keys.");
  verb->callback([=, &chosen] { chosen = [=] { return convert(*options); }; });
}

}  // namespace zt::cli
