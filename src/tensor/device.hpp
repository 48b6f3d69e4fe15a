// SPDX-License-Identifier: Apache-2.0
// Where tensors live, by the name users write. The CUDA half of libtorch is opened only when a GPU is asked
// for, so that a machine without one never loads it.
#pragma once

#include <c10/core/Device.h>

#include <string>

#include "base/error.hpp"

namespace zt::tensor {

/// "cpu", "cuda:N" or "cuda", which is GPU number `place`, or the only one there is: launchers often show
/// each rank of a host its own. Errors: InvalidConfig for another name; Unsupported if libtorch's CUDA
/// libraries are not installed, saying how to get them, or there is no such GPU.
Result<at::Device> open_device(const std::string& name, int64_t place = 0);

}  // namespace zt::tensor
