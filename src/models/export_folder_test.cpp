// SPDX-License-Identifier: Apache-2.0
// What other programs make of these files: export_stock_test.cpp and scripts/check_exports.
#include "models/export_folder.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/built_networks.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"
#include "weights/tensor_file.hpp"

namespace zt::models {
namespace {

using test::kLatents;

NetworkSet trained() {
  NetworkSet set = build_networks(test::small_model(), kLatents, {.motion = true, .seed = 5}).value();
  set.store->assign("denoising_unet.mid_block.motion_modules.0.temporal_transformer.proj_out.bias",
                    at::ones({32}));
  return set;
}

std::string digest_of(const config::ModelJob& job) {
  const auto set = build_networks(job, kLatents, {.motion = true, .for_generation = true});
  EXPECT_TRUE(set) << set.error().text();
  return set ? set->store->digest() : "";
}

TEST(ExportFolder, DiffusersFoldersReadBackAsTheSameNetworks) {
  const test::TempFolder folder;
  const NetworkSet set = trained();
  ASSERT_TRUE(export_networks(set, nullptr, nullptr, folder.path(), config::ExportLayout::Diffusers));

  config::ModelJob job;  // SD 1.5 sizes: all real ones must come from the folders
  job.reference_unet_path = folder / "reference_unet";
  job.denoising_unet_path = folder / "denoising_unet";
  job.pose_guider_path = folder / "pose_guider";
  job.mm_path = folder / "motion_adapter";

  EXPECT_EQ(digest_of(job), set.store->digest());
}

// What the job says counts where the folder says nothing, as stock ones do.
TEST(ExportFolder, DiffusersFoldersSayWhetherNormsLookOverFrames) {
  const test::TempFolder folder;
  config::ModelJob job = test::small_model();
  for (const bool is_inflated : {true, false}) {
    job.unet.use_inflated_groupnorm = is_inflated;
    const NetworkSet set = build_networks(job, kLatents, {.motion = true}).value();
    const auto path = folder.path() / (is_inflated ? "inflated" : "over_frames");
    ASSERT_TRUE(export_networks(set, nullptr, nullptr, path, config::ExportLayout::Diffusers));
    for (const bool asked : {true, false}) {
      config::ModelJob read;
      read.unet.use_inflated_groupnorm = asked;
      read.reference_unet_path = path / "reference_unet";
      read.denoising_unet_path = path / "denoising_unet";
      read.pose_guider_path = path / "pose_guider";
      read.mm_path = path / "motion_adapter";

      const auto configs = network_configs(read, kLatents, /*motion=*/true);

      ASSERT_TRUE(configs) << configs.error().text();
      EXPECT_EQ(configs->denoising_unet.use_inflated_groupnorm, is_inflated && asked);
    }
  }
}

TEST(ExportFolder, MooreFilesReadBackAsTheSameNetworks) {
  const test::TempFolder folder;
  const NetworkSet set = trained();
  ASSERT_TRUE(export_networks(set, nullptr, nullptr, folder.path(), config::ExportLayout::Moore));

  config::ModelJob job = test::small_model();
  job.reference_unet_path = folder / "reference_unet.pth";
  job.denoising_unet_path = folder / "denoising_unet.pth";
  job.pose_guider_path = folder / "pose_guider.pth";
  job.mm_path = folder / "motion_module.pth";

  EXPECT_EQ(digest_of(job), set.store->digest());
}

TEST(ExportFolder, ReferenceNetGetsAHeadThatGivesZeros) {
  const test::TempFolder folder;
  ASSERT_TRUE(export_networks(trained(), nullptr, nullptr, folder.path(), config::ExportLayout::Diffusers));

  const auto file = weights::TensorFile::open(folder / "reference_unet");
  ASSERT_TRUE(file);
  const weights::TensorEntry* head = file->find("conv_out.weight");
  ASSERT_TRUE(head);
  EXPECT_EQ(head->shape, (std::vector<int64_t>{kLatents, 32, 3, 3}));
}

TEST(ExportFolder, MotionModulesOnSomeLevelsAreNoMotionAdapter) {
  const test::TempFolder folder;
  config::ModelJob job = test::small_model();
  job.motion.levels = {1};
  const NetworkSet set = build_networks(job, kLatents, {.motion = true}).value();

  const Status status =
      export_networks(set, nullptr, nullptr, folder.path(), config::ExportLayout::Diffusers);

  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::Unsupported);
  EXPECT_TRUE(export_networks(set, nullptr, nullptr, folder.path(), config::ExportLayout::Moore));
}

}  // namespace
}  // namespace zt::models
