// SPDX-License-Identifier: Apache-2.0
// Equal work side by side: a piece of a network runs on slices of its input, each on one thread, forward and
// backward. On narrow networks that beats several threads inside every operation, which are too short to be
// divided: a clip is cut between its frames where they do not see each other, and between its positions where
// the frames do.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace zt::nn {

/// What runs on one slice: cut inputs (this slice of them) and shared inputs (whole) -> outputs.
using PartPiece = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>& cut,
                                                        const std::vector<at::Tensor>& shared)>;

/// In how many parts the `items` of a tensor of `numel` numbers are best worked on: 1 on a GPU, with one
/// thread, or where the tensor is large enough to feed all threads in every operation.
int64_t worthwhile_parts(const at::Tensor& x, int64_t items);

/// Runs piece on `count` parts of `cut` along `dim` and puts its outputs, which must all have that dimension,
/// together again. Inputs may be undefined. The piece must be a pure function of inputs and parameters, and
/// treat every item of `dim` alike. Gradients of shared inputs and of parameters are summed over the parts
/// in their order, so they are the same bits every time with the same number of threads.
std::vector<at::Tensor> run_in_parts(int64_t count, int64_t dim, const PartPiece& piece,
                                     const std::vector<at::Tensor>& cut,
                                     const std::vector<at::Tensor>& shared);

}  // namespace zt::nn
