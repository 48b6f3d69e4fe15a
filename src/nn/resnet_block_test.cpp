// SPDX-License-Identifier: Apache-2.0
// Against the block written out with libtorch's own layers on clips as (B, C, F, H, W), as the reference has
// them: its inflated norm works on single frames, plain GroupNorm on a whole clip.
#include "nn/resnet_block.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "params/param_store.hpp"
#include "tensor/noise.hpp"

namespace zt::nn {
namespace {

constexpr int64_t kClips = 2, kFrames = 3, kGroups = 4, kIn = 8, kOut = 12, kTime = 6;

/// A block with random weights.
struct Block {
  explicit Block(bool norm_over_frames) {
    const ResnetOptions options{.in_channels = kIn,
                                .out_channels = kOut,
                                .time_width = kTime,
                                .norm_num_groups = kGroups,
                                .norm_over_frames = norm_over_frames};
    params::ParamTable table;
    ResnetBlock(params::ParamSource(table, "net"), options);
    store = std::make_unique<params::ParamStore>(table, params::ParamStore::Options{});
    uint32_t purpose = 0;
    for (const params::StoredParam& param : store->params())
      store->assign(param.info.name, tensor::normal(param.info.shape, {7, ++purpose, 0}) * 0.3);
    block = ResnetBlock(params::ParamSource(*store, "net"), options);
  }
  at::Tensor operator[](const std::string& name) const { return store->find("net." + name)->value.detach(); }

  std::unique_ptr<params::ParamStore> store;
  ResnetBlock block;
};

at::Tensor norm_of(const Block& b, const std::string& name, const at::Tensor& x_BCFHW, bool over_frames) {
  const at::Tensor weight = b[name + ".weight"], bias = b[name + ".bias"];
  if (over_frames) return at::group_norm(x_BCFHW, kGroups, weight, bias, 1e-5);
  std::vector<at::Tensor> frames;
  for (int64_t f = 0; f < x_BCFHW.size(2); ++f)
    frames.push_back(at::group_norm(x_BCFHW.select(2, f), kGroups, weight, bias, 1e-5));
  return at::stack(frames, 2);
}

at::Tensor conv_of(const Block& b, const std::string& name, const at::Tensor& x_BCFHW, int64_t padding) {
  std::vector<at::Tensor> frames;
  for (int64_t f = 0; f < x_BCFHW.size(2); ++f)
    frames.push_back(at::conv2d(x_BCFHW.select(2, f), b[name + ".weight"], b[name + ".bias"], 1, padding));
  return at::stack(frames, 2);
}

at::Tensor written_out(const Block& b, const at::Tensor& x_BCFHW, const at::Tensor& time_BE,
                       bool over_frames) {
  at::Tensor h = conv_of(b, "conv1", at::silu(norm_of(b, "norm1", x_BCFHW, over_frames)), 1);
  const at::Tensor shift_BC = at::linear(time_BE, b["time_emb_proj.weight"], b["time_emb_proj.bias"]);
  h = h + shift_BC.view({kClips, kOut, 1, 1, 1});
  h = conv_of(b, "conv2", at::silu(norm_of(b, "norm2", h, over_frames)), 1);
  return conv_of(b, "conv_shortcut", x_BCFHW, 0) + h;
}

/// (B, C, F, H, W) as the frames that our blocks take, and back.
at::Tensor as_frames(const at::Tensor& x_BCFHW) { return x_BCFHW.transpose(1, 2).flatten(0, 1).contiguous(); }

class ResnetBlockOfAClip : public testing::TestWithParam<bool> {};

TEST_P(ResnetBlockOfAClip, EqualsItsLayersWrittenOut) {
  const at::NoGradGuard no_grad;
  const Block b(GetParam());
  // Frames of unlike brightness: statistics over all of them are others than those of each.
  const at::Tensor x_BCFHW = tensor::normal({kClips, kIn, kFrames, 5, 7}, {1, 1, 0}) +
                             at::arange(kFrames, at::kFloat).view({1, 1, kFrames, 1, 1});
  const at::Tensor time_BE = tensor::normal({kClips, kTime}, {1, 2, 0});

  const at::Tensor found = b.block.forward(as_frames(x_BCFHW), time_BE, kFrames);

  EXPECT_TRUE(at::allclose(found, as_frames(written_out(b, x_BCFHW, time_BE, GetParam())), 1e-4, 1e-5));
  EXPECT_FALSE(at::allclose(found, as_frames(written_out(b, x_BCFHW, time_BE, !GetParam())), 1e-2, 1e-2))
      << "the two kinds of norm differ";
}

INSTANTIATE_TEST_SUITE_P(Norms, ResnetBlockOfAClip, testing::Bool(), [](const auto& param) {
  return std::string(param.param ? "OverTheFrames" : "OfEachFrame");
});

}  // namespace
}  // namespace zt::nn
