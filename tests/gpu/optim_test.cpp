// SPDX-License-Identifier: Apache-2.0
// Start values, optimizer and averages on a GPU have the CPU's bits, wherever the optimizer's state is; norms
// are the CPU's to rounding.
#include <ATen/ATen.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "gpu.hpp"
#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "optim/gradient_norm.hpp"
#include "support/optimizer_steps.hpp"
#include "support/param_store.hpp"
#include "tensor/device_memory.hpp"

namespace zt::optim {
namespace {

using test::OnGpu;

// Lengths that are no multiple of a block; "big" and "odd" have 8-bit state where that is wanted.
const std::vector<test::TestParam> kParams = {
    {"big", {300, 301}}, {"odd", {5000}, "other_unit"}, {"late", {70, 64}, "net", "late"}, {"small", {7}}};

using State = std::map<std::string, at::Tensor>;

/// Values, moments and averages after three steps, on the CPU; the second does not reach the group "late".
State trained(at::Device device, const params::PlacementRule& placement, const AdamWOptions& options) {
  const auto store = test::make_store(kParams, placement, {}, {}, device);
  AdamW adamw(*store, options);
  Ema ema(*store, {.decay = 0.9, .is_offloaded = options.is_offloaded});
  test::make_three_steps(*store, adamw, ema);
  State state;
  const auto collect = [&](const params::StateTensor& t) { state[t.name] = t.value.detach().cpu(); };
  adamw.visit_state(collect);
  ema.visit_state(collect);
  for (const params::StoredParam& param : store->params())
    state[param.info.name] = param.value.detach().cpu();
  for (const params::Segment& segment : store->segments())
    EXPECT_EQ(segment.gradients_P.count_nonzero().item<int64_t>(), 0) << segment.unit;
  return state;
}

class Optimizer : public OnGpu {};

TEST_F(Optimizer, StartValuesHaveTheCpusBits) {
  EXPECT_EQ(test::make_store(kParams, {}, {}, {}, gpu)->digest(), test::make_store(kParams)->digest());
}

params::PlacementRule bf16(const params::PlacementRule& rule) {
  return [rule](const params::ParamInfo& info) {
    params::Placement placement = rule ? rule(info) : params::Placement();
    placement.dtype = at::kBFloat16;
    return placement;
  };
}

// Offloaded, pieces of 1024 elements keep several copies under way.
TEST_F(Optimizer, StepsHaveTheCpusBits) {
  struct Case {
    const char* name;
    params::PlacementRule placement;
    Bf16Weights bf16_weights = Bf16Weights::Master;
  };
  const std::vector<Case> cases = {{"fp32", {}},
                                   {"8-bit moments", test::eight_bit_moments()},
                                   {"bf16 with masters", bf16({})},
                                   {"bf16 rounded at random", bf16({}), Bf16Weights::Stochastic},
                                   {"bf16, 8-bit moments", bf16(test::eight_bit_moments())}};
  for (const auto& [name, placement, bf16_weights] : cases) {
    const AdamWOptions options{.bf16_weights = bf16_weights},
        offloaded{.bf16_weights = bf16_weights, .is_offloaded = true, .piece_elements = 1024};
    const State wanted = trained(at::kCPU, placement, options), found = trained(gpu, placement, options),
                through_host = trained(gpu, placement, offloaded);
    for (const auto& [tensor, value] : wanted) {
      EXPECT_TRUE(at::equal(found.at(tensor), value)) << name << ": " << tensor;
      EXPECT_TRUE(at::equal(through_host.at(tensor), value)) << name << ", offloaded: " << tensor;
    }
  }
}

TEST_F(Optimizer, OffloadedStateTakesNoneOfTheGpusMemory) {
  const auto store = test::make_store(kParams, {}, {}, {}, gpu);
  tensor::reset_peak(gpu);
  const int64_t before = tensor::peak_tensor_bytes(gpu);
  AdamW adamw(*store, {.is_offloaded = true});
  Ema ema(*store, {.is_offloaded = true});
  test::make_three_steps(*store, adamw, ema);

  EXPECT_GT(adamw.num_bytes(), 2 * 4 * 90'300);
  // Less than one fp32 number for each parameter.
  EXPECT_LT(tensor::peak_tensor_bytes(gpu) - before, 4 * 90'300);
}

TEST_F(Optimizer, AveragesStandInFromTheHost) {
  const auto store = test::make_store(kParams, bf16({}), {}, {}, gpu);
  Ema ema(*store, {.is_offloaded = true});
  const at::Tensor before = test::value(*store, "odd").clone();
  store->assign("odd", at::zeros({5000}));
  {
    const EmaScope scope(&ema);
    EXPECT_TRUE(at::equal(test::value(*store, "odd"), before));
  }
  EXPECT_EQ(test::value(*store, "odd").abs().max().item<float>(), 0);
}

TEST_F(Optimizer, NormsAreTheCpusToRounding) {
  const auto on_gpu = test::make_store(kParams, {}, {}, {}, gpu), on_cpu = test::make_store(kParams);
  for (params::ParamStore* store : {on_gpu.get(), on_cpu.get()}) test::fill_gradients(*store, {"net"}, 1);
  const GradientNorms found = gradient_norms(*on_gpu, 0.25), wanted = gradient_norms(*on_cpu, 0.25);

  EXPECT_NEAR(found.total / wanted.total, 1, 1e-6);
  ASSERT_EQ(found.by_module.size(), wanted.by_module.size());
  for (const auto& [module, norm] : wanted.by_module) EXPECT_NEAR(found.by_module.at(module) / norm, 1, 1e-6);
  EXPECT_TRUE(found.is_finite());
}

TEST_F(Optimizer, ANonFiniteGradientIsNamed) {
  const auto store = test::make_store(kParams, {}, {}, {}, gpu);
  test::fill_gradients(*store, {"net", "late"}, 1);
  test::gradient(*store, "odd")[4999].fill_(std::numeric_limits<float>::infinity());
  const GradientNorms norms = gradient_norms(*store);

  EXPECT_FALSE(norms.is_finite());
  EXPECT_EQ(norms.first_nonfinite, "odd");
}

TEST_F(Optimizer, PeakAndRefusalAreOfTheGpusMemory) {
  tensor::reset_peak(gpu);
  const int64_t before = tensor::peak_tensor_bytes(gpu);
  { const at::Tensor held = at::zeros({1 << 20}, at::dtype(at::kFloat).device(gpu)); }

  EXPECT_EQ(tensor::peak_tensor_bytes(gpu) - before, 4 << 20);
  const resources::Demand huge{"weights", uint64_t{1} << 50};
  const Status refused = tensor::require_memory(gpu, {&huge, 1}, "less");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::Exhausted);
  EXPECT_NE(refused.error().text().find("cuda"), std::string::npos) << refused.error().text();
  EXPECT_TRUE(tensor::require_memory(gpu, {}, "less"));
}

}  // namespace
}  // namespace zt::optim
