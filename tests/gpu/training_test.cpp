// SPDX-License-Identifier: Apache-2.0
// Training steps of both stages on a GPU: the CPU's losses as near as the number format allows, and the same
// bits each time.
#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <tuple>

#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "config/enum_names.hpp"
#include "gpu.hpp"
#include "support/temp_folder.hpp"
#include "support/trainer.hpp"
#include "train/plan/machine.hpp"

namespace zt::train {
namespace {

using config::MixedPrecision;
using test::tiny_job;
using test::Trainer;

constexpr int kSteps = 4;
constexpr int64_t kThreads = 1;

/// Stage and number format.
class TrainingOnGpu : public test::OnGpu,
                      public ::testing::WithParamInterface<std::tuple<int, MixedPrecision>> {
 protected:
  config::TrainJob job() const {
    config::TrainJob out = tiny_job(std::get<0>(GetParam()));
    out.precision.mixed_precision = std::get<1>(GetParam());
    out.precision.init_loss_scale = 1024;
    out.condition.uncond_ratio = 0.3;
    out.optimizer.ema_decay = 0.9;
    return out;
  }
  bool is_fp32() const { return std::get<1>(GetParam()) == MixedPrecision::Fp32; }
};

void train(Trainer& trainer, int first, int last) {
  for (int step = first; step < last; ++step) (void)trainer.step(static_cast<uint64_t>(step * 2));
}

// fp32: sums in another order, 1e-4 with room for four steps' growth. bf16 has 8 bits and fp16 11: a
// network's output is off by a few units of its last place, and the loss is a mean over many.
TEST_P(TrainingOnGpu, GivesTheCpusLosses) {
  config::TrainJob exact = job();
  exact.precision.mixed_precision = MixedPrecision::Fp32;
  Trainer on_cpu(exact), on_gpu(job(), kThreads, gpu);
  const double tolerance = is_fp32() ? 1e-4 : 2e-2;
  for (int step = 0; step < kSteps; ++step) {
    const auto first = static_cast<uint64_t>(step * 2);
    const StepReport wanted = on_cpu.step(first), found = on_gpu.step(first);
    EXPECT_FALSE(found.is_skipped);
    EXPECT_NEAR(found.loss / wanted.loss, 1, tolerance) << "step " << step;
    EXPECT_NEAR(found.norms.total / wanted.norms.total, 1, 5 * tolerance) << "step " << step;
    EXPECT_EQ(found.samples.at(0).timestep, wanted.samples.at(0).timestep);
  }
}

TEST_P(TrainingOnGpu, TimesAreOfTheGpusWork) {
  Trainer trainer(job(), kThreads, gpu);
  const StepReport first = trainer.step(0), second = trainer.step(2);
  EXPECT_EQ(first.optimizer_s, 0) << "no update was before it";
  EXPECT_GT(second.optimizer_s, 0);
  EXPECT_GT(first.forward_s, 0);
  EXPECT_GT(first.backward_s, 0);
}

TEST_P(TrainingOnGpu, GivesTheSameBitsAgain) {
  Trainer one(job(), kThreads, gpu), other(job(), kThreads, gpu);
  train(one, 0, kSteps);
  train(other, 0, kSteps);
  EXPECT_EQ(one.digest(), other.digest());
}

TEST_P(TrainingOnGpu, RecomputedActivationsGiveTheSameBits) {
  config::TrainJob recomputing = job();
  recomputing.gradient_checkpointing = true;
  Trainer kept(job(), kThreads, gpu), recomputed(recomputing, kThreads, gpu);
  train(kept, 0, kSteps);
  train(recomputed, 0, kSteps);
  EXPECT_EQ(kept.digest(), recomputed.digest());
}

TEST_P(TrainingOnGpu, LanesRunOneAfterTheOther) {
  config::TrainJob lanes = job(), parts = job();
  lanes.lanes = 2;
  parts.optimizer.gradient_accumulation_steps = 2;
  Trainer two(lanes, /*num_threads=*/2, gpu), one(parts, kThreads, gpu);
  const double found = two.step(0).norms.total, wanted = one.step(0).norms.total;
  EXPECT_NEAR(found / wanted, 1, is_fp32() ? 1e-5 : 1e-2);
}

/// Saves what was trained up to a step, and opens that.
checkpoint::Found saved(const test::TempFolder& folder, const Trainer& trainer, int64_t step) {
  Cursor cursor(trainer.job.schedule.num_train_timesteps);
  cursor.step = step;
  checkpoint::SaverOptions options;
  options.folder = folder.path();
  options.run_id = "run";
  options.config_digest = "config";
  options.generation = 1;
  checkpoint::Saver saver(options);
  saver.save(snapshot_of(trainer.state, cursor));
  EXPECT_TRUE(saver.wait());
  return checkpoint::open_newest(folder.path()).value();
}

// Saved on the GPU: goes on there with the same bits, and starts on the CPU with them.
TEST_P(TrainingOnGpu, GoesOnFromACheckpoint) {
  Trainer whole(job(), kThreads, gpu);
  train(whole, 0, kSteps);

  const test::TempFolder folder;
  Trainer before(job(), kThreads, gpu);
  train(before, 0, 2);
  const checkpoint::Found found = saved(folder, before, 2);
  Trainer after(job(), kThreads, gpu), on_cpu(job());
  ASSERT_TRUE(restore(on_cpu.state, found.reader));
  ASSERT_TRUE(restore(after.state, found.reader));
  EXPECT_EQ(on_cpu.digest(), before.digest());
  EXPECT_EQ(after.digest(), before.digest());
  train(after, 2, kSteps);
  EXPECT_EQ(after.digest(), whole.digest());
}

/// Bits of moments and averages, by name.
std::map<std::string, at::Tensor> state_of(const Trainer& trainer) {
  std::map<std::string, at::Tensor> state;
  for (const params::StateTensor& tensor : state_tensors(trainer.state))
    state[tensor.name] = tensor.value.cpu();
  return state;
}

// State moves between GPU and host with a resume, and the bits are those of a run whose state never moved.
TEST_P(TrainingOnGpu, MovesItsOptimizerStateToTheHostAndBack) {
  config::TrainJob offloading = job();
  offloading.optimizer.offload = config::Offload::Cpu;
  const auto expect_same = [](const Trainer& found, const Trainer& wanted) {
    EXPECT_EQ(found.digest(), wanted.digest());
    const auto state = state_of(found);
    for (const auto& [name, value] : state_of(wanted)) EXPECT_TRUE(at::equal(state.at(name), value)) << name;
  };
  const test::TempFolder there, back;
  Trainer whole(job(), kThreads, gpu), first(job(), kThreads, gpu), second(offloading, kThreads, gpu),
      third(job(), kThreads, gpu);
  train(whole, 0, kSteps);

  train(first, 0, 1);
  ASSERT_TRUE(restore(second.state, saved(there, first, 1).reader));
  train(second, 1, 3);
  ASSERT_TRUE(restore(third.state, saved(back, second, 3).reader));
  train(third, 3, kSteps);

  expect_same(third, whole);
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<int, MixedPrecision>>& info) {
  return "Stage" + std::to_string(std::get<0>(info.param)) +
         std::string(config::name(std::get<1>(info.param)));
}

INSTANTIATE_TEST_SUITE_P(Each, TrainingOnGpu,
                         ::testing::Combine(::testing::Values(1, 2),
                                            ::testing::Values(MixedPrecision::Fp32, MixedPrecision::Bf16,
                                                              MixedPrecision::Fp16)),
                         name_of);

class HalfWeightsOnGpu : public test::OnGpu {};

TEST_F(HalfWeightsOnGpu, TrainNearlyAsTheCpusInFp32AndTheSameAgain) {
  config::TrainJob job = tiny_job(1);
  Trainer on_cpu(job);
  job.precision.mixed_precision = MixedPrecision::Bf16;
  job.precision.trained_weights = config::TrainedWeights::Bf16;
  Trainer one(job, kThreads, gpu), other(job, kThreads, gpu);
  for (int step = 0; step < kSteps; ++step) {
    const auto first = static_cast<uint64_t>(step * 2);
    EXPECT_NEAR(one.step(first).loss / on_cpu.step(first).loss, 1, 2e-2) << "step " << step;
    (void)other.step(first);
  }
  EXPECT_EQ(one.digest(), other.digest());
}

class Fp16OnGpu : public test::OnGpu {};

TEST_F(Fp16OnGpu, AnOverflowHalvesTheScaleAndChangesNothing) {
  config::TrainJob job = tiny_job();
  job.precision.mixed_precision = MixedPrecision::Fp16;
  job.precision.init_loss_scale = 0x1p40;
  Trainer trainer(job, kThreads, gpu);
  const std::string before = trainer.digest();

  EXPECT_TRUE(trainer.step(0).is_skipped);
  EXPECT_EQ(trainer.digest(), before);
  EXPECT_EQ(trainer.step(0).loss_scale, 0x1p39);
}

using MachineOnGpu = test::OnGpu;

// What parallel.keep_whole_if_faster weighs against the links: the GPU's speed, not its host's.
TEST_F(MachineOnGpu, FlopsAreTheGpus) {
  const double host = measure_flops(at::kCPU, at::kFloat), wide = measure_flops(gpu, at::kFloat),
               narrow = measure_flops(gpu, at::kBFloat16);
  std::printf("TFLOP/s: host fp32 %.3f, GPU fp32 %.1f, GPU bf16 %.1f\n", host / 1e12, wide / 1e12,
              narrow / 1e12);
  EXPECT_GT(wide, 2 * host);
  EXPECT_GT(narrow, wide);
}

}  // namespace
}  // namespace zt::train
