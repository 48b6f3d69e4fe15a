// SPDX-License-Identifier: Apache-2.0
// See gpu_step.hpp.
#include "optim/internal/gpu/gpu_step.hpp"

#include <ATen/ATen.h>

#include <string>
#include <utility>

#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/dynamic_map.hpp"
#include "optim/internal/gpu/kernels_source.hpp"  // made by the build from three files
#include "params/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::optim::internal {
namespace {

static_assert(kCodeBlock == kBlock);
enum Kernel : size_t { kAdamW, kAdamW8Bit };

tensor::GpuKernels load(at::Device gpu) {
  auto kernels = tensor::GpuKernels::load(gpu, gpu_kernels_source(), {"adamw", "adamw_8bit"});
  ZT_REQUIRE(kernels.has_value(), kernels.error().text());
  return *std::move(kernels);
}

at::Tensor values_of(const DynamicMap& map) {
  return at::from_blob(const_cast<float*>(map.values.data()), {int64_t{256}}, at::kFloat);
}
at::Tensor codes_of(const DynamicMap& map) {
  return at::from_blob(const_cast<uint8_t*>(map.codes.data()), {int64_t{65536}}, at::kByte);
}

/// Blocks of a launch that do `elements`, each `per_block` of them.
int64_t num_blocks(int64_t elements, int64_t per_block) { return (elements + per_block - 1) / per_block; }

}  // namespace

std::string_view gpu_kernels_source() { return kKernelsSource; }

ElementRun run_of(const params::Segment& segment, const at::Tensor& master) {
  ElementRun run;
  run.count = segment.part.size();
  run.first_element = static_cast<unsigned>(segment.part.begin);
  if (segment.values_S.scalar_type() == at::kFloat) {
    run.value = segment.values_S.data_ptr<float>();
    run.gradient = segment.gradients_S.data_ptr<float>();
    return run;
  }
  if (master.defined()) run.value = master.data_ptr<float>();
  run.bf16_value = static_cast<unsigned short*>(segment.values_S.data_ptr());
  run.bf16_gradient = static_cast<unsigned short*>(segment.gradients_S.data_ptr());
  return run;
}

GpuStep::GpuStep(at::Device gpu)
    : kernels_(load(gpu)),
      first_values_(values_of(signed_map()).to(gpu)),
      first_map_(codes_of(signed_map()).to(gpu)),
      second_values_(values_of(unsigned_map()).to(gpu)),
      second_map_(codes_of(unsigned_map()).to(gpu)) {}

void GpuStep::step(const Factors& factors, const ElementRun& run, const at::Tensor& first,
                   const at::Tensor& second) const {
  if (run.count == 0) return;
  kernels_.launch(kAdamW, num_blocks(run.count, kThreads), kThreads, factors, run, first.data_ptr<float>(),
                  second.data_ptr<float>());
}

void GpuStep::step_8bit(const Factors& factors, const ElementRun& run, const Codes& codes) const {
  if (run.count == 0) return;
  const State8Bit state{codes.last_in_block.const_data_ptr<uint8_t>(), codes.first.data_ptr<uint8_t>(),
                        codes.first_absmax.data_ptr<float>(),          codes.second.data_ptr<uint8_t>(),
                        codes.second_absmax.data_ptr<float>(),         first_values_.const_data_ptr<float>(),
                        second_values_.const_data_ptr<float>(),        first_map_.const_data_ptr<uint8_t>(),
                        second_map_.const_data_ptr<uint8_t>()};
  kernels_.launch(kAdamW8Bit, num_blocks(run.count, kThreads * kPerLane), kThreads, factors, run, state);
}

}  // namespace zt::optim::internal
