// SPDX-License-Identifier: Apache-2.0
// See device_step.hpp.
#include "optim/internal/device_step.hpp"

#include <ATen/ATen.h>

#include <optional>
#include <utility>

#include "optim/internal/dynamic_map.hpp"

namespace zt::optim::internal {
namespace {

// Rows of 256, the last one filled up with zeros.
at::Tensor as_blocks(const at::Tensor& flat_P) {
  const int64_t missing = (kBlock - flat_P.numel() % kBlock) % kBlock;
  return at::constant_pad_nd(flat_P, {0, missing}).view({-1, kBlock});
}

at::Tensor decoded(const DynamicMap& map, const at::Tensor& codes, const at::Tensor& absmax) {
  const at::Tensor values = at::from_blob(const_cast<float*>(map.values.data()), {256}, at::kFloat)
                                .to(codes.device(), /*non_blocking=*/true);
  return (as_blocks(values.index_select(0, codes.to(at::kLong))) * absmax.unsqueeze(1))
      .flatten()
      .narrow(0, 0, codes.numel());
}

void encode(const DynamicMap& map, const at::Tensor& moment, const at::Tensor& codes,
            const at::Tensor& absmax) {
  const at::Tensor blocks = as_blocks(moment);
  absmax.copy_(blocks.abs().amax(1));
  const at::Tensor scale = at::where(absmax > 0, absmax.reciprocal(), at::zeros_like(absmax));
  const at::Tensor cells =
      ((blocks * scale.unsqueeze(1)).clamp(-1, 1).add(1) * 0.5 * 65535).add(0.5).to(at::kLong);
  const at::Tensor table = at::from_blob(const_cast<uint8_t*>(map.codes.data()), {65536}, at::kByte)
                               .to(codes.device(), /*non_blocking=*/true);
  const at::Tensor found = table.index_select(0, cells.flatten()).view_as(cells) * (absmax > 0).unsqueeze(1);
  codes.copy_(found.flatten().narrow(0, 0, codes.numel()));
}

}  // namespace

void adamw_on_device(const FusedStep& step, const at::Tensor& value, const at::Tensor& gradient,
                     const at::Tensor& first, const at::Tensor& second) {
  const auto float32 = value.options().dtype(at::kFloat);
  const at::Tensor t = at::full({}, static_cast<double>(step.t), float32);
  std::optional<at::Tensor> divisor;  // of gradients
  if (step.gradient_scale != 1) divisor = at::full({}, 1 / step.gradient_scale, float32);
  at::_fused_adamw_(value, gradient, first, second, /*max_exp_avg_sqs=*/{}, t, step.lr, step.beta1,
                    step.beta2, step.weight_decay, step.eps, /*amsgrad=*/false, /*maximize=*/false, divisor);
}

void adamw_8bit_on_device(const Factors& f, const at::Tensor& value, const at::Tensor& gradient,
                          const State8Bit& state) {
  const at::Tensor g = gradient * f.gradient_scale;
  const at::Tensor first = decoded(signed_map(), state.first_codes, state.first_absmax);
  const at::Tensor second = decoded(unsigned_map(), state.second_codes, state.second_absmax);
  first.mul_(f.beta1).add_(g, f.one_minus_beta1);
  second.mul_(f.beta2).addcmul_(g, g, f.one_minus_beta2);
  value.mul_(f.decay).addcdiv_(first, second.sqrt().div_(f.correction).add_(f.eps), f.minus_lr);
  encode(signed_map(), first, state.first_codes, state.first_absmax);
  encode(unsigned_map(), second, state.second_codes, state.second_absmax);
}

at::Tensor stochastically_rounded(const at::Tensor& values, uint32_t key, int64_t first) {
  constexpr int64_t kWord = 0xFFFFFFFF, kLowerHalf = 0xFFFF;
  // random_bits(): words of 32 bits in int64, so that products do not overflow into the sign.
  at::Tensor x = at::arange(first, first + values.numel(), values.options().dtype(at::kLong));
  const auto mix = [&](int64_t shift) { x.bitwise_xor_(x.bitwise_right_shift(shift)); };
  x.bitwise_and_(kWord).bitwise_xor_(int64_t{key});
  mix(16);
  x.mul_(0x85EBCA6B).bitwise_and_(kWord);
  mix(13);
  x.mul_(0xC2B2AE35).bitwise_and_(kWord);
  mix(16);
  const at::Tensor bits = values.contiguous().view(at::kInt).to(at::kLong);
  const at::Tensor rounded = (bits + x.bitwise_and_(kLowerHalf)).bitwise_and_(~kLowerHalf);
  return rounded.to(at::kInt).view(at::kFloat);
}

}  // namespace zt::optim::internal
