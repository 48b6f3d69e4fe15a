// SPDX-License-Identifier: Apache-2.0
// Plans against arithmetic by hand at Stable Diffusion 1.5's sizes (spec: 1,701,305,684 and 453,209,280
// trained parameters).
#include "train/plan/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "train/plan/testing.hpp"

namespace zt::train {
namespace {

using test::published;

constexpr double kStage1 = 1'701'305'684, kStage2 = 453'209'280;
constexpr int64_t kScale = 8;

config::TrainJob job_for(int64_t stage, int64_t zero_stage, int64_t lanes) {
  config::TrainJob job;
  job.stage = stage;
  job.threads = 1;
  job.lanes = lanes;
  job.parallel.zero_stage = zero_stage;
  return job;
}

RankMemory memory_of(const config::TrainJob& job, int64_t ranks) {
  return rank_memory(job, model_costs(job, published(job.stage), kScale), ranks);
}

TEST(Plan, EachStageSharesOneMoreKindOfState) {
  const RankMemory none = memory_of(job_for(1, 0, 4), 4), one = memory_of(job_for(1, 1, 4), 4),
                   two = memory_of(job_for(1, 2, 4), 4), three = memory_of(job_for(1, 3, 4), 4);
  EXPECT_EQ(none.optimizer_state, 8 * kStage1);
  EXPECT_EQ(one.optimizer_state, 2 * kStage1);
  EXPECT_EQ(one.gradients, 4 * kStage1);
  EXPECT_EQ(two.gradients, kStage1);
  EXPECT_EQ(two.trained_weights, 4 * kStage1);
  EXPECT_EQ(three.trained_weights, kStage1);
  EXPECT_EQ(none.slabs, 0);
  EXPECT_GT(two.slabs, 0);
  EXPECT_GT(three.slabs, two.slabs);
}

TEST(Plan, FrozenParametersCostNeitherGradientsNorMoments) {
  const RankMemory memory = memory_of(job_for(2, 1, 1), 1);
  EXPECT_EQ(memory.gradients, 4 * kStage2);
  EXPECT_EQ(memory.optimizer_state, 8 * kStage2);
}

// Weights and two moments, 4 bytes each, shared by four ranks, of which two snapshots are kept.
TEST(Plan, SnapshotsAreTwoOfARankAndAsMuchOfANeighbourThatHasOtherState) {
  config::TrainJob job = job_for(1, 1, 4);
  job.checkpoint.memory_every_steps = 10;
  EXPECT_EQ(memory_of(job, 4).snapshots, 2 * 3 * kStage1);
  EXPECT_EQ(memory_of(job, 4).held, 0);
  job.checkpoint.memory_peer = true;
  EXPECT_EQ(memory_of(job, 4).held, 2 * 3 * kStage1);
  const ModelCosts costs = model_costs(job, published(1), kScale);
  EXPECT_EQ(step_traffic(job, costs, 4).snapshot_bytes, 3 * kStage1 / 10);
  job.parallel.shard_ranks = 2;
  EXPECT_EQ(memory_of(job, 4).held, 0) << "the other copy has it";
  EXPECT_EQ(step_traffic(job, costs, 4).snapshot_bytes, 0);
  job.checkpoint.memory_every_steps = 0;
  EXPECT_EQ(memory_of(job, 4).snapshots, 0);
}

TEST(Plan, TrafficIsTwoOrThreeTimesWhatTrains) {
  const auto traffic = [](int64_t zero_stage, int64_t micro_batches) {
    config::TrainJob job = job_for(1, zero_stage, 4);
    job.freeze = {};
    job.optimizer.gradient_accumulation_steps = micro_batches;
    const ModelCosts costs = model_costs(job, published(1), kScale);
    const Traffic sent = step_traffic(job, costs, 4);
    const double trained = static_cast<double>(costs.trained) * 3 / 4;  // (N - 1) / N
    return std::pair(sent.elements / trained, sent.deepspeed_elements / trained);
  };
  constexpr double kPadding = 0.001;  // parameters are sent on 256-element borders
  EXPECT_NEAR(traffic(1, 1).first, 2, 2 * kPadding);
  // DeepSpeed 0.19.8 on two ranks sends 1.49 times as much (bench/results/2026-11-26-sharding.md).
  EXPECT_DOUBLE_EQ(traffic(0, 1).second, 2);
  EXPECT_DOUBLE_EQ(traffic(1, 1).second, 3);
  EXPECT_DOUBLE_EQ(traffic(2, 1).second, 3);
  EXPECT_NEAR(traffic(3, 1).first, 3, 0.02);  // less what never runs: the reference net behind its last norm1
  // Four micro batches: exchanged once here, every time there.
  EXPECT_NEAR(traffic(2, 4).first, 2, 2 * kPadding);
  EXPECT_DOUBLE_EQ(traffic(1, 4).second, 3);
  EXPECT_DOUBLE_EQ(traffic(2, 4).second, 9);
  EXPECT_NEAR(traffic(3, 4).first, 9, 0.08);
  EXPECT_NEAR(traffic(3, 4).second, 12, 0.08);
}

/// Elements that a rank of four sends of a network whose units are gathered once a pass.
double gathered_once(const ModelCosts& costs, std::string_view network) {
  double elements = 0;
  for (const UnitCost& unit : costs.units)
    if (unit.name.starts_with(network) && unit.forward_flops > 0)
      elements += static_cast<double>(unit.trained + unit.frozen) * 3 / 4;
  return elements;
}

// With stage 2 and ZeRO-3 most of what is sent are frozen weights, each network's in a type of its own.
TEST(Plan, TrafficCountsEveryWeightInItsOwnType) {
  config::TrainJob job = job_for(2, 3, 4);
  const auto sent = [&] { return step_traffic(job, model_costs(job, published(2), kScale), 4); };
  const Traffic plain = sent();
  EXPECT_DOUBLE_EQ(plain.bytes, 4 * plain.elements);

  job.precision.frozen_dtype = config::MixedPrecision::Bf16;  // of networks of which nothing trains
  const Traffic frozen = sent();
  const ModelCosts costs = model_costs(job, published(2), kScale);
  const double reference = gathered_once(costs, "reference_unet") + gathered_once(costs, "pose_guider");
  EXPECT_GT(reference, 0.2 * frozen.elements);
  EXPECT_DOUBLE_EQ(frozen.bytes, 4 * (frozen.elements - reference) + 2 * reference);
  EXPECT_DOUBLE_EQ(frozen.element_bytes, frozen.bytes / frozen.elements);

  job.precision.frozen_dtype = config::MixedPrecision::Fp32;
  job.precision.trained_weights = config::TrainedWeights::Bf16;  // the network that trains, frozen ones too
  const Traffic trained = sent();
  EXPECT_NEAR(trained.bytes, 2 * (trained.elements - reference) + 4 * reference, 0.01 * trained.bytes);
}

// Gloo receives into memory of its own: at stage 1 up to 64 MiB of gradients at once, or the largest unit's,
// 3 of 4 parts of it; on one host all goes through the segment's megabyte.
TEST(Plan, RanksOnSeveralHostsReceiveIntoMemory) {
  config::TrainJob job = job_for(1, 1, 4);
  job.gradient_checkpointing = true;
  ModelCosts costs = model_costs(job, published(1), kScale);
  double largest = 0;
  for (UnitCost& unit : costs.units) {
    largest = std::max(largest, 4.0 * static_cast<double>(unit.trained) * 3 / 4);
    unit.kept = unit.inputs = unit.again = unit.working = unit.weight_gradient = unit.gradients_left = 0;
  }
  const auto received = [&](Place place, bool is_on_several_hosts) {
    return rank_memory(job, costs, 4, place, is_on_several_hosts).communication;
  };
  ASSERT_GT(largest, 64 << 20);
  EXPECT_EQ(received(Place::Host, false), 1 << 20);
  EXPECT_DOUBLE_EQ(received(Place::Host, true), largest);
  // NCCL: what one sum receives, and the two inner sums of its tree.
  EXPECT_DOUBLE_EQ(received(Place::Gpu, false), (1 << 20) + largest * 5 / 3);
  costs = model_costs(job, published(1), kScale);
  EXPECT_LT(received(Place::Host, true), largest) << "what activations took is free by then";
  job.parallel.zero_stage = 2;  // two units' gradients are under way while others are worked on
  EXPECT_DOUBLE_EQ(received(Place::Host, true), largest);
  job.parallel.shard_ranks = 2;
  EXPECT_EQ(rank_memory(job, costs, 4).communication, 3 << 20) << "three groups";
}

// Four micro batches exchanged each time: k + 1 for ZeRO-2 and 3 k for ZeRO-3; two slots have sums on their
// way beside them.
TEST(Plan, AccumulationInPartsSharesGradientsAndExchangesThemEachTime) {
  config::TrainJob job = job_for(1, 2, 4);
  job.freeze = {};
  job.optimizer.gradient_accumulation_steps = 4;
  const ModelCosts costs = model_costs(job, published(1), kScale);
  const double trained = static_cast<double>(costs.trained) * 3 / 4;  // (N - 1) / N
  const RankMemory whole = rank_memory(job, costs, 4);
  EXPECT_EQ(whole.gradients, costs.trained_bytes);
  EXPECT_EQ(whole.slabs, 0);

  job.parallel.accumulation = config::Accumulation::Parts;
  EXPECT_NEAR(step_traffic(job, costs, 4).elements / trained, 5, 0.005);
  const RankMemory parts = rank_memory(job, costs, 4);
  EXPECT_EQ(parts.gradients, costs.trained_bytes / 4);
  config::TrainJob once = job;
  once.optimizer.gradient_accumulation_steps = 1;
  EXPECT_DOUBLE_EQ(parts.slabs, rank_memory(once, costs, 4).slabs * 5 / 4);
  job.parallel.zero_stage = 3;
  EXPECT_NEAR(step_traffic(job, costs, 4).elements / trained, 12, 0.08);
}

// Half of the units by ZeRO-3 among all eight ranks, half by stage 0: each half as in a run of its own.
TEST(Plan, UnitsWithStagesOfTheirOwnCountByThem) {
  config::TrainJob job = job_for(1, 0, 8);
  job.freeze = {};
  job.parallel.shard_ranks = 2;
  const auto planned = [&](std::vector<std::string> units) {
    job.parallel.units = std::move(units);
    const ModelCosts costs = model_costs(job, published(1), kScale);
    return std::pair(rank_memory(job, costs, 8), step_traffic(job, costs, 8).elements);
  };
  const auto whole = planned({}),
             parts = planned({"reference_unet=3/all", "denoising_unet=3/all", "pose=3/all"});
  const auto reference = planned({"reference_unet=3/all"}),
             others = planned({"denoising_unet=3/all", "pose=3/all"});
  EXPECT_NEAR(parts.first.trained_weights, whole.first.trained_weights / 8, 1);
  EXPECT_NEAR(parts.first.optimizer_state, whole.first.optimizer_state / 8, 1);
  EXPECT_NEAR(reference.first.trained_weights + others.first.trained_weights,
              parts.first.trained_weights + whole.first.trained_weights, 1e3);
  EXPECT_NEAR(reference.first.gradients + others.first.gradients,
              parts.first.gradients + whole.first.gradients, 1e3);
  // Two units less are gathered twice: each of the networks has units that are still there when the pass
  // turns.
  EXPECT_NEAR((reference.second + others.second) / (parts.second + whole.second), 1, 2e-3);
  EXPECT_LT(reference.first.optimizer_state, whole.first.optimizer_state);
}

TEST(Plan, OperationsAreThoseOfThePublishedUNet) {
  // diffusers' SD 1.5 UNet: 0.34 T multiplications forward at 512 x 512 (spec/distributed.md 6), those
  // between queries, keys and values not counted. Here each of 5, 5, 5 and 1 layers at 64 x 64 to 8 x 8
  // positions has them with its own keys and the reference's; one context token spares the cross attention.
  const auto pairs = [](double positions, double width) { return 4 * positions * positions * width; };
  const double attention =
      5 * pairs(4096, 320) + 5 * pairs(1024, 640) + 5 * pairs(256, 1280) + pairs(64, 1280);
  config::TrainJob job = job_for(1, 1, 1);
  job.data.width = job.data.height = 512;
  job.data.train_bs = 1;
  double flops = 0;
  for (const UnitCost& unit : model_costs(job, published(1), kScale).units)
    if (unit.name.starts_with("denoising_unet")) flops += unit.forward_flops;
  EXPECT_NEAR(flops / 2 / (0.34e12 + attention), 1, 0.05);
}

TEST(Plan, FindsTheSmallestNumberOfRanksThatFits) {
  config::TrainJob job = job_for(1, 1, 1);
  job.data.width = job.data.height = 256;
  job.data.train_bs = 1;
  Machine machine = kMachines[0];  // 22.5 GiB: weights and gradients take 12.7, moments as much
  const Plan plan = make_plan(job, published(1), kScale, 1, machine);
  EXPECT_FALSE(plan.fits);
  ASSERT_TRUE(plan.smallest_ranks);
  job.lanes = *plan.smallest_ranks;
  EXPECT_TRUE(make_plan(job, published(1), kScale, job.lanes, machine).fits);
  job.lanes -= 1;
  EXPECT_FALSE(make_plan(job, published(1), kScale, job.lanes, machine).fits);
  job.parallel.shard_ranks = 5;  // which other numbers do not divide into
  EXPECT_EQ(make_plan(job, published(1), kScale, 1, machine).smallest_ranks, 5);
  machine.memory_bytes = 1e9;
  EXPECT_FALSE(make_plan(job, published(1), kScale, 1, machine).smallest_ranks);
}

TEST(Plan, GradientsThatAreAddedUpStayWhole) {
  config::TrainJob job = job_for(1, 2, 4);
  EXPECT_EQ(memory_of(job, 4).gradients, kStage1);
  job.optimizer.gradient_accumulation_steps = 2;
  EXPECT_EQ(memory_of(job, 4).gradients, 4 * kStage1);
  EXPECT_EQ(memory_of(job, 4).slabs, 0);
  EXPECT_EQ(memory_of(job_for(1, 2, 8), 4).gradients, 2 * 4 * kStage1);
}

TEST(Plan, CopiesOfShardsSumTheirPartsAmongThem) {
  config::TrainJob job = job_for(1, 1, 8);
  job.parallel.shard_ranks = 4;
  const ModelCosts costs = model_costs(job, published(1), kScale);
  EXPECT_EQ(rank_memory(job, costs, 8).optimizer_state, 2 * kStage1);
  // 2 Psi 3/4 inside a copy of four, 2 Psi/4 x 1/2 among the two copies (spec/distributed.md 1.1).
  const double wanted = kStage1 * (2 * 0.75 + 2 * 0.25 * 0.5);
  EXPECT_NEAR(step_traffic(job, costs, 8).elements, wanted, 1e-3 * wanted);  // on 256-element borders
}

TEST(Plan, UnitsThatAreKeptWholeAreNotShared) {
  config::TrainJob job = job_for(1, 3, 4);
  job.parallel.keep_whole = {"unet."};
  EXPECT_NEAR(memory_of(job, 4).trained_weights / (4 * kStage1), 1, 0.01);  // all but the pose guider
}

TEST(Plan, NamesWhatWouldLowerIt) {
  config::TrainJob job = job_for(1, 0, 2);
  job.data.width = job.data.height = 256;
  const Plan plan = make_plan(job, published(1), kScale, 2, kMachines[2]);
  const auto needed = [&](const std::string& setting) {
    const auto found = std::ranges::find(plan.changes, setting, &Change::setting);
    return found == plan.changes.end() ? plan.memory.total() : found->needed;
  };
  EXPECT_NEAR(plan.memory.total() - needed("parallel.zero_stage=1"), 4 * kStage1, 1);
  EXPECT_NEAR(plan.memory.total() - needed("optimizer.use_8bit_adam=true"), (8 - 2.031) * kStage1,
              0.01 * kStage1);
  EXPECT_LT(needed("gradient_checkpointing=true"), plan.memory.total());
  EXPECT_NEAR(plan.memory.total() - needed("optimizer.offload=cpu"), 8 * kStage1, 1);
}

TEST(Plan, ShowsDeepSpeedsEstimate) {
  const Plan plan = make_plan(job_for(2, 1, 8), published(2), kScale, 8, kMachines[3]);
  const double all = static_cast<double>(plan.costs.trained + plan.costs.frozen);
  EXPECT_DOUBLE_EQ(plan.deepspeed_stage2.gpu, 2 * all + 18 * all / 8);
  // The largest layer: conv1 of up_blocks.0, 1280 x 2560 x 3 x 3 and its bias.
  constexpr double kLayer = 4 * (1280.0 * 2560 * 9 + 1280);
  EXPECT_DOUBLE_EQ(plan.deepspeed_stage3.gpu, kLayer + 18 * all / 8);
  EXPECT_DOUBLE_EQ(plan.deepspeed_stage2.host, 4 * all * 8 * 1.5);
  EXPECT_DOUBLE_EQ(plan.deepspeed_stage3.host, kLayer * 8 * 1.5);

  config::TrainJob job = job_for(2, 1, 16);
  job.optimizer.offload = config::Offload::Cpu;
  const Plan offloaded = make_plan(job, published(2), kScale, 16, kMachines[3]);  // two hosts
  EXPECT_DOUBLE_EQ(offloaded.deepspeed_stage2.gpu, 2 * all);
  EXPECT_DOUBLE_EQ(offloaded.deepspeed_stage2.host, 1.5 * 4 * 16 * all);
  EXPECT_DOUBLE_EQ(offloaded.deepspeed_stage3.gpu, kLayer + 2 * all / 16);
  EXPECT_DOUBLE_EQ(offloaded.deepspeed_stage3.host, 1.5 * 16 * all / 2);
}

TEST(Plan, AGpuKeepsCopiesOfTheWeightsInThe16BitType) {
  config::TrainJob job = job_for(1, 1, 1);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.gradient_checkpointing = true;
  const ModelCosts costs = model_costs(job, published(1), kScale, Place::Gpu);
  const double all = static_cast<double>(costs.trained + costs.frozen);
  double copies = 0;
  for (const UnitCost& unit : costs.units) copies += unit.standing_copies;
  EXPECT_GT(copies, 2 * 0.99 * all);  // the pose guider has none here
  EXPECT_LE(copies, 2 * all);
  // Before the last unit's backward its activations are there and the others' 16-bit gradients.
  EXPECT_GT(peak_activations(costs.units, true), copies + 2 * 0.99 * static_cast<double>(costs.trained));

  job.precision.frozen_dtype = config::MixedPrecision::Bf16;  // of networks of which nothing trains: none
  EXPECT_EQ(rank_memory(job, costs, 1, Place::Gpu).activations, peak_activations(costs.units, true));
  job.parallel.zero_stage = 2;
  EXPECT_EQ(rank_memory(job, costs, 2, Place::Gpu).activations, peak_activations(costs.units));
}

TEST(Plan, OffloadedStateIsOfTheHostsMemory) {
  config::TrainJob job = job_for(1, 1, 4);
  job.optimizer.offload = config::Offload::Cpu;
  job.optimizer.ema_decay = 0.9;
  const ModelCosts costs = model_costs(job, published(1), kScale);
  const RankMemory on_gpu = rank_memory(job, costs, 4, Place::Gpu), on_cpu = rank_memory(job, costs, 4);

  EXPECT_EQ(on_gpu.optimizer_state, 0);
  EXPECT_EQ(on_gpu.averages, 0);
  EXPECT_EQ(on_gpu.host.optimizer_state, 2 * kStage1);
  EXPECT_EQ(on_gpu.host.averages, kStage1);
  EXPECT_EQ(on_gpu.host.buffers, 32 << 20);  // two of values, two of gradients, 2 Mi fp32 numbers each
  EXPECT_NEAR(on_gpu.total(), on_cpu.total() - 3 * kStage1 - on_cpu.ahead, 1);
  // Without a GPU there is nowhere to move it to.
  EXPECT_EQ(on_cpu.optimizer_state, 2 * kStage1);
  EXPECT_EQ(on_cpu.host.total(), 0);
  EXPECT_GT(on_cpu.ahead, 0);
  EXPECT_EQ(on_gpu.host.ahead, on_cpu.ahead);
}

TEST(Plan, OffloadedStateCostsTheBusAndTheHostsMemory) {
  config::TrainJob job = job_for(1, 1, 4);
  job.optimizer.offload = config::Offload::Cpu;
  const auto plan_of = [&](const Machine& machine) {
    return make_plan(job, published(1), kScale, 4, machine);
  };
  const Plan plan = plan_of(kMachines[2]);

  // fp32: gradients and values there, 8 bytes, values back, 4; a quarter of all on each rank, over 50 GB/s.
  EXPECT_DOUBLE_EQ(plan.bus.to_host, 2 * kStage1);
  EXPECT_DOUBLE_EQ(plan.bus.from_host, kStage1);
  EXPECT_DOUBLE_EQ(plan.time.bus_s, 3 * kStage1 / 50e9);
  // An update reads and writes 28 bytes an element; four ranks share 300 GB/s.
  EXPECT_DOUBLE_EQ(plan.time.optimizer_s, 7 * kStage1 / (300e9 / 4));
  EXPECT_DOUBLE_EQ(plan.time.total_s(), plan.time.compute_s + plan.time.optimizer_s + plan.time.exchange_s);

  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.precision.trained_weights = config::TrainedWeights::Bf16;
  const Plan masters = plan_of(kMachines[2]);  // of bf16 weights, gradients alone: 2 bytes there, 2 back
  EXPECT_NEAR(masters.bus.to_host / (kStage1 / 2), 1, 0.01);
  EXPECT_NEAR(masters.bus.from_host / (kStage1 / 2), 1, 0.01);

  EXPECT_EQ(plan_of({.name = "cpu",
                     .float_flops = 1,
                     .half_flops = 1,
                     .memory_bytes_per_s = 1,
                     .link_bytes_per_s = 1,
                     .efficiency = 1,
                     .is_host = true})
                .bus.to_host,
            0);
}

}  // namespace
}  // namespace zt::train
