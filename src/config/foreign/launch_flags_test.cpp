// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/launch_flags.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>

#include "config/foreign/foreign_files.hpp"
#include "config/load.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using ::testing::HasSubstr;

ForeignFiles flags_only(std::string flags) { return {{}, {}, std::move(flags)}; }

Resolved<TrainJob> with(const ForeignFiles& files, int64_t ranks = 2) {
  Resolved<TrainJob> resolved = load<TrainJob>({"", {"lanes=4", "data.train_bs=4"}}).value();
  const Status added = add_foreign(files, ranks, resolved);
  EXPECT_TRUE(added) << added.error().text();
  return resolved;
}

std::string refusal(const std::string& flags) {
  Resolved<TrainJob> resolved = load<TrainJob>({}).value();
  const Status added = add_foreign(flags_only(flags), 1, resolved);
  return added ? "accepted" : added.error().message;
}

TEST(LaunchFlags, SayWhatTheirKeysSay) {
  const std::string flags =
      "accelerate launch --num_processes 2 --num-machines=1 --use_deepspeed --zero_stage 3 --mixed_precision "
      "bf16 \\\n"
      "  --gradient_accumulation_steps '4' --max_restarts 3 --quiet train.py --config stage1.yaml";
  const Resolved<TrainJob> found = with(flags_only(flags));
  EXPECT_EQ(foreign_ranks(flags_only(flags)).value(), 2);
  EXPECT_EQ(found.job.parallel.zero_stage, 3);
  EXPECT_EQ(found.job.precision.mixed_precision, MixedPrecision::Bf16);
  EXPECT_EQ(found.job.optimizer.gradient_accumulation_steps, 4);
  EXPECT_EQ(found.origins.find("parallel.zero_stage")->second, "--zero_stage");
  for (const char* of_the_launcher : {"--max_restarts", "--quiet"}) {
    const auto row = std::ranges::find(found.effects, of_the_launcher, &Effect::key);
    ASSERT_NE(row, found.effects.end()) << of_the_launcher;
    EXPECT_THAT(row->effect, HasSubstr("not used"));
  }
}

TEST(LaunchFlags, OfFsdpAndTheMesh) {
  const auto found = with(flags_only("--use_fsdp --fsdp_sharding_strategy SHARD_GRAD_OP"));
  EXPECT_EQ(found.job.parallel.zero_stage, 2);
  const auto mesh = with(flags_only("--use_fsdp --fsdp_version 2 --parallelism_config_dp_replicate_size 2 "
                                    "--parallelism_config_dp_shard_size 2"),
                         4);
  EXPECT_EQ(mesh.job.parallel.shard_ranks, 2);
}

TEST(LaunchFlags, WinOverTheFile) {
  const test::TempFolder folder;
  const auto yaml = folder / "a.yaml";
  std::ofstream(yaml) << "distributed_type: DEEPSPEED\nnum_processes: 8\nmixed_precision: fp16\n"
                         "deepspeed_config:\n  zero_stage: 1\n  gradient_clipping: 0.5\n";
  for (const ForeignFiles& files :
       {ForeignFiles{yaml, {}, "--num_processes 2 --zero_stage 2"},
        ForeignFiles{{}, {}, "--config_file " + yaml.string() + " --num_processes 2 --zero_stage 2"}}) {
    const Resolved<TrainJob> found = with(files);
    EXPECT_EQ(foreign_ranks(files).value(), 2);
    EXPECT_EQ(found.job.parallel.zero_stage, 2);
    EXPECT_EQ(found.job.optimizer.max_grad_norm, 0.5);
    EXPECT_EQ(found.job.precision.mixed_precision, MixedPrecision::Fp16);
    EXPECT_THAT(found.origins.find("optimizer.max_grad_norm")->second, HasSubstr("a.yaml:6:"));
  }
  const auto both = foreign_ranks({yaml, {}, "--config_file b.yaml"});
  EXPECT_THAT(both.error().message, HasSubstr("give one"));
}

TEST(LaunchFlags, ThatCantBeReadAreRefused) {
  EXPECT_THAT(refusal("--use_deepspeed --zero_stag 2"), HasSubstr("--zero_stag"));
  EXPECT_THAT(refusal("--use_deepspeed --zero_stage"), HasSubstr("--zero_stage has no value"));
  EXPECT_THAT(refusal("--mixed_precision 'bf16"), HasSubstr("has no end"));
  EXPECT_THAT(refusal("--use_deepspeed --zero_stage two"), HasSubstr("accelerate's flags:2:"));
  EXPECT_THAT(refusal("--tpu"), HasSubstr("only NO, MULTI_CPU"));
  EXPECT_THAT(refusal("--use_deepspeed --use_fsdp"),
              HasSubstr("--use_deepspeed and --use_fsdp exclude each other"));
  EXPECT_THAT(refusal("--use_deepspeed --cpu"), HasSubstr("--cpu and --use_deepspeed exclude each other"));
}

TEST(LaunchFlags, WithoutAKindAreSeveralProcesses) {
  const std::string flags = "--num_processes 2 --mixed_precision bf16 --max_restarts 3 train.py";
  EXPECT_EQ(foreign_ranks(flags_only(flags)).value(), 2);
  EXPECT_EQ(with(flags_only(flags)).job.precision.mixed_precision, MixedPrecision::Bf16);
}

}  // namespace
}  // namespace zt::config
