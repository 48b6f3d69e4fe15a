// SPDX-License-Identifier: Apache-2.0
// Sizes that tests/parity lacks, against stock diffusers (testdata/make_golden.py): three levels, heads that
// differ per level, latents that neither are square nor divide, motion modules with their own heads and
// groups.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <map>

#include "models/load_network.hpp"
#include "models/network_set.hpp"
#include "support/parity.hpp"
#include "tensor/from_entry.hpp"
#include "weights/tensor_file.hpp"

namespace zt::models {
namespace {

using test::all_close;

UNetConfig odd_config() {
  UNetConfig config;
  config.block_out_channels = {8, 12, 16};
  config.down_has_attention = {true, false, true};
  config.up_has_attention = {true, false, true};
  config.layers_per_block = {2, 2, 2};
  config.num_heads = {2, 3, 4};
  config.norm_num_groups = 4;
  config.cross_attention_dim = 6;
  config.motion = {.mid_block = true, .num_heads = 4, .max_positions = 5, .norm_num_groups = 4};
  return config;
}

class OddSizes : public ::testing::Test {
 protected:
  OddSizes()
      : file_(weights::TensorFile::open(ZT_SOURCE_DIR "/src/models/testdata/odd_sizes.safetensors").value()) {
  }

  at::Tensor golden(const std::string& name) const { return tensor::from_entry(*file_.find(name)).clone(); }

  /// The golden weights that begin with `prefix`, named as in their network.
  weights::NameRule only(std::string prefix, weights::NameRule rule) const {
    return [prefix, rule](std::string_view name) -> std::optional<std::string> {
      if (!name.starts_with(prefix)) return std::nullopt;
      return rule(name.substr(prefix.size()));
    };
  }

  NetworkSet networks(bool motion) const {
    UNetConfig config = odd_config();
    config.motion.enabled = motion;
    NetworkSet set =
        make_networks({config.without_motion(), config, {.embedding_channels = 8}}, {.motion = motion});
    const auto same = [](std::string_view name) { return std::optional(std::string(name)); };
    LoadRules rules;
    rules.rename = only("unet.", same);
    EXPECT_TRUE(load_network(*set.store, kReferenceUNet, file_, rules));
    rules.contents = Contents::WithoutMotion;
    EXPECT_TRUE(load_network(*set.store, kDenoisingUNet, file_, rules));
    if (motion) {
      rules.contents = Contents::MotionOnly;
      rules.rename = only("motion.", weights::motion_name);
      const auto report = load_network(*set.store, kDenoisingUNet, file_, rules);
      EXPECT_TRUE(report && report->unexpected.empty());
    }
    return set;
  }

  weights::TensorFile file_;
  at::NoGradGuard no_grad_;
};

TEST_F(OddSizes, TheBankEqualsDiffusersNorms) {
  const NetworkSet set = networks(/*motion=*/false);
  const ReferenceBank bank = set.reference_net->forward(golden("x"), golden("context"));
  const std::vector<std::string> names = set.reference_net->bank_names();
  ASSERT_EQ(names.size(), 2u + 2 + 1 + 3 + 3);
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_TRUE(all_close(bank.norm1_RSC[i], golden("bank." + names[i]), 2e-5)) << names[i];
  }
}

TEST_F(OddSizes, OneFrameWithoutAReferenceEqualsDiffusersUNet) {
  const NetworkSet set = networks(/*motion=*/false);
  const at::Tensor out = set.denoising_unet->forward(
      {.x_BCFHW = golden("x").unsqueeze(2), .timestep_B = golden("t"), .context_BLD = golden("context")});
  EXPECT_TRUE(all_close(out.squeeze(2), golden("out"), 2e-5));
}

TEST_F(OddSizes, AClipEqualsDiffusersMotionModel) {
  const NetworkSet set = networks(/*motion=*/true);
  const at::Tensor out = set.denoising_unet->forward({.x_BCFHW = golden("clip"),
                                                      .timestep_B = golden("t").narrow(0, 0, 1),
                                                      .context_BLD = golden("context").narrow(0, 0, 1)});
  EXPECT_TRUE(all_close(out, golden("clip_out"), 2e-5));
}

}  // namespace
}  // namespace zt::models
