// SPDX-License-Identifier: Apache-2.0
// Where other programs are told to keep the optimizer's state, as optimizer.offload.
#pragma once

#include <string_view>

#include "base/error.hpp"
#include "config/foreign/asks.hpp"
#include "config/job/train_job.hpp"

namespace zt::config::foreign {

/// Of an entry that names a device: none, cpu or "auto". Errors: InvalidConfig for another one, saying why
/// not and what to do.
Result<Ask> offload_ask(const KeyFile& file, const Entry& entry);

/// What accelerate's launcher says of it to the processes that it starts.
inline constexpr const char* kOffloadVariable = "ACCELERATE_DEEPSPEED_OFFLOAD_OPTIMIZER_DEVICE";
/// Whether a run, whose configuration is settled, goes with that variable's text. Errors: InvalidArgument if
/// it asks for state elsewhere; none asks for nothing.
Status check_offload_variable(std::string_view text, const TrainJob& job);

}  // namespace zt::config::foreign
