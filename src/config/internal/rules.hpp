// SPDX-License-Identifier: Apache-2.0
// Rules between fields that several jobs share. Each is InvalidConfig, names the keys and says what to
// change.
#pragma once

#include <string>
#include <utility>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "config/job/model_job.hpp"
#include "config/job/optim_job.hpp"
#include "config/job/schedule_job.hpp"

namespace zt::config {

inline tl::unexpected<Error> broken(std::string rule) {
  return fail(ErrorCode::InvalidConfig, std::move(rule));
}

Status validate_model(const ModelJob& model);
/// Inline sizes of motion modules against the inline UNet's.
Status validate_motion(const ModelJob& model);
/// The model's codec says which sizes are whole latents.
Status validate_data(const DataJob& data, const ModelJob& model);
Status validate_schedule(const ScheduleJob& schedule);
Status validate_precision(const PrecisionJob& precision);
/// "cpu", "cuda" or "cuda:N".
Status validate_device(const std::string& device);

}  // namespace zt::config
