// SPDX-License-Identifier: Apache-2.0
// Tensors of tests/parity/: made by the real Python implementation (tests/parity/README.md says how to
// compare them).
#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>
#include <string>

#include "tensor/from_entry.hpp"
#include "weights/tensor_file.hpp"

namespace zt::test {

/// One parity file, e.g. ParityFile("k_adamw"). Throws if the file or a tensor is missing: the test then
/// fails.
class ParityFile {
 public:
  explicit ParityFile(const std::string& stem) : file_(open(stem)) {}

  /// A copy, in the stored type.
  at::Tensor operator[](const std::string& name) const {
    const weights::TensorEntry* entry = file_.find(name);
    if (entry == nullptr) throw std::runtime_error("no parity tensor " + name);
    return tensor::from_entry(*entry).clone();
  }

 private:
  static weights::TensorFile open(const std::string& stem) {
    const auto path = std::filesystem::path(ZT_SOURCE_DIR) / "tests/parity" / (stem + ".safetensors");
    auto file = weights::TensorFile::open(path);
    if (!file) throw std::runtime_error(file.error().text());
    return *std::move(file);
  }
  weights::TensorFile file_;
};

/// |found - wanted| <= absolute + relative |wanted|, everywhere.
inline ::testing::AssertionResult all_close(const at::Tensor& found, const at::Tensor& wanted,
                                            double absolute, double relative = 0) {
  if (found.sizes() != wanted.sizes())
    return ::testing::AssertionFailure() << "shape " << found.sizes() << ", wanted " << wanted.sizes();
  const at::Tensor f = found.to(at::kDouble), w = wanted.to(at::kDouble);
  const at::Tensor excess = (f - w).abs() - relative * w.abs();
  if (!(excess <= absolute).all().item<bool>())
    return ::testing::AssertionFailure()
           << "largest difference " << (f - w).abs().max().item<double>() << " in " << found.sizes()
           << ", allowed " << absolute << " + " << relative << " x";
  return ::testing::AssertionSuccess();
}

}  // namespace zt::test
