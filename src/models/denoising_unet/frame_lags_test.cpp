// SPDX-License-Identifier: Apache-2.0
#include "models/denoising_unet/frame_lags.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "models/network_set.hpp"
#include "support/built_networks.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"

namespace zt::models {
namespace {

using test::value_in;

NetworkSet with_motion(const config::ModelJob& job) { return test::built(job, {.motion = true, .seed = 1}); }

config::ModelJob lagged_model() {
  config::ModelJob job = test::small_model();
  job.motion_init = config::MotionInit::FrameLags;
  return job;
}

std::string attention(int index, const char* layer) {
  return "denoising_unet.mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_"
         "blocks." +
         std::to_string(index) + "." + layer + ".weight";
}

/// What attention 0 of the mid block weighs, (heads, frames, frames), for features as the module's norm
/// leaves them: unit variance, and nothing in the channels that proj_in leaves free.
at::Tensor attention_weights(const NetworkSet& set, int64_t frames, int64_t heads) {
  const at::Tensor query_IC = value_in(set, attention(0, "to_q")),
                   key_IC = value_in(set, attention(0, "to_k"));
  const at::Tensor input_CC =
      value_in(set, "denoising_unet.mid_block.motion_modules.0.temporal_transformer.proj_in.weight");
  const at::Tensor is_written_C = input_CC.abs().sum(1).gt(0).to(at::kFloat);
  at::Generator generator = at::detail::createCPUGenerator(7);
  const int64_t width = query_IC.size(1);
  at::Tensor x_FC = at::randn({frames, width}, generator) * is_written_C;
  for (int64_t t = 0; t < frames; ++t) {
    for (int64_t c = 0; c < width; ++c) {
      const double angle = static_cast<double>(t) *
                           std::pow(10000.0, -static_cast<double>(c / 2 * 2) / static_cast<double>(width));
      x_FC[t][c] += c % 2 == 0 ? std::sin(angle) : std::cos(angle);
    }
  }
  const auto by_head = [&](const at::Tensor& weight_IC) {
    return x_FC.matmul(weight_IC.t()).view({frames, heads, -1}).transpose(0, 1);
  };
  const at::Tensor query_HFD = by_head(query_IC), key_HFD = by_head(key_IC);
  const double scale = 1 / std::sqrt(static_cast<double>(query_HFD.size(2)));
  return (query_HFD.matmul(key_HFD.transpose(1, 2)) * scale).softmax(-1);
}

TEST(FrameLags, HeadsTakeTheNearestFramesInTurn) {
  std::vector<int64_t> lags;
  for (int64_t head = 0; head < 6; ++head) lags.push_back(frame_lag(head));
  EXPECT_EQ(lags, (std::vector<int64_t>{1, 2, -1, 3, -2, 4}));
}

TEST(FrameLags, EachHeadLooksMostlyAtItsFrameWhateverThePictureShows) {
  constexpr int64_t kFrames = 8;
  const NetworkSet set = with_motion(lagged_model());
  const at::Tensor weights_HFF = attention_weights(set, kFrames, /*heads=*/2);
  for (int64_t t = 2; t < kFrames; ++t) {
    EXPECT_GT(weights_HFF[0][t][t - 1].item<float>(), 0.7) << t;
    EXPECT_GT(weights_HFF[1][t][t - 2].item<float>(), 0.7) << t;
  }
}

TEST(FrameLags, TorchsStartValuesTellNoFrameFromAnother) {
  const NetworkSet set = with_motion(test::small_model());
  EXPECT_LT(attention_weights(set, 8, /*heads=*/2).max().item<float>(), 0.4);
}

TEST(FrameLags, ModulesThatAFileGivesAreLeftAlone) {
  const test::TempFolder folder;
  const NetworkSet trained = with_motion(test::small_model());
  const auto path = folder / "motion.pth";
  ASSERT_TRUE(save_network(*trained.store, kDenoisingUNet, path, SaveFormat::TorchZip, Contents::MotionOnly));
  config::ModelJob job = lagged_model();
  job.mm_path = path;
  EXPECT_TRUE(
      at::equal(value_in(with_motion(job), attention(1, "to_q")), value_in(trained, attention(1, "to_q"))));
}

TEST(FrameLags, NothingChangesWithoutAPositionEncoding) {
  MotionConfig motion;
  motion.position_encoding = false;
  const NetworkSet set = with_motion(test::small_model());
  const std::string before = set.store->digest();
  start_with_frame_lags(*set.store, kDenoisingUNet, motion);
  EXPECT_EQ(set.store->digest(), before);
}

}  // namespace
}  // namespace zt::models
