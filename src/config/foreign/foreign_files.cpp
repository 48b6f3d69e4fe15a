// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/foreign_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/files/files.hpp"
#include "config/foreign/accelerate.hpp"
#include "config/foreign/deepspeed.hpp"
#include "config/foreign/launch_flags.hpp"

namespace zt::config {
namespace {

struct Parsed {
  Source source;
  YamlNode root;
};

Result<Parsed> parse(const std::filesystem::path& file) {
  ZT_TRY_ASSIGN(std::string text, files::read(file, kYamlLimitBytes));
  Parsed parsed{{file.string(), std::move(text)}, {}};
  ZT_TRY_ASSIGN(parsed.root, parse_yaml(parsed.source));
  return parsed;
}

/// The files that were given or named, read; asks point into them.
struct ReadFiles {
  std::optional<foreign::KeyFile> accelerate;
  std::optional<foreign::KeyFile> deepspeed;
};

Result<std::optional<foreign::KeyFile>> read_accelerate(const ForeignFiles& files) {
  ZT_TRY_ASSIGN(const foreign::LaunchFlags flags, foreign::read_flags(files.accelerate_flags));
  const bool names_both = !files.accelerate.empty() && !flags.config_file.empty();
  if (names_both)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("--config_file {} of accelerate's flags, and --accelerate "
                            "{}: give one",
                            flags.config_file.string(), files.accelerate.string()));
  const std::filesystem::path& file = files.accelerate.empty() ? flags.config_file : files.accelerate;
  if (file.empty() && flags.flags.empty()) return std::nullopt;
  Parsed parsed{{"accelerate's flags", ""}, {}};
  if (!file.empty()) {
    ZT_TRY_ASSIGN(parsed, parse(file));
  }
  foreign::put_flags(flags, parsed.source, parsed.root);
  ZT_TRY_ASSIGN(foreign::KeyFile read, foreign::read_accelerate(std::move(parsed.source), parsed.root));
  for (foreign::Entry& entry : read.entries) {
    const auto flag = std::ranges::find(flags.flags, entry.row->key, &foreign::LaunchFlag::key);
    if (flag != flags.flags.end()) entry.written = flag->name;
  }
  return std::optional(std::move(read));
}

Result<std::optional<foreign::KeyFile>> read_deepspeed(const std::filesystem::path& file) {
  if (file.empty()) return std::nullopt;
  ZT_TRY_ASSIGN(Parsed parsed, parse(file));
  ZT_TRY_ASSIGN(foreign::KeyFile read, foreign::read_deepspeed(std::move(parsed.source), parsed.root));
  return std::optional(std::move(read));
}

Result<ReadFiles> read_files(const ForeignFiles& files) {
  ReadFiles read;
  ZT_TRY_ASSIGN(read.accelerate, read_accelerate(files));
  std::filesystem::path deepspeed = files.deepspeed;
  if (read.accelerate) {
    ZT_TRY_ASSIGN(const std::filesystem::path named, foreign::deepspeed_file_of(*read.accelerate));
    if (!named.empty() && !deepspeed.empty())
      return fail(ErrorCode::InvalidConfig,
                  fmt::format("{} names {}, and --deepspeed {}: give one", files.accelerate.string(),
                              named.string(), deepspeed.string()));
    if (deepspeed.empty()) deepspeed = named;
  }
  ZT_TRY_ASSIGN(read.deepspeed, read_deepspeed(deepspeed));
  return read;
}

Status apply(const ReadFiles& read, int64_t ranks, foreign::AskApplier& applier) {
  if (read.accelerate) {
    ZT_TRY_ASSIGN(const auto asks, foreign::accelerate_asks(*read.accelerate, ranks));
    ZT_TRY(applier.apply(asks));
  }
  if (read.deepspeed) {
    // After accelerate's, so that "auto" is filled from both files.
    ZT_TRY_ASSIGN(const auto asks, foreign::deepspeed_asks(*read.deepspeed, applier.so_far(), ranks));
    ZT_TRY(applier.apply(asks));
  }
  return {};
}

}  // namespace

Result<FileKind> kind_of(const std::filesystem::path& file) {
  ZT_TRY_ASSIGN(const Parsed parsed, parse(file));
  const auto has = [&](std::string_view key) { return parsed.root.find(key) != nullptr; };
  if (has("distributed_type") || has("compute_environment")) return FileKind::Accelerate;
  const bool has_deepspeed_key =
      has("zero_optimization") || has("train_batch_size") || has("train_micro_batch_size_per_gpu");
  return has_deepspeed_key || file.extension() == ".json" ? FileKind::DeepSpeed : FileKind::Job;
}

Result<std::optional<int64_t>> foreign_ranks(const ForeignFiles& files) {
  ZT_TRY_ASSIGN(const auto accelerate, read_accelerate(files));
  return accelerate ? foreign::ranks_of(*accelerate) : std::nullopt;
}

Status add_foreign(const ForeignFiles& files, int64_t ranks, Resolved<TrainJob>& resolved) {
  ZT_TRY_ASSIGN(const ReadFiles read, read_files(files));
  foreign::AskApplier applier(resolved);
  ZT_TRY(apply(read, ranks, applier));
  if (!applier.contradictions().empty())
    return fail(
        ErrorCode::InvalidConfig,
        "these values contradict each other; change one, write \"auto\" in the foreign file, or decide with "
        "--set KEY=VALUE:" +
            applier.contradictions());
  Resolved<TrainJob> with = std::move(applier).finish();
  ZT_TRY(validate(with.job));
  resolved = std::move(with);
  return {};
}

Status check_launch(const Environment& environment, const TrainJob& run, int64_t ranks) {
  ReadFiles read;
  ZT_TRY_ASSIGN(read.accelerate, foreign::read_environment(environment));
  if (!read.accelerate) return {};
  ZT_TRY_ASSIGN(const std::filesystem::path named, foreign::deepspeed_file_of(*read.accelerate));
  ZT_TRY_ASSIGN(read.deepspeed, read_deepspeed(named));
  Resolved<TrainJob> made{run, {}};
  for (const KeyValue& value : values(run)) made.origins[value.key] = "the run";
  // On the CPU the optimizer's state is in host memory anyway.
  if (run.device == "cpu") made.origins["optimizer.offload"] = "default";
  foreign::AskApplier applier(std::move(made));
  ZT_TRY(apply(read, ranks, applier));
  if (applier.contradictions().empty()) return {};
  return fail(ErrorCode::InvalidConfig,
              "accelerate's launcher asks for what the run is not; launch it without these flags, or make a "
              "run that has them with `zoetrope train --accelerate FILE --create-only`:" +
                  applier.contradictions());
}

}  // namespace zt::config
