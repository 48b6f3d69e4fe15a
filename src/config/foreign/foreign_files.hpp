// SPDX-License-Identifier: Apache-2.0
// Files of other training programs, as they stand: accelerate's YAML and DeepSpeed's JSON on top of a job, in
// `train`; any number of them, with or without a job's file, in `convert`. What becomes of every key is in
// docs/deepspeed.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/effect.hpp"
#include "config/foreign/launch_environment.hpp"
#include "config/load.hpp"

namespace zt::config {

/// Empty paths are not given.
struct ForeignFiles {
  std::filesystem::path accelerate;
  std::filesystem::path deepspeed;    ///< may also be named in accelerate's file, but not both
  std::string accelerate_flags = {};  ///< of `accelerate launch`, as one text; they win over its file
};

enum class FileKind { Job, Accelerate, DeepSpeed };

/// By its keys; anything else is a job's file. Errors: those of reading it.
Result<FileKind> kind_of(const std::filesystem::path& file);

/// The number of ranks accelerate's file and flags ask for; nothing when it leaves that open. Errors: those
/// of reading and checking it.
Result<std::optional<int64_t>> foreign_ranks(const ForeignFiles& files);

/// Puts what the files say onto a job that `ranks` will train, their lines into its origins, and what became
/// of every key of theirs into its effects. `--set` wins over them. Errors: NotFound, Permission;
/// InvalidConfig with file:line:column for what can't be read or is not built, or listing every contradiction
/// with the job's own file; the job is then unchanged.
Status add_foreign(const ForeignFiles& files, int64_t ranks, Resolved<TrainJob>& resolved);

/// Whether a run that is made, and that `ranks` will train, is what accelerate's launcher asks for in the
/// environment of the processes that it starts. Errors: InvalidConfig for what is not built, or listing every
/// contradiction; those of reading the DeepSpeed file that a variable names.
Status check_launch(const Environment& environment, const TrainJob& run, int64_t ranks);

}  // namespace zt::config
