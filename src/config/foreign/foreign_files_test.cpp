// SPDX-License-Identifier: Apache-2.0
// What becomes of accelerate's and DeepSpeed's files. Wanted values are those of their documentation and code
// (config/foreign/key_table.hpp names the versions). testdata/foreign/ds_config.yaml holds the keys and
// values of DeepSpeedDistributed/ds_config.yaml of
// aws-samples/video-generation-guidance-on-sagemaker-hyperpod.
#include "config/foreign/foreign_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/foreign/key_table.hpp"
#include "config/foreign/offload.hpp"
#include "config/foreign/page.hpp"
#include "config/listing.hpp"
#include "support/foreign_files.hpp"
#include "support/generated_page.hpp"

namespace zt::config {
namespace {

using testing::HasSubstr;

TEST(ForeignTables, NameKeysOfTheJob) {
  TrainJob job;
  const Listing listing = list(job);
  for (const foreign::KeyTable* table : {&foreign::deepspeed_table(), &foreign::accelerate_table()})
    for (const foreign::KeyRow& row : table->rows)
      if (row.does == foreign::Does::Map) {
        EXPECT_TRUE(listing.find(row.text)) << row.key;
      }
}

TEST(ForeignTables, PageIsUpToDate) { test::expect_generated_page("deepspeed.md", foreign_page()); }

TEST_F(ForeignFilesTest, TheSampleIsTakenAsItStands) {
  const auto result = with({kSample, ""}, "", {"lanes=4"}, 4);

  ASSERT_TRUE(result) << result.error().text();
  const TrainJob& job = result->job;
  EXPECT_EQ(job.parallel.zero_stage, 2);
  EXPECT_EQ(job.optimizer.gradient_accumulation_steps, 1);
  EXPECT_EQ(job.optimizer.max_grad_norm, 1.0);
  EXPECT_EQ(job.precision.mixed_precision, MixedPrecision::Fp16);
  EXPECT_EQ(job.device, "cpu");
  EXPECT_EQ(*foreign_ranks({kSample, ""}), 4);
  EXPECT_THAT(result->origins.at("parallel.zero_stage"),
              testing::EndsWith("ds_config.yaml:8:deepspeed_config.zero_stage"));
  EXPECT_EQ(effects_.size(), 20u) << "one for each of its 21 keys, less tpu_env: []";
}

TEST_F(ForeignFilesTest, TheSampleGoesWithItsTrainingFile) {
  const auto own = load<TrainJob>({kMoore, {"lanes=4"}});
  ASSERT_TRUE(own);
  Resolved<TrainJob> resolved = *own;

  const auto added = add_foreign({kSample, ""}, 4, resolved);

  ASSERT_TRUE(added) << added.error().text();
  EXPECT_EQ(resolved.job.parallel.zero_stage, 2);
  EXPECT_THAT(resolved.origins.at("optimizer.max_grad_norm"), HasSubstr("stage1.yaml:")) << "both say 1";
}

TEST_F(ForeignFilesTest, BatchIsThatOfARank) {
  const auto result =
      with({"", write("ds.json", R"({"train_batch_size": 32, "gradient_accumulation_steps": 4})")}, "",
           {"lanes=8"}, 2);

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.optimizer.gradient_accumulation_steps, 4);
  EXPECT_EQ(result->job.data.train_bs, 1) << "32 / 4 steps / 2 ranks are 4 samples, in 4 lanes of a rank";
}

TEST_F(ForeignFilesTest, AutoBatchIsTheJobs) {
  const auto result =
      with({"", write("ds.json", R"({"train_batch_size": "auto", "gradient_accumulation_steps": "auto"})")},
           "data: {train_bs: 3}\noptimizer: {gradient_accumulation_steps: 5}\n", {"lanes=2"}, 2);

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.data.train_bs, 3);
  EXPECT_EQ(effect("train_batch_size"), "3 x 5 x 2 ranks");
}

TEST_F(ForeignFilesTest, BatchThatCantBeIsRefusedAtItsLine) {
  const auto none = with({"", write("ds.json", "{\"gradient_accumulation_steps\": 2}")});
  const auto unequal =
      with({"", write("ds.json", "{\n\"train_batch_size\": 9, \"train_micro_batch_size_per_gpu\": 2}")}, "",
           {"lanes=2"}, 2);
  const auto lanes =
      with({"", write("ds.json", "{\"train_micro_batch_size_per_gpu\": 3}")}, "", {"lanes=4"}, 2);
  const auto never = with(
      {"", write("ds.json", "{\"train_micro_batch_size_per_gpu\": 3,\n\"gradient_accumulation_steps\": 0}")});

  EXPECT_THAT(message(none),
              HasSubstr("ds.json:1:33: train_batch_size or train_micro_batch_size_per_gpu must be given"));
  EXPECT_THAT(message(unequal), HasSubstr("9 is not a multiple of 2 x 2 ranks"));
  EXPECT_THAT(message(lanes), HasSubstr("6 samples per forward of 2 ranks do not divide into 4 lanes"));
  EXPECT_THAT(message(never), HasSubstr("ds.json:2:32: gradient_accumulation_steps: wanted 1 to 1073741824"));
}

TEST_F(ForeignFilesTest, PrecisionIsTheOneSwitchedOn) {
  for (const auto& [keys, wanted] : std::vector<std::pair<std::string, MixedPrecision>>{
           {R"("fp16": {"enabled": true, "initial_scale_power": 12, "loss_scale_window": 500})",
            MixedPrecision::Fp16},
           {R"("bf16": {"enabled": true}, "fp16": {"enabled": false})", MixedPrecision::Bf16},
           {R"("bfloat16": {"enabled": true})", MixedPrecision::Bf16},
           {R"("torch_autocast": {"enabled": true, "dtype": "torch.float16"})", MixedPrecision::Fp16},
           {R"("torch_autocast": {"enabled": true})", MixedPrecision::Bf16},
           {R"("fp16": {"enabled": false})", MixedPrecision::Fp32}}) {
    const auto result = deepspeed(keys);
    ASSERT_TRUE(result) << keys << result.error().text();
    EXPECT_EQ(result->job.precision.mixed_precision, wanted) << keys;
  }
  const auto fp16 =
      deepspeed(R"("fp16": {"enabled": true, "initial_scale_power": 12, "loss_scale_window": 500})");
  EXPECT_EQ(fp16->job.precision.init_loss_scale, 4096);
  EXPECT_EQ(fp16->job.precision.loss_scale_growth_interval, 500);
}

TEST_F(ForeignFilesTest, PrecisionsThatExcludeEachOtherAreRefused) {
  EXPECT_THAT(message(deepspeed(R"("fp16": {"enabled": true}, "bf16": {"enabled": true})")),
              HasSubstr("precision.mixed_precision"));
  EXPECT_THAT(message(deepspeed(R"("fp16": {"enabled": false})", "precision: {mixed_precision: fp16}\n")),
              HasSubstr("fp16.enabled = false needs precision.mixed_precision = fp32"));
  EXPECT_EQ(message(deepspeed(R"("fp16": {"enabled": "auto"})", "precision: {mixed_precision: bf16}\n")),
            "accepted");
}

TEST_F(ForeignFilesTest, OptimizerBringsItsTypesDefaults) {
  const auto result =
      deepspeed(R"("optimizer": {"type": "AdamW", "params": {"lr": 3e-5, "betas": [0.8, 0.95]}})");

  ASSERT_TRUE(result) << result.error().text();
  const OptimJob& optimizer = result->job.optimizer;
  EXPECT_EQ(optimizer.learning_rate, 3e-5);
  EXPECT_EQ(optimizer.adam_beta1, 0.8);
  EXPECT_EQ(optimizer.adam_beta2, 0.95);
  EXPECT_EQ(optimizer.adam_weight_decay, 0) << "FusedAdam's default";
  EXPECT_FALSE(optimizer.use_8bit_adam);
}

TEST_F(ForeignFilesTest, EightBitAdamIsKnownByBitsandbytesNames) {
  const auto result = deepspeed(R"("optimizer": {"type": "AdamW8bit", "params": {"lr": 1e-4}})");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_TRUE(result->job.optimizer.use_8bit_adam);
  EXPECT_EQ(result->job.optimizer.adam_weight_decay, 0.01);
}

TEST_F(ForeignFilesTest, OtherOptimizersAreRefusedWithWhatThereIs) {
  EXPECT_THAT(message(deepspeed(R"("optimizer": {"params": {"max_coeff": 0.3}, "type": "Lamb"})")),
              HasSubstr("only Adam, AdamW, Adam8bit, AdamW8bit, PagedAdamW8bit are built, found \"Lamb\""));
  EXPECT_THAT(message(deepspeed(R"("optimizer": {"params": {"lr": 0.3}})")),
              HasSubstr("wanted optimizer.type"));
  EXPECT_THAT(message(deepspeed(
                  R"("optimizer": {"type": "Adam", "params": {"adam_w_mode": false, "weight_decay": 0.1}})")),
              HasSubstr("adds weight decay to the gradient"));
  EXPECT_EQ(message(deepspeed(R"("optimizer": {"type": "Adam", "params": {"adam_w_mode": false}})")),
            "accepted");
}

TEST_F(ForeignFilesTest, SchedulersAreTheSchedulesOfTheirNames) {
  const auto result = deepspeed(R"("optimizer": {"type": "AdamW", "params": {"lr": 0.5}},
      "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_min_lr": 1e-5, "warmup_max_lr": 1e-4,
                    "warmup_num_steps": 20, "warmup_type": "linear", "total_num_steps": 400}})");

  ASSERT_TRUE(result) << result.error().text();
  const OptimJob& optimizer = result->job.optimizer;
  EXPECT_EQ(optimizer.lr_scheduler, LrScheduler::DeepspeedWarmupDecay);
  EXPECT_EQ(optimizer.learning_rate, 1e-4) << "the scheduler wins over optimizer.params.lr";
  EXPECT_DOUBLE_EQ(optimizer.lr_warmup_start, 0.1);
  EXPECT_EQ(optimizer.lr_warmup_steps, 20);
  EXPECT_EQ(optimizer.lr_warmup_curve, WarmupCurve::Linear);
  EXPECT_EQ(optimizer.lr_total_steps, 400);
}

TEST_F(ForeignFilesTest, SchedulersBringTheirDefaults) {
  const auto cosine =
      deepspeed(R"("scheduler": {"type": "WarmupCosineLR", "params": {"total_num_steps": "auto"}})");
  const auto warmup = deepspeed(R"("scheduler": {"type": "WarmupLR"})");
  const auto decay = deepspeed(R"("scheduler": {"type": "WarmupDecayLR", "params": {"total_num_steps": 9}})");

  ASSERT_TRUE(cosine && warmup && decay);
  EXPECT_EQ(cosine->job.optimizer.lr_scheduler, LrScheduler::DeepspeedWarmupCosine);
  EXPECT_EQ(cosine->job.optimizer.lr_final_ratio, 1e-4);
  EXPECT_EQ(cosine->job.optimizer.lr_warmup_steps, 1000);
  EXPECT_EQ(cosine->job.optimizer.lr_total_steps, 0) << "the run's";
  EXPECT_EQ(warmup->job.optimizer.lr_scheduler, LrScheduler::DeepspeedWarmup);
  EXPECT_EQ(warmup->job.optimizer.learning_rate, 1e-5) << "the job's";
  EXPECT_EQ(warmup->job.optimizer.lr_warmup_curve, WarmupCurve::Log);
  EXPECT_EQ(decay->job.optimizer.learning_rate, 1e-3);
}

TEST_F(ForeignFilesTest, SchedulersThatAreNotBuiltAreRefused) {
  EXPECT_THAT(message(deepspeed(R"("scheduler": {"type": "OneCycle", "params": {"cycle_min_lr": 1}})")),
              HasSubstr("only WarmupLR, WarmupDecayLR, WarmupCosineLR are built, found \"OneCycle\""));
  EXPECT_THAT(message(deepspeed(R"("scheduler": {"type": "WarmupLR", "params": {"cos_min_ratio": 0.1}})")),
              HasSubstr("unknown warmuplr key scheduler.params.cos_min_ratio"));
  EXPECT_THAT(message(deepspeed(R"("scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 0}})")),
              HasSubstr("wanted at least 1"));
  EXPECT_THAT(message(deepspeed(R"("scheduler": {"type": "WarmupLR", "params": {"warmup_min_lr": 1}})")),
              HasSubstr("wanted from 0 to the highest rate"));
}

TEST_F(ForeignFilesTest, AutoIsTheJobsOrFollowsFromTheWidestLevel) {
  const auto result =
      deepspeed(R"("gradient_clipping": "auto",
      "optimizer": {"type": "AdamW", "params": {"lr": "auto", "weight_decay": "auto", "betas": "auto", "eps": "auto"}},
      "scheduler": {"type": "WarmupLR", "params": {"warmup_min_lr": "auto", "warmup_max_lr": "auto",
                    "warmup_num_steps": "auto"}},
      "zero_optimization": {"stage": 1, "reduce_bucket_size": "auto", "stage3_prefetch_bucket_size": "auto",
                            "stage3_param_persistence_threshold": "auto"})",
                "optimizer: {learning_rate: 2e-5, adam_weight_decay: 0.3, lr_warmup_steps: 7}\n");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.optimizer.learning_rate, 2e-5);
  EXPECT_EQ(result->job.optimizer.adam_weight_decay, 0.3);
  EXPECT_EQ(result->job.optimizer.lr_warmup_steps, 7);
  EXPECT_EQ(effect("gradient_clipping"), "optimizer.max_grad_norm = 1, the default");
  EXPECT_THAT(effect("optimizer.params.lr"),
              testing::ContainsRegex("optimizer.learning_rate = 2e-05, as .*job.yaml:1 says"));
  // Stable Diffusion 1.5's widest level has 1280 channels: 1280^2, 0.9 x 1280^2, 10 x 1280.
  EXPECT_THAT(effect("zero_optimization.reduce_bucket_size"), HasSubstr("1638400 with hidden size 1280"));
  EXPECT_THAT(effect("zero_optimization.stage3_prefetch_bucket_size"), HasSubstr("1474560 "));
  EXPECT_THAT(effect("zero_optimization.stage3_param_persistence_threshold"), HasSubstr("12800 "));
}

// The ZeRO-3 file of transformers' documentation, without its offloading.
constexpr const char* kTransformers = R"({
    "fp16": {"enabled": "auto", "loss_scale": 0, "loss_scale_window": 1000, "initial_scale_power": 16,
             "hysteresis": 2, "min_loss_scale": 1},
    "optimizer": {"type": "AdamW", "params": {"lr": "auto", "betas": "auto", "eps": "auto", "weight_decay": "auto"}},
    "scheduler": {"type": "WarmupDecayLR", "params": {"total_num_steps": "auto", "warmup_min_lr": "auto",
                  "warmup_max_lr": "auto", "warmup_num_steps": "auto"}},
    "zero_optimization": {
        "stage": 3,
        "offload_optimizer": {"device": "none", "pin_memory": true},
        "offload_param": {"device": "none", "pin_memory": true},
        "overlap_comm": true,
        "contiguous_gradients": true,
        "sub_group_size": 1e9,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": 1e9,
        "stage3_max_reuse_distance": 1e9,
        "stage3_gather_16bit_weights_on_model_save": true
    },
    "gradient_accumulation_steps": "auto",
    "gradient_clipping": "auto",
    "steps_per_print": 2000,
    "train_batch_size": "auto",
    "train_micro_batch_size_per_gpu": "auto",
    "wall_clock_breakdown": false
})";

TEST_F(ForeignFilesTest, TakesTheFileOfTransformersDocumentation) {
  const auto result = with({"", write("ds.json", kTransformers)}, "precision: {mixed_precision: fp16}\n");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.parallel.zero_stage, 3);
  EXPECT_EQ(result->job.optimizer.lr_scheduler, LrScheduler::DeepspeedWarmupDecay);
  EXPECT_EQ(result->job.optimizer.learning_rate, 1e-5) << "the job's";
  EXPECT_EQ(result->job.optimizer.adam_weight_decay, 0.01) << "the job's, not AdamW's";
  EXPECT_EQ(result->job.precision.loss_scale_growth_interval, 1000);
}

TEST_F(ForeignFilesTest, DefaultsThatChangedBetweenReleasesArePrinted) {
  ASSERT_TRUE(deepspeed(R"("zero_optimization": {"stage": 1, "offload_param": {"device": "none"}})"));

  EXPECT_EQ(effect("gradient_clipping"), "optimizer.max_grad_norm = 1");
  EXPECT_EQ(effect("zero_optimization.offload_param.pin_memory"), "not used: weights are not offloaded");
  EXPECT_EQ(effect("zero_optimization.offload_optimizer.pin_memory"), "no row");
}

TEST_F(ForeignFilesTest, AStageThatIsNotSaidIsPrinted) {
  ASSERT_TRUE(deepspeed(R"("zero_optimization": {"offload_param": {"device": "none"}})"));
  EXPECT_EQ(effect("zero_optimization.stage"), "parallel.zero_stage = 1");
  ASSERT_TRUE(deepspeed(R"("zero_optimization": {"stage": 2})"));
  EXPECT_EQ(effect("zero_optimization.stage"), "parallel.zero_stage = 2");
}

TEST_F(ForeignFilesTest, OptimizerStateIsKeptWhereTheFileSays) {
  // The section of DeepSpeed's ZeRO-Offload tutorial, with every key that there is.
  const auto tutorial = deepspeed(R"("zero_optimization": {"stage": 2, "offload_optimizer": {
      "device": "cpu", "nvme_path": "/local_nvme", "buffer_count": 4, "pin_memory": true, "ratio": 0.3,
      "pipeline_read": false, "pipeline_write": false, "fast_init": false, "super_offload": false,
      "cpuadam_cores_perc": 0.8}})");
  ASSERT_TRUE(tutorial) << tutorial.error().text();
  EXPECT_EQ(tutorial->job.optimizer.offload, Offload::Cpu);
  EXPECT_EQ(effect("zero_optimization.offload_optimizer.device"), "optimizer.offload = cpu");
  EXPECT_THAT(effect("zero_optimization.offload_optimizer.ratio"),
              HasSubstr("not used: all of a rank's state"));

  const auto old = deepspeed(R"("zero_optimization": {"stage": 2, "cpu_offload": true})");
  ASSERT_TRUE(old) << old.error().text();
  EXPECT_EQ(old->job.optimizer.offload, Offload::Cpu);

  const std::string head = "distributed_type: DEEPSPEED\ndeepspeed_config: {offload_optimizer_device: ";
  EXPECT_EQ(accelerate(head + "cpu}\n")->job.optimizer.offload, Offload::Cpu);
  EXPECT_EQ(accelerate(head + "none}\n")->job.optimizer.offload, Offload::None);
  const auto kept = deepspeed(R"("zero_optimization": {"stage": 2, "offload_optimizer": {"device": "auto"}})",
                              "optimizer: {offload: cpu}\n");
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ(kept->job.optimizer.offload, Offload::Cpu);
}

TEST_F(ForeignFilesTest, OffloadingThatIsNotBuiltIsRefusedWithWhatToDo) {
  const auto to = [&](const std::string& device) {
    return message(deepspeed(R"("zero_optimization": {"stage": 3, "offload_optimizer": {"device": ")" +
                             device + "\"}}"));
  };
  EXPECT_THAT(to("nvme"), testing::AllOf(HasSubstr("ds.json:2:67: "), HasSubstr("state on NVMe is not built"),
                                         HasSubstr("optimizer.use_8bit_adam")));
  EXPECT_THAT(to("gpu"), HasSubstr("wanted none or cpu, found \"gpu\""));
  EXPECT_THAT(message(accelerate("distributed_type: DEEPSPEED\n"
                                 "deepspeed_config: {offload_optimizer_device: nvme}\n")),
              HasSubstr("accel.yaml:2:"));
  EXPECT_THAT(message(accelerate("distributed_type: FSDP\nfsdp_config: {fsdp_offload_params: true}\n")),
              HasSubstr("optimizer.offload = cpu moves"));
  EXPECT_THAT(message(deepspeed(R"("zero_optimization": {"stage": 2, "cpu_offload": true,
                                   "offload_optimizer": {"device": "none"}})")),
              HasSubstr("optimizer.offload = none"));
}

// deepspeed/runtime/engine.py of 0.19.8 hands offload_param to the optimizer of stage 3 alone; the YAML is
// a-r-r-o-w/cogvideox-factory's accelerate_configs/deepspeed.yaml.
TEST_F(ForeignFilesTest, WeightsAreOffloadedAtStage3Alone) {
  const std::string section = R"(, "offload_param": {"device": "cpu"}})";
  EXPECT_TRUE(deepspeed(R"("zero_optimization": {"stage": 2)" + section));
  EXPECT_EQ(effect("zero_optimization.offload_param.device"), "not used: it is for stage 3, and this is 2");
  EXPECT_THAT(message(deepspeed(R"("zero_optimization": {"stage": 3)" + section)),
              HasSubstr("offload_param.device: offloading of weights is not built"));
  EXPECT_THAT(
      message(deepspeed(R"("zero_optimization": {"stage": "auto")" + section, "parallel: {zero_stage: 3}\n")),
      HasSubstr("is not built"));
  EXPECT_THAT(message(deepspeed(R"("zero_optimization": {"stage": 3, "cpu_offload_params": true})")),
              HasSubstr("is not built"));

  const std::string yaml =
      "distributed_type: DEEPSPEED\ndeepspeed_config: {offload_param_device: cpu, zero_stage: ";
  EXPECT_TRUE(accelerate(yaml + "2}\n"));
  EXPECT_THAT(message(accelerate(yaml + "3}\n")), HasSubstr("is not built"));
}

// accelerate 1.x puts whatever stands in the section beside its own flags, and looks at those alone.
TEST_F(ForeignFilesTest, OldFormsAreMappedAndNamed) {
  const auto boolean = deepspeed(R"("zero_optimization": true)");
  ASSERT_TRUE(boolean) << boolean.error().text();
  EXPECT_EQ(boolean->job.parallel.zero_stage, 1);

  ASSERT_TRUE(deepspeed(R"("zero_optimization": {"stage3_gather_fp16_weights_on_model_save": true})"));
  EXPECT_THAT(
      effect("zero_optimization.stage3_gather_fp16_weights_on_model_save"),
      HasSubstr("old spelling of zero_optimization.stage3_gather_16bit_weights_on_model_save; not used"));
}

TEST_F(ForeignFilesTest, ContradictionsAreListedTogetherAndChangeNothing) {
  const auto file = write("ds.json", R"({"train_micro_batch_size_per_gpu": 2,
"gradient_accumulation_steps": 3,
"gradient_clipping": 0.5})");
  auto own = load<TrainJob>({write("job.yaml",
                                   "data: {train_bs: 2}\n"
                                   "optimizer: {gradient_accumulation_steps: 1, max_grad_norm: 1}\n"),
                             {}});
  ASSERT_TRUE(own);
  const std::string before = freeze(*own);

  const auto added = add_foreign({"", file}, 1, *own);

  EXPECT_THAT(message(added),
              testing::AllOf(HasSubstr("ds.json:2:gradient_accumulation_steps = 3 needs "
                                       "optimizer.gradient_accumulation_steps = 3; "),
                             HasSubstr("job.yaml:2 says 1"), HasSubstr("ds.json:3:gradient_clipping = 0.5"),
                             testing::Not(HasSubstr("train_bs"))));
  EXPECT_EQ(freeze(*own), before);
}

TEST_F(ForeignFilesTest, SetWinsOverBothFiles) {
  const auto result = deepspeed(R"("gradient_clipping": 0.5)", "optimizer: {max_grad_norm: 1}\n",
                                {"optimizer.max_grad_norm=2"});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.optimizer.max_grad_norm, 2);
  EXPECT_EQ(effect("gradient_clipping"), "optimizer.max_grad_norm stays 2: --set wins");
}

TEST_F(ForeignFilesTest, AValueOutOfOurRangeIsPointedAt) {
  EXPECT_THAT(message(deepspeed("\"zero_optimization\": {\"stage\": 9}")),
              HasSubstr("ds.json:2:32: parallel.zero_stage: wanted whole number"));
}

TEST_F(ForeignFilesTest, FilesAreKnownByTheirKeys) {
  EXPECT_EQ(*kind_of(kSample), FileKind::Accelerate);
  EXPECT_EQ(*kind_of(kMoore), FileKind::Job);
  EXPECT_EQ(*kind_of(write("a.json", "{}")), FileKind::DeepSpeed);
  EXPECT_EQ(*kind_of(write("a.yaml", "zero_optimization: {stage: 1}")), FileKind::DeepSpeed);
  EXPECT_EQ(*kind_of(write("a.yaml", "name: x")), FileKind::Job);
  EXPECT_FALSE(kind_of(folder_ / "none.json"));
}

TEST_F(ForeignFilesTest, ConvertedJobIsTheSameJob) {
  const auto result = with({kSample, ""}, "name: dance\ndata: {train_bs: 2}\n", {"lanes=4"}, 4);
  ASSERT_TRUE(result) << result.error().text();

  const auto again = load<TrainJob>({write("converted.yaml", freeze_written(*result)), {}});

  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(digest(again->job), digest(result->job));
  EXPECT_THAT(freeze_written(*result), testing::Not(HasSubstr("learning_rate"))) << "left open";
}

}  // namespace
}  // namespace zt::config
