// SPDX-License-Identifier: Apache-2.0
// What the verbs of `zoetrope data` do with a job: call the library, draw its progress, print its report.
// quickstart calls the same functions.
#pragma once

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"

namespace zt::cli {

/// The values are exit codes.
Result<int> synth(const config::SynthJob& job);
Result<int> ingest(const config::IngestJob& job, bool as_json = false);
Result<int> pose(const config::PoseJob& job);

}  // namespace zt::cli
