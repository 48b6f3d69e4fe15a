// SPDX-License-Identifier: Apache-2.0
// trained_as.json in a folder of weights that `zoetrope ckpt export` wrote: what `generate --run` knows of a
// run beside its networks (the noise schedule, the size of the pictures, the length of the clips, how poses
// were drawn, how its validation samples). Networks that are used otherwise make noise or worse pictures,
// without an error. Folders of other programs have none; of schedules they have scheduler_file.hpp's.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/load.hpp"
#include "config/meaning/trained.hpp"

namespace zt::config {

/// Where the file lies in a folder of weights.
std::filesystem::path trained_as_file(const std::filesystem::path& folder);

/// Keys and values of run.yaml, nested as there.
std::string trained_as_json(const TrainJob& job);

/// What the folder's file says; nothing without the file. Errors: InvalidConfig with file:line:column for
/// what is no such file, also for one that lacks a key.
Result<std::optional<Trained>> read_trained_as(const std::filesystem::path& folder);

/// Gives a training what the folder's file says, where nobody wrote that; without the file nothing changes.
/// Returns a line for people, if anything changed. Errors: as above, and where the job is no longer valid.
Result<std::vector<std::string>> take_trained_as(const std::filesystem::path& folder,
                                                 Resolved<TrainJob>& resolved);

}  // namespace zt::config
