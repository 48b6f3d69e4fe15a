// SPDX-License-Identifier: Apache-2.0
// The GPU that the tests of this folder use.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include "tensor/device.hpp"

namespace zt::test {

/// Skips each test, and says why, on a machine without a GPU or without libtorch's CUDA libraries.
class OnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    const Result<at::Device> opened = tensor::open_device("cuda");
    if (!opened) GTEST_SKIP() << opened.error().text();
    gpu = *opened;
  }
  at::Device gpu = at::kCPU;
};

/// ||found - wanted|| / ||wanted||, in fp64 on the CPU.
inline double relative_error(const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor f = found.detach().to(at::kCPU, at::kDouble),
                   w = wanted.detach().to(at::kCPU, at::kDouble);
  return ((f - w).norm() / w.norm()).item<double>();
}

}  // namespace zt::test
