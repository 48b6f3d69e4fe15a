// SPDX-License-Identifier: Apache-2.0
// Activation checkpointing (Chen et al. 2016): run a piece of a network without keeping its activations and
// run it again in backward. Everything the piece reads from other pieces must be in `inputs` and everything
// others read of it in its outputs (reference banks too); parameters are captured and accumulate their
// gradients as leaves. Gradients equal the plain run's bit for bit. The autocast state of the forward pass is
// restored in backward.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace zt::nn {

using Piece = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;

/// Called around what backward does for a piece; both or none.
struct BackwardBorders {
  std::function<void()> before = {};
  std::function<void()> after = {};
};

/// Runs piece(inputs); inputs and outputs must be defined. Captured layers must outlive backward. Without
/// gradient mode it is a plain call. The piece must be a pure function of inputs and parameters.
std::vector<at::Tensor> recompute(Piece piece, const std::vector<at::Tensor>& inputs,
                                  BackwardBorders borders = {});

}  // namespace zt::nn
