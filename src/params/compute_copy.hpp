// SPDX-License-Identifier: Apache-2.0
// Weights in the type that a GPU's products read, kept beside the fp32 ones that the optimizer steps.
// Autocast would cast each weight at each use and each gradient on its way back, three small launches for
// every parameter of a step, and the processor that launches them is what a step of a GPU waits for. Here one
// launch a segment casts, and the gradients of a step's first pass come back in a few.
//
// A weight that a pass uses several times has its gradients added up in the 16-bit type, as PyTorch's
// autocast does with its cache of casts; passes add to the store's gradients, fp32 unless its weights are of
// 16 bits too.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string_view>

#include "params/param_source.hpp"
#include "params/param_store.hpp"

namespace zt::params {

class ComputeCopy {
 public:
  /// Requires the store's values whole (Residency); it must outlive the copy. refresh() comes before the
  /// first use.
  ComputeCopy(const ParamStore& store, at::ScalarType dtype);

  /// For constructing a network that reads the copies.
  ParamSource source(std::string_view network) const { return copy_->source(network); }

  /// Casts the weights as they are now.
  void refresh();

  /// Adds what backward passes have left here to the gradients of `into`, a store over the same values, and
  /// lets go of it. To be called before ParamStore::touch(): gradients of segments that are not touched yet
  /// are known to be zero.
  void collect(ParamStore& into);

 private:
  const ParamStore& store_;
  std::unique_ptr<ParamStore> copy_;
};

}  // namespace zt::params
