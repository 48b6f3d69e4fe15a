// SPDX-License-Identifier: Apache-2.0
// Jobs from files and the command line: reading (our YAML, or Moore-AnimateAnyone's), freezing with the
// origin of every value, reading back, and the check before a resume. For help texts, docs and the JSON
// schema see config/reference.hpp.
//
// A value comes from, later ones winning: the struct's default; the stage's; `compat: moore`; the file;
// --set. For files of accelerate and DeepSpeed on top see config/foreign/foreign_files.hpp.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/effect.hpp"
#include "config/job/data_tools_job.hpp"
#include "config/job/export_job.hpp"
#include "config/job/generate_job.hpp"
#include "config/job/train_job.hpp"

namespace zt::config {

/// Dotted key -> "default", "stage 2 default", "compat: moore", "file.yaml:12" or "--set".
using Origins = std::map<std::string, std::string, std::less<>>;

inline constexpr std::string_view kCompatOrigin = "compat: moore";
/// Whether a value of that origin was left open by whoever wrote the job.
bool is_default_origin(std::string_view origin);

template <class Job>
struct Resolved {
  Job job;
  Origins origins;  ///< of every key
  /// What became of every key of Moore's file; what `compat: moore` changed.
  std::vector<Effect> effects = {};
};

struct LoadRequest {
  std::filesystem::path file;     ///< may be empty
  std::vector<std::string> sets;  ///< "a.b=c"; a list is "a.b=[1, 2]" or "a.b=1,2"
};

/// The value of a --set that makes a key exactly this list, whatever the texts hold.
std::string list_text(std::vector<std::string> items);

/// The job of a file and overrides, checked by its validate(). For TrainJob and GenerateJob the file may be
/// Moore's; it is known by its keys. Errors: NotFound, Permission; InvalidConfig with file:line:column, the
/// line and a caret.
template <class Job>
Result<Resolved<Job>> load(const LoadRequest& request);

/// load for a file that asks for several videos: Moore's animation.yaml has one job per reference and pose
/// video of its test_cases. Our own file is one job.
Result<std::vector<Resolved<GenerateJob>>> load_many(const LoadRequest& request);

/// YAML with every key and its origin as a comment, and a sum of all that: run.yaml and the job files of
/// workers.
template <class Job>
std::string freeze(const Resolved<Job>& resolved);

/// The part of freeze() that somebody wrote: without what was left open. load() reads it back to the same
/// job.
template <class Job>
std::string freeze_written(const Resolved<Job>& resolved);

/// Reads what freeze() wrote, with the strictness of load(). A key that a newer release added has its
/// default. InvalidConfig also if the file was changed since.
template <class Job>
Result<Job> thaw(const std::filesystem::path& file);

/// What load() checks, for a job that was made in code: InvalidConfig names the first value that is out of
/// range.
template <class Job>
Status check(const Job& job);

/// A key and its value as YAML that reads back to the same value.
struct KeyValue {
  std::string key;  ///< dotted
  std::string value;
};
/// All of a job, in the order of its describe().
template <class Job>
std::vector<KeyValue> values(const Job& job);

/// 32 hexadecimal digits over all keys and values; origins do not count.
template <class Job>
std::string digest(const Job& job);

/// Whether the names of files and folders count as settings: files may have moved since a run was made.
enum class Paths { Compared, Ignored };

/// Whether a run frozen as `frozen` may go on as `wanted`. InvalidConfig names every changed key that may not
/// change.
template <class Job>
Status check_resume(const Job& frozen, const Job& wanted, Paths paths = Paths::Compared);

}  // namespace zt::config
