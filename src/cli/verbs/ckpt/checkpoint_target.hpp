// SPDX-License-Identifier: Apache-2.0
// What a user names where a verb wants one checkpoint.
#pragma once

#include <filesystem>
#include <string>

#include "archive/stored_checkpoint.hpp"
#include "base/error.hpp"

namespace zt::cli {

inline constexpr const char* kCheckpointHelp = "A checkpoint's folder, or a run: then its newest checkpoint";

/// A folder that is no run: it is meant as a checkpoint, whatever it lacks.
bool is_checkpoint_folder(const std::filesystem::path& target);
/// The run that is meant by its folder of checkpoints; else what was named.
std::string run_meant_by(const std::string& target);
/// Opens that checkpoint, all of it read and verified. Errors: NotFound, those of the run's name and of
/// StoredCheckpoint::open().
Result<archive::StoredCheckpoint> open_checkpoint(const std::string& runs_folder, const std::string& target);

}  // namespace zt::cli
