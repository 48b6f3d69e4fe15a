// SPDX-License-Identifier: Apache-2.0
// Training with offloaded optimizer state has the bits of training without, through checkpoints and snapshots
// of either. Parameters are on the CPU here; tests/gpu moves the state for real.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "checkpoint/memory_tier.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "exchange/snapshot_file.hpp"
#include "support/temp_folder.hpp"
#include "support/trainer.hpp"

namespace zt::train {
namespace {

using config::MixedPrecision;
using config::TrainedWeights;
using test::Trainer;

struct Format {
  const char* name;
  MixedPrecision precision = MixedPrecision::Fp32;
  TrainedWeights weights = TrainedWeights::Fp32;
  bool is_8bit = false;
};

config::TrainJob job_of(const Format& format) {
  config::TrainJob job = test::tiny_job();
  job.precision.mixed_precision = format.precision;
  job.precision.trained_weights = format.weights;
  job.precision.init_loss_scale = 1024;
  job.optimizer.use_8bit_adam = format.is_8bit;
  job.optimizer.ema_decay = 0.9;
  job.condition.uncond_ratio = 0.5;  // some steps reach one network alone
  return job;
}

Trainer& offload(Trainer& trainer) {
  optim::AdamWOptions options = adamw_options(trainer.job, at::kCPU);
  options.is_offloaded = true;
  options.piece_elements = 1024;
  trainer.state.optimizer = std::make_unique<optim::AdamW>(*trainer.state.networks.store, options);
  return trainer;
}

void train(Trainer& trainer, uint64_t first, uint64_t last) {
  for (uint64_t step = first; step < last; ++step) (void)trainer.step(step * 2);
}

Cursor cursor_at(const Trainer& trainer, int64_t step) {
  Cursor cursor(trainer.job.schedule.num_train_timesteps);
  cursor.step = step;
  return cursor;
}

void expect_same(const Trainer& found, const Trainer& wanted) {
  EXPECT_EQ(found.digest(), wanted.digest());
  const auto a = state_tensors(found.state), b = state_tensors(wanted.state);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].name, b[i].name);
    EXPECT_TRUE(at::equal(a[i].value, b[i].value)) << b[i].name;
  }
}

/// Saves one trainer's state on disk and restores it in another.
void hand_over(const Trainer& from, Trainer& to, int64_t step) {
  const test::TempFolder folder;
  checkpoint::Saver saver(
      {.folder = folder.path(), .run_id = "run", .config_digest = "job", .generation = 1, .retention = {}});
  saver.save(snapshot_of(from.state, cursor_at(from, step)));
  ASSERT_TRUE(saver.wait());
  ASSERT_TRUE(restore(to.state, checkpoint::open_newest(folder.path()).value().reader));
}

class OffloadedTraining : public ::testing::TestWithParam<Format> {
 protected:
  const config::TrainJob job_ = job_of(GetParam());
};

TEST_P(OffloadedTraining, HasTheSameBits) {
  Trainer offloaded(job_), beside(job_);
  train(offload(offloaded), 0, 4);
  train(beside, 0, 4);
  expect_same(offloaded, beside);
}

TEST_P(OffloadedTraining, GoesOnFromCheckpointsOfTheOther) {
  Trainer whole(job_), first(job_), second(job_), third(job_);
  train(whole, 0, 6);
  train(first, 0, 2);
  hand_over(first, offload(second), 2);
  train(second, 2, 4);
  hand_over(second, third, 4);
  train(third, 4, 6);
  expect_same(third, whole);
}

TEST_P(OffloadedTraining, GoesOnFromASnapshotInMemory) {
  Trainer offloaded(job_), again(job_);
  train(offload(offloaded), 0, 2);
  const auto file = exchange::SnapshotFile::make().value();
  auto memory = checkpoint::MemoryTier::open(file.get()).value();
  ASSERT_TRUE(memory.keep(snapshot_of(offloaded.state, cursor_at(offloaded, 2)), /*generation=*/1));

  const auto scalars = memory.restore(2, state_tensors(offload(again).state));
  ASSERT_TRUE(scalars);
  ASSERT_TRUE(set_scalars(again.state, *scalars));
  again.state.optimizer->round_masters();

  expect_same(again, offloaded);
}

INSTANTIATE_TEST_SUITE_P(
    In, OffloadedTraining,
    ::testing::Values(Format{"Fp32"},
                      Format{"Fp32Moments8Bit", MixedPrecision::Fp32, TrainedWeights::Fp32, true},
                      Format{"Fp16", MixedPrecision::Fp16},
                      Format{"Bf16Masters", MixedPrecision::Bf16, TrainedWeights::Bf16},
                      Format{"Bf16Stochastic", MixedPrecision::Bf16, TrainedWeights::Bf16Stochastic, true}),
    [](const auto& format) { return format.param.name; });

}  // namespace
}  // namespace zt::train
