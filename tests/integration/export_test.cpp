// SPDX-License-Identifier: Apache-2.0
// Exporting through the worker process: the files of other programs hold the bits of the run's checkpoint.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "support/temp_folder.hpp"
#include "support/tiny_run.hpp"
#include "support/worker_job.hpp"
#include "weights/tensor_file.hpp"

namespace zt {
namespace {

namespace fs = std::filesystem;

/// The files of one checkpoint.
struct StoredTensors {
  weights::TensorFile trained, frozen;
  const weights::TensorEntry* find(const std::string& name) const {
    const weights::TensorEntry* entry = trained.find(name);
    return entry ? entry : frozen.find(name);
  }
};

/// Every tensor of `file` is, bit for bit, the average under `network` of the checkpoint, or the weight where
/// none is kept because it does not train. How many were averages.
size_t expect_same_bits(const weights::TensorFile& file, const StoredTensors& checkpoint,
                        const std::string& network) {
  size_t averages = 0;
  for (const weights::TensorEntry& entry : file.entries()) {
    const std::string name = network + "." + entry.name;
    const weights::TensorEntry* stored = checkpoint.find("ema/" + name);
    averages += stored ? 1 : 0;
    if (!stored) stored = checkpoint.find("param/" + name);
    if (stored)
      EXPECT_TRUE(std::ranges::equal(entry.bytes, stored->bytes)) << name;
    else
      ADD_FAILURE() << name << " is not in the checkpoint";
  }
  return averages;
}

TEST(Export, WritesTheAveragedWeightsOfACheckpointBitForBit) {
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  test::TinyRun run(folder.path(), "walk",
                    {"stage=2", "model.allow_random_start=true", "max_train_steps=2",
                     "validation.every_steps=0", "optimizer.ema_decay=0.5"});
  ASSERT_EQ(run.finish(), 0) << run.log();
  const fs::path step = run.run().checkpoints() / contract::checkpoint_name(2);
  const StoredTensors checkpoint{test::value_of(weights::TensorFile::open(step / "rank-00000.safetensors")),
                                 test::value_of(weights::TensorFile::open(step / "frozen.safetensors"))};

  const config::ExportJob job{.run = run.run().path().string(),
                              .output = (folder.path() / "exported").string(),
                              .layout = config::ExportLayout::Moore};
  test::run_worker_job("export", job, folder.path());

  const auto averages_of = [&](const char* file, const char* network) {
    return expect_same_bits(test::value_of(weights::TensorFile::open(fs::path(job.output) / file)),
                            checkpoint, network);
  };
  averages_of("reference_unet.pth", "reference_unet");
  averages_of("denoising_unet.pth", "denoising_unet");
  averages_of("pose_guider.pth", "pose_guider");
  EXPECT_GT(averages_of("motion_module.pth", "denoising_unet"), 0U) << "stage 2 trains the motion modules";
  EXPECT_TRUE(fs::exists(fs::path(job.output) / "vae/config.json"));
  EXPECT_TRUE(fs::exists(fs::path(job.output) / "image_encoder/config.json"));
}

}  // namespace
}  // namespace zt
