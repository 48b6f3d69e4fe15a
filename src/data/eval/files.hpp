// SPDX-License-Identifier: Apache-2.0
// Judges videos that exist already: `zoetrope eval` without a network.
#pragma once

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "data/eval/report.hpp"

namespace zt::data {

/// Every job.results video against its truth, with its mask and background where given. One group,
/// "generated". Errors: InvalidArgument if the lists differ in length, a clip differs from its truth in size
/// or frame count, or there is nothing to judge; Exhausted, before anything is judged, if a clip does not fit
/// into memory; Corrupt for a video that ends early or has damaged frames; those of the readers.
Result<EvalReport> eval_files(const config::EvalJob& job);

}  // namespace zt::data
