// SPDX-License-Identifier: Apache-2.0
// What a worker writes into the run's events about an attempt's begin and end.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

#include "base/error.hpp"
#include "contract/events.hpp"
#include "train/launch/setup.hpp"

namespace zt::worker {

contract::AttemptStarted started(at::Device device);
contract::AttemptStarted started(const train::Setup& setup);
/// `code`: the worker's exit code, or its error.
contract::AttemptFinished finished(const Result<int>& code, int64_t step);

}  // namespace zt::worker
