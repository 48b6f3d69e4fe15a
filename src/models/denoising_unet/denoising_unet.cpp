// SPDX-License-Identifier: Apache-2.0
// See denoising_unet.hpp.
#include "models/denoising_unet/denoising_unet.hpp"

#include <ATen/ATen.h>

#include <numeric>

#include "tensor/require.hpp"

namespace zt::models {
namespace {

/// (B, C, F, H, W) -> (B * F, C, H, W), frame index fastest.
at::Tensor fold_frames(const at::Tensor& x_BCFHW) {
  return x_BCFHW.transpose(1, 2).reshape({-1, x_BCFHW.size(1), x_BCFHW.size(3), x_BCFHW.size(4)});
}

int64_t num_bank_rows(const DenoisingInput& input) {
  return input.bank ? input.bank->norm1_RSC.front().size(0) : input.projected->key_RSC.front().size(0);
}

nn::ReferenceRows reference_rows(const DenoisingInput& input) {
  if (!input.bank && !input.projected) return {};
  std::vector<int64_t> bank_row = input.bank_row;
  if (bank_row.empty()) {
    bank_row.resize(static_cast<size_t>(input.x_BCFHW.size(0)));
    std::iota(bank_row.begin(), bank_row.end(), 0);
  }
  return {std::move(bank_row), num_bank_rows(input), input.x_BCFHW.device()};
}

void check(const DenoisingInput& input, const UNetConfig& config) {
  const at::Tensor& x = input.x_BCFHW;
  ZT_REQUIRE(x.dim() == 5 && x.size(1) == config.in_channels, "wanted x (B, ", config.in_channels,
             ", F, H, W), got ", x);
  ZT_REQUIRE(input.timestep_B.dim() == 1 && input.timestep_B.size(0) == x.size(0),
             "wanted one timestep per item of ", x, ", got ", input.timestep_B);
  ZT_REQUIRE(input.context_BLD.dim() == 3 && input.context_BLD.size(0) == x.size(0), "wanted context (",
             x.size(0), ", L, ", config.cross_attention_dim, "), got ", input.context_BLD);
  ZT_REQUIRE(!(input.bank && input.projected), "a bank and a projected bank were given; at most one may be");
  ZT_REQUIRE(input.bank_row.empty() || static_cast<int64_t>(input.bank_row.size()) == x.size(0),
             "wanted a bank row per item of ", x, ", got ", input.bank_row.size());
}

}  // namespace

DenoisingUNet::DenoisingUNet(const UNetConfig& config, const params::ParamSource& source)
    : config_(config),
      trunk_(config, source, UNetTrunk::Role::Reader),
      head_(source.unit("head")),
      conv_norm_out_(source.unit("head").child("conv_norm_out"), config.norm_num_groups,
                     config.block_out_channels.front(), config.norm_eps),
      conv_out_(source.unit("head").child("conv_out"), config.block_out_channels.front(),
                config.out_channels) {}

at::Tensor DenoisingUNet::forward(const DenoisingInput& input) const {
  check(input, config_);
  const at::Tensor& x_BCFHW = input.x_BCFHW;
  const int64_t frames = x_BCFHW.size(2);
  const at::Tensor h_NCHW =
      trunk_.read({.x_NCHW = fold_frames(x_BCFHW),
                   .timestep_B = input.timestep_B,
                   .context_BLD = input.context_BLD,
                   .pose_NCHW = input.pose_BCFHW.defined() ? fold_frames(input.pose_BCFHW) : at::Tensor(),
                   .frames = frames,
                   .bank = input.bank,
                   .projected = input.projected,
                   .rows = reference_rows(input),
                   .recompute = input.recompute});
  const auto head = [this, frames](const std::vector<at::Tensor>& in) -> std::vector<at::Tensor> {
    const at::Tensor normed_NCHW =
        config_.use_inflated_groupnorm ? conv_norm_out_(in[0]) : conv_norm_out_.over_frames(in[0], frames);
    return {conv_out_(at::silu(normed_NCHW))};
  };
  const at::Tensor out_NCHW = head_.run(nn::Unit::Form::Kept, head, {h_NCHW}).front();
  return out_NCHW.unflatten(0, {x_BCFHW.size(0), frames}).transpose(1, 2);
}

ProjectedBank DenoisingUNet::project(const ReferenceBank& bank) const { return trunk_.project(bank); }

}  // namespace zt::models
