// SPDX-License-Identifier: Apache-2.0
// Training through the worker process, on real files: a run that was killed or stopped and resumed ends in
// the same bits as one that was left alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/left_out.hpp"
#include "contract/manifest.hpp"
#include "contract/metrics.hpp"
#include "report/run_charts.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_run.hpp"
#include "weights/tensor_file.hpp"

namespace zt {
namespace {

using Settings = std::vector<std::string>;

/// One set of clips for all tests of this program.
const std::filesystem::path& clips_folder() {
  static const test::TempFolder folder;
  static const bool written = !test::write_puppet_clips(folder.path(), 8).empty();
  EXPECT_TRUE(written);
  return folder.path();
}

Settings with(Settings settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

/// 20 steps in one go == 10 + kill -9 + the rest with another number of decode threads.
void expect_exact_resume(const std::string& name, const Settings& settings) {
  const Settings all =
      with({"max_train_steps=20", "checkpoint.every_steps=10", "validation.every_steps=0"}, settings);
  test::TinyRun whole(clips_folder(), name + "-whole", all), broken(clips_folder(), name + "-broken", all);
  ASSERT_EQ(whole.finish(), 0) << whole.log();

  process::Child child = broken.start({"data.decode_threads=1"});
  ASSERT_EQ(broken.interrupt(child, 12, SIGKILL), 128 + SIGKILL) << broken.log();
  ASSERT_EQ(broken.finish({"data.decode_threads=3"}), 0) << broken.log();

  EXPECT_EQ(whole.state(20), broken.state(20));
}

TEST(Train, ResumesExactlyWithDropoutAndAverages) {
  expect_exact_resume("ema", {"condition.uncond_ratio=0.3", "optimizer.ema_decay=0.9"});
}

// The loss scale is state, too: it doubles before and after the kill, and what overflows halves it.
TEST(Train, ResumesExactlyInFp16) {
  expect_exact_resume("half", {"precision.mixed_precision=fp16", "precision.init_loss_scale=16777216",
                               "precision.loss_scale_growth_interval=3"});
}

TEST(Train, ResumesExactlyIn8BitAndBf16WithLanes) {
  expect_exact_resume("short", {"optimizer.use_8bit_adam=true", "precision.mixed_precision=bf16", "lanes=2",
                                "threads=2", "optimizer.gradient_accumulation_steps=2"});
}

// One clip on two threads is worked on in parts; loops of a process that draws no weights begin elsewhere.
TEST(Train, ResumesExactlyInStageTwoOnTwoThreads) {
  expect_exact_resume(
      "parts", {"stage=2", "model.allow_random_start=true", "threads=2", "lanes=1", "data.train_bs=1"});
}

// Without a GPU the optimizer's state is in host memory anyway: that is said, and nothing else changes.
TEST(Train, GoesOnWithOffloadedState) {
  const Settings settings = {"checkpoint.every_steps=0", "validation.every_steps=0",
                             "optimizer.ema_decay=0.9"};
  test::TinyRun beside(clips_folder(), "beside", with(settings, {"max_train_steps=6"})),
      moved(clips_folder(), "moved", with(settings, {"max_train_steps=3"}));
  ASSERT_EQ(beside.finish(), 0) << beside.log();
  ASSERT_EQ(moved.finish(), 0) << moved.log();
  ASSERT_EQ(moved.finish({"max_train_steps=6", "optimizer.offload=cpu"}), 0) << moved.log();

  EXPECT_EQ(beside.state(6), moved.state(6));
  EXPECT_NE(moved.log().find("optimizer.offload: cpu changes nothing on device: cpu"), std::string::npos)
      << moved.log();
}

TEST(Train, StopsOnRequestAndGoesOn) {
  const Settings settings = {"max_train_steps=16", "checkpoint.every_steps=0", "validation.every_steps=0"};
  test::TinyRun whole(clips_folder(), "left-alone", settings), stopped(clips_folder(), "stopped", settings);
  ASSERT_EQ(whole.finish(), 0) << whole.log();

  process::Child child = stopped.start();
  ASSERT_EQ(stopped.interrupt(child, 3, SIGTERM), kExitResumable) << stopped.log();
  ASSERT_EQ(stopped.finish(), 0) << stopped.log();

  EXPECT_EQ(whole.state(16), stopped.state(16));
}

/// How many of a file's parameters, position tables of motion modules aside, are not, bit for bit, those of a
/// checkpoint that trained them all: its averages, where it has any.
struct Differences {
  size_t compared = 0, averages = 0, different = 0;
};
Differences compare_start(const weights::TensorFile& left_as_they_are, const std::filesystem::path& start) {
  const auto trained = test::value_of(weights::TensorFile::open(start / "rank-00000.safetensors"));
  Differences found;
  for (const weights::TensorEntry& entry : left_as_they_are.entries()) {
    const std::string name = entry.name.substr(entry.name.find('/') + 1);
    if (name.find("motion_modules") != std::string::npos) continue;
    ++found.compared;
    const weights::TensorEntry* wanted = trained.find("ema/" + name);
    found.averages += wanted ? 1 : 0;
    if (!wanted) wanted = trained.find("param/" + name);
    found.different += wanted && std::ranges::equal(entry.bytes, wanted->bytes) ? 0 : 1;
  }
  return found;
}

/// As if validation had liked a checkpoint better than all others.
void make_best(const std::filesystem::path& checkpoint) {
  contract::Manifest manifest = test::value_of(contract::read_manifest(checkpoint));
  manifest.metrics[contract::kValidationLoss] = 0;
  test::expect_ok(files::write_atomic(checkpoint / "manifest.json", contract::to_json(manifest)));
}

TEST(Train, StageTwoStartsFromTheAveragesOfTheBestCheckpoint) {
  const Settings common = {"validation.every_steps=0", "checkpoint.every_steps=3", "max_train_steps=6"};
  test::TinyRun first(clips_folder(), "best", with(common, {"optimizer.ema_decay=0.5"}));
  ASSERT_EQ(first.finish(), 0) << first.log();
  const auto best = first.run().checkpoints() / contract::checkpoint_name(3),
             newest = first.run().checkpoints() / contract::checkpoint_name(6);
  make_best(best);

  test::TinyRun second(clips_folder(), "from-best",
                       with(common, {"stage=2", "model.stage1_run=" + first.run().path().string()}));
  ASSERT_EQ(second.finish(), 0) << second.log();

  const auto frozen = test::value_of(weights::TensorFile::open(
      second.run().checkpoints() / contract::checkpoint_name(6) / "frozen.safetensors"));
  for (const char* name : {"param/reference_unet.conv_in.weight", "param/pose_guider.conv_in.weight",
                           "param/denoising_unet.conv_in.weight"})
    EXPECT_NE(frozen.find(name), nullptr) << name;
  const Differences found = compare_start(frozen, best);
  EXPECT_EQ(found.averages, found.compared);
  EXPECT_EQ(found.different, 0U) << "of " << found.compared;
  EXPECT_GT(compare_start(frozen, newest).different, 100U) << "those of another step are other ones";
}

TEST(Train, StageTwoGoesOnFromAStageOneRun) {
  const Settings common = {"validation.every_steps=3", "checkpoint.every_steps=3", "max_train_steps=6"};
  test::TinyRun first(clips_folder(), "one", with(common, {"optimizer.ema_decay=0.5"}));
  ASSERT_EQ(first.finish(), 0) << first.log();
  test::TinyRun second(clips_folder(), "two",
                       with(common, {"stage=2", "model.stage1_run=" + first.run().path().string()}));
  ASSERT_EQ(second.finish(), 0) << second.log();

  const auto metrics = test::value_of(contract::read_metrics(second.run().metrics()));
  EXPECT_EQ(metrics.by_name.at("train/loss").size(), 6U);
  EXPECT_EQ(metrics.by_name.at("val/loss").size(), 2U);
  EXPECT_TRUE(std::filesystem::exists(first.run().samples() / "step-00000006.png"));
  EXPECT_TRUE(std::filesystem::exists(second.run().samples() / "step-00000006-clip0.mp4"));
  EXPECT_TRUE(std::filesystem::exists(second.run().path() / "codec" / "config.json"));

  // Frozen networks of another type than that of the products: validation computes as training does.
  test::TinyRun third(clips_folder(), "two-bytes",
                      with(common, {"stage=2", "model.stage1_run=" + first.run().path().string(),
                                    "precision.frozen_dtype=bf16"}));
  ASSERT_EQ(third.finish(), 0) << third.log();
  EXPECT_TRUE(std::filesystem::exists(third.run().samples() / "step-00000006-clip0.mp4"));
}

/// The titles of the report's charts, in the order of its page.
std::vector<std::string> chart_titles(const contract::MetricSeries& series) {
  std::vector<std::string> titles;
  for (const report::Chart& chart : report::charts_of(series)) titles.push_back(chart.title);
  return titles;
}

TEST(Train, WritesTheSeriesThatTheReportDraws) {
  test::TinyRun run(clips_folder(), "series",
                    {"max_train_steps=6", "validation.every_steps=3", "checkpoint.every_steps=3",
                     "precision.mixed_precision=fp16"});
  ASSERT_EQ(run.finish(), 0) << run.log();

  const auto series = test::value_of(contract::read_metrics(run.run().metrics()));
  // docs/formats/metrics.md. Of the buckets of timesteps only those are there that a step fell into.
  for (const char* name :
       {"train/loss", "train/loss_ema", "train/lr", "train/grad_norm", "train/samples_per_s",
        "train/loss_scale", "train/grad_norm/reference_unet.conv_in",
        "train/grad_norm/denoising_unet.conv_out", "train/grad_norm/pose_guider.conv_in", "time/step_s",
        "time/data_s", "time/forward_s", "time/backward_s", "time/optimizer_s", "time/save_s",
        "memory/peak_tensor_bytes", "memory/resident_bytes", "val/loss"})
    EXPECT_TRUE(series.by_name.contains(name)) << name;
  const auto bucket = series.by_name.lower_bound("train/loss_t/");
  ASSERT_NE(bucket, series.by_name.end());
  EXPECT_TRUE(bucket->first.starts_with("train/loss_t/")) << bucket->first;
  EXPECT_EQ(chart_titles(series),
            (std::vector<std::string>{"Training loss", "Validation loss", "Training loss by timestep",
                                      "Learning rate", "Speed", "Gradient norm", "Gradient norm by module",
                                      "Loss scale", "Time of a step", "Memory"}))
      << "a series without a rule has a chart of its own name";
  for (const report::TimeShare& share : report::time_of_a_step(series))
    EXPECT_GT(share.seconds, 0) << share.name;
  EXPECT_GT(series.by_name.at("memory/peak_tensor_bytes").back().value, 1e5);
}

TEST(Train, GoesOnBeyondATimeCapThatWasLifted) {
  test::TinyRun run(clips_folder(), "capped",
                    {"max_train_steps=100000", "time_cap_s=2", "time_cap_decay_start=0",
                     "checkpoint.every_steps=0", "validation.every_steps=0"});
  ASSERT_EQ(run.finish(), 0) << run.log();
  const auto ended = contract::list_checkpoints(run.run().checkpoints());
  ASSERT_EQ(ended.size(), 1U);
  const int64_t planned_end = std::stoll(run.state(ended[0].step).at("train.early_decay_end"));
  ASSERT_GT(planned_end, 0);

  const std::string last = std::to_string(std::max(planned_end, ended[0].step) + 2);
  ASSERT_EQ(run.finish({"time_cap_s=0", "max_train_steps=" + last}), 0) << run.log();

  EXPECT_TRUE(std::filesystem::exists(run.run().checkpoints() / contract::checkpoint_name(std::stoll(last))));
}

TEST(Train, WritesValidationPicturesWithoutLossSamplesToo) {
  test::TinyRun run(clips_folder(), "pictures",
                    {"validation.every_steps=2", "validation.num_loss_samples=0", "max_train_steps=2"});
  ASSERT_EQ(run.finish(), 0) << run.log();

  EXPECT_TRUE(std::filesystem::exists(run.run().samples() / "step-00000002.png"));
  EXPECT_FALSE(test::value_of(contract::read_metrics(run.run().metrics())).by_name.contains("val/loss"));
}

std::string warnings_of(const test::TinyRun& run) {
  std::string text;
  for (const auto& event : test::value_of(contract::read_events(run.run().events())).events)
    if (const auto* warning = std::get_if<contract::Warning>(&event.body)) text += warning->message;
  return text;
}

TEST(Train, SaysThatItValidatesOnTrainingClips) {
  test::TinyRun run(clips_folder(), "no_split",
                    {"validation.every_steps=2", "max_train_steps=2", "validation.split=absent"});
  ASSERT_EQ(run.finish(), 0) << run.log();

  EXPECT_EQ(
      warnings_of(run),
      "no clips of the split 'absent': the validation loss, and the best checkpoint by it, are of training "
      "clips");
}

TEST(Train, GoesOnWithoutTheValidationClipsThatCannotBeRead) {
  const Settings settings = {"validation.every_steps=2", "max_train_steps=2", "cache.enable=false"};
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  std::filesystem::remove(folder / "clip7.mp4");
  test::TinyRun half(folder.path(), "half", settings);
  ASSERT_EQ(half.finish(), 0) << half.log();
  std::filesystem::remove(folder / "clip6.mp4");
  test::TinyRun none(folder.path(), "none", settings);
  ASSERT_EQ(none.finish(), 0) << none.log();

  EXPECT_EQ(warnings_of(half), "1 of 2 samples can't be read: the loss is of the others");
  EXPECT_EQ(warnings_of(none), "2 of 2 samples can't be read: the loss is of the others");
  EXPECT_NE(half.log().find("clip7.mp4"), std::string::npos) << half.log();
  const auto has_loss = [](const test::TinyRun& run) {
    return test::value_of(contract::read_metrics(run.run().metrics())).by_name.contains("val/loss");
  };
  EXPECT_TRUE(has_loss(half));
  EXPECT_FALSE(has_loss(none));
}

// Samples and clips that were left out are positions in the data set.
TEST(Train, GoesOnWithOtherDataOnlyIfThatIsAccepted) {
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  test::TinyRun run(folder.path(), "moved", {"validation.every_steps=0", "max_train_steps=2"});
  ASSERT_EQ(run.finish(), 0) << run.log();
  test::write_puppet_clips(folder.path(), 9);
  ASSERT_TRUE(files::write_atomic(run.run().left_out(), contract::to_json(std::vector<contract::LeftOutClip>{
                                                            {3, "it ended a rank twice"}})));

  EXPECT_EQ(run.finish({"max_train_steps=4"}), policy(ErrorCode::InvalidConfig).exit_code);
  EXPECT_NE(run.log().find("is another than that of step-00000002"), std::string::npos) << run.log();
  EXPECT_EQ(run.finish({"max_train_steps=4", "data.accept_change=true"}), 0) << run.log();
  EXPECT_FALSE(std::filesystem::exists(run.run().left_out()));
  std::filesystem::remove_all(run.run().checkpoints() / contract::checkpoint_name(4));
  ASSERT_TRUE(files::write_atomic(
      run.run().left_out(), contract::to_json(std::vector<contract::LeftOutClip>{{5, "of the new data"}})));
  EXPECT_EQ(run.finish({"max_train_steps=4"}), 0)
      << "once more from the other data's checkpoint: " << run.log();
  EXPECT_NE(run.log().find("of the new data"), std::string::npos) << run.log();
  EXPECT_EQ(run.finish({"max_train_steps=6", "data.accept_change=false"}), 0)
      << "the run's data set now: " << run.log();
}

// Six clips, three in a step: a pass takes two steps.
TEST(Train, CheckpointsThatEndEpochsStay) {
  test::TinyRun run(clips_folder(), "epochs",
                    {"max_train_steps=10", "data.train_bs=3", "validation.every_steps=0",
                     "checkpoint.every_steps=3", "checkpoint.every_epochs=2", "checkpoint.keep_last=1",
                     "checkpoint.keep_best=0", "checkpoint.keep_epochs=1"});
  ASSERT_EQ(run.finish(), 0) << run.log();

  std::map<int64_t, double> epoch_of_step;
  for (const auto& entry : contract::list_checkpoints(run.run().checkpoints())) {
    const auto epoch = entry.metrics.find(contract::kEpoch);
    epoch_of_step[entry.step] = epoch == entry.metrics.end() ? 0 : epoch->second;
  }
  EXPECT_EQ(epoch_of_step, (std::map<int64_t, double>{{8, 4}, {10, 0}}));
}

// Saving falls due with the last step here: what fails then is tried once more at the end.
TEST(Train, ARunWhoseLastSaveFailsHasFailed) {
  test::TinyRun run(clips_folder(), "unsaved",
                    {"max_train_steps=2", "checkpoint.every_steps=2", "validation.every_steps=0"});
  std::filesystem::remove(run.run().checkpoints());
  ASSERT_TRUE(files::write_atomic(run.run().checkpoints(), "a file where the folder should be"));

  EXPECT_NE(run.finish(), 0) << run.log();
  const std::string log = run.log();
  EXPECT_NE(log.find("NOT saved"), std::string::npos) << log;
  EXPECT_NE(log.find("NOT saved"), log.rfind("NOT saved")) << log;
}

// A loss scale of 2^32 is too large for fp16 in every one of so few steps.
TEST(Train, ARunWhoseEveryStepWasLeftOutHasFailed) {
  test::TinyRun run(clips_folder(), "unmoved",
                    {"max_train_steps=2", "checkpoint.every_steps=1", "validation.every_steps=0",
                     "precision.mixed_precision=fp16", "precision.init_loss_scale=4294967296",
                     "optimizer.max_skipped_steps=100"});

  EXPECT_EQ(run.finish(), policy(ErrorCode::Numeric).exit_code) << run.log();
  EXPECT_NE(run.log().find("every step was left out, the last because the gradient of "), std::string::npos)
      << run.log();
  EXPECT_FALSE(std::filesystem::exists(run.run().checkpoints() / contract::checkpoint_name(2)))
      << "a resume would take the run for complete";
  EXPECT_EQ(run.finish(), policy(ErrorCode::Numeric).exit_code) << "resumed: " << run.log();
  EXPECT_EQ(run.finish({"max_train_steps=40"}), 0) << "the scale has come down: " << run.log();
}

/// How a run ended that may not start, and that it had not begun anything long: no codec fitted, nothing
/// encoded.
std::string refusal(const std::string& name, const Settings& settings) {
  const test::TempFolder folder;
  test::write_puppet_clips(folder.path(), 8);
  test::TinyRun run(folder.path(), name, with({"cache.build_ahead=true"}, settings));
  EXPECT_EQ(run.finish(), 72) << run.log();
  EXPECT_FALSE(std::filesystem::exists(run.run().path() / "codec"));
  EXPECT_EQ(run.log().find("cache filled"), std::string::npos) << run.log();
  const auto events = test::value_of(contract::read_events(run.run().events()));
  const auto* finished = std::get_if<contract::AttemptFinished>(&events.events.back().body);
  if (finished == nullptr) return "no end";
  EXPECT_EQ(finished->outcome, "failed");
  return finished->message;
}

TEST(Train, ARunThatCannotFitSaysSoBeforeAnythingLong) {
  const std::string text = refusal("huge", {"model.unet.block_out_channels=[65536, 65536]"});
  EXPECT_NE(text.find("optimizer state"), std::string::npos) << text;
  EXPECT_NE(text.find("codec and image encoder"), std::string::npos) << text;
}

TEST(Train, ARunWhoseFilesCannotFitSaysSoBeforeAnythingLong) {
  const std::string text = refusal(
      "many", {"checkpoint.keep_last=100000000", "checkpoint.every_steps=1", "max_train_steps=100000000"});
  EXPECT_NE(text.find("checkpoints of"), std::string::npos) << text;
  EXPECT_NE(text.find("48 encoded frames in the cache"), std::string::npos)
      << "on one disk they add up: " << text;
}

// Nothing that validation draws, encodes, averages or counts may reach the training.
TEST(Train, ValidationLeavesTheWeightsAlone) {
  for (const std::string stage : {"1", "2"}) {
    const Settings settings = {"stage=" + stage,          "model.allow_random_start=true",
                               "max_train_steps=9",       "checkpoint.every_steps=0",
                               "optimizer.ema_decay=0.9", "condition.uncond_ratio=0.3"};
    test::TinyRun without(clips_folder(), "blind" + stage, with(settings, {"validation.every_steps=0"})),
        often(clips_folder(), "seeing" + stage, with(settings, {"validation.every_steps=2"}));
    ASSERT_EQ(without.finish(), 0) << without.log();
    ASSERT_EQ(often.finish(), 0) << often.log();

    auto blind = without.state(9), seeing = often.state(9);
    EXPECT_EQ(blind.erase("train.best_loss") + seeing.erase("train.best_loss"), 2U) << "all that it leaves";
    EXPECT_EQ(blind, seeing) << "stage " << stage;
  }
}

// The first rank measures it alone, with as many threads as it has: on this host all, beside another rank
// half of them. Sums of pictures of this size are rounded by the number of threads.
TEST(Train, ValidatesAlikeOnAnyNumberOfThreads) {
  const Settings settings = {"lanes=2",
                             "data.width=128",
                             "data.height=128",
                             "validation.every_steps=2",
                             "validation.num_clips=0",
                             "max_train_steps=2"};
  test::TinyRun one(clips_folder(), "thread", with(settings, {"threads=1"})),
      two(clips_folder(), "threads", with(settings, {"threads=2"}));
  ASSERT_EQ(one.finish(), 0) << one.log();
  ASSERT_EQ(two.finish(), 0) << two.log();

  EXPECT_EQ(one.state(2).at("train.best_loss"), two.state(2).at("train.best_loss"));
  EXPECT_EQ(one.state(2), two.state(2));
}

TEST(Train, SlowMatrixOfExactResumes) {
  for (const std::string stage : {"1", "2"}) {
    for (const std::string precision : {"fp32", "bf16"}) {
      for (const std::string eight_bit : {"false", "true"}) {
        const std::string name = "matrix-" + stage + "-" + precision + "-" + eight_bit;
        SCOPED_TRACE(name);
        expect_exact_resume(
            name, {"stage=" + stage, "model.allow_random_start=true",
                   "precision.mixed_precision=" + precision, "optimizer.use_8bit_adam=" + eight_bit,
                   "optimizer.ema_decay=0.9", "condition.uncond_ratio=0.3", "gradient_checkpointing=true"});
      }
    }
  }
}

}  // namespace
}  // namespace zt
