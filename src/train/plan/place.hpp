// SPDX-License-Identifier: Apache-2.0
// Which memory a rank computes in.
#pragma once

namespace zt::train {

/// Where weights, gradients and activations are: in the host's memory, or in that of a GPU, whose host then
/// holds what optimizer.offload moves there.
enum class Place { Host, Gpu };

}  // namespace zt::train
