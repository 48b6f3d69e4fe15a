// SPDX-License-Identifier: Apache-2.0
// pose_drawing.json in a folder of weights that `zoetrope ckpt export` wrote: how the pictures of poses were
// drawn that its networks were trained with. Networks that are guided by others make worse pictures, without
// an error. Folders of other programs have none: published networks were trained with PoseDrawing's defaults.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "config/load.hpp"

namespace zt::config {

/// Where the file lies in a folder of weights.
std::filesystem::path pose_drawing_file(const std::filesystem::path& folder);

std::string pose_drawing_json(const PoseDrawing& drawing);

/// Gives a GenerateJob, or a TrainJob's data, what the folder's file says, where nobody wrote that. Without
/// the file nothing changes. Returns a line for people, if anything changed. Errors: InvalidConfig with
/// file:line:column for what is no setting of PoseDrawing.
template <class Job>
Result<std::vector<std::string>> take_pose_drawing(const std::filesystem::path& folder,
                                                   Resolved<Job>& resolved);

}  // namespace zt::config
