// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigLoad : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const auto path = folder_ / "job.yaml";
    EXPECT_TRUE(files::write_atomic(path, text));
    return path;
  }
  template <class Job>
  Result<Resolved<Job>> read(const std::string& text, std::vector<std::string> sets = {}) {
    return load<Job>({write(text), std::move(sets)});
  }
  /// The message of a text that must be refused.
  std::string refusal(const std::string& text) {
    const auto result = read<TrainJob>(text);
    if (result) return "accepted";
    EXPECT_EQ(result.error().code, ErrorCode::InvalidConfig);
    return result.error().message;
  }
  test::TempFolder folder_;
};

TEST_F(ConfigLoad, GivesDefaultsWithoutAFile) {
  const auto result = load<TrainJob>({});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.optimizer.learning_rate, 1e-5);
  EXPECT_EQ(result->origins.at("optimizer.learning_rate"), "default");
}

TEST_F(ConfigLoad, ReadsEveryTypeAndRemembersTheLine) {
  const auto result = read<TrainJob>(
      "name: puppets\n"
      "gradient_checkpointing: Yes\n"
      "model:\n"
      "  unet: {block_out_channels: [64, 96], norm_num_groups: 16}\n"
      "  codec:\n"
      "    {kind: linear, patch: 8}\n"
      "data:\n"
      "  crop_scale: [0.5, 1]\n"
      "  splits: [train, \"val a\"]\n"
      "optimizer:\n"
      "  learning_rate: 1e-3\n");

  ASSERT_TRUE(result) << result.error().text();
  const TrainJob& job = result->job;
  EXPECT_EQ(job.name, "puppets");
  EXPECT_TRUE(job.gradient_checkpointing);
  EXPECT_THAT(job.model.unet.block_out_channels, ElementsAre(64, 96));
  EXPECT_EQ(job.model.codec.kind, CodecKind::Linear);
  EXPECT_THAT(job.data.crop_scale, ElementsAre(0.5, 1.0));
  EXPECT_THAT(job.data.splits, ElementsAre("train", "val a"));
  EXPECT_EQ(job.optimizer.learning_rate, 1e-3);
  EXPECT_EQ(result->origins.at("optimizer.learning_rate"), (folder_ / "job.yaml").string() + ":11");
}

TEST_F(ConfigLoad, PointsAtAnUnknownKeyAndNamesTheNearest) {
  EXPECT_EQ(refusal("optimizer:\n  learnin_rate: 1\n"),
            (folder_ / "job.yaml").string() +
                ":2:3: unknown key \"optimizer.learnin_rate\"; did you mean optimizer.learning_rate?\n"
                "  2 |   learnin_rate: 1\n"
                "    |   ^");
}

TEST_F(ConfigLoad, NamesTheSectionAKeyBelongsTo) {
  EXPECT_THAT(refusal("snr_gamma: 5\n"), HasSubstr("did you mean schedule.snr_gamma?"));
}

TEST_F(ConfigLoad, SaysWhatWasWantedAndFound) {
  EXPECT_THAT(refusal("stage: 3\n"), HasSubstr(":1:8: stage: wanted whole number, 1 to 2, found \"3\"\n"));
  EXPECT_THAT(refusal("max_train_steps: 1.0\n"),
              HasSubstr("wanted whole number, 1 to 1000000000 (steps), found \"1.0\""));
  EXPECT_THAT(refusal("max_train_steps: 010\n"), HasSubstr("found \"010\""));
  EXPECT_THAT(refusal("max_train_steps: 99999999999999999999\n"), HasSubstr("wanted whole number"));
  EXPECT_THAT(refusal("max_train_steps: '5'\n"), HasSubstr("found the text \"5\""));
  EXPECT_THAT(refusal("time_cap_s: .inf\n"), HasSubstr("wanted number"));
  EXPECT_THAT(refusal("time_cap_s: nan\n"), HasSubstr("wanted number"));
  EXPECT_THAT(refusal("gradient_checkpointing: 1\n"), HasSubstr("wanted true or false"));
  EXPECT_THAT(refusal("name:\n"), HasSubstr("found nothing ('' is the empty text)"));
  EXPECT_THAT(refusal("optimizer:\n  lr_scheduler: cosin\n"), HasSubstr("did you mean cosine?"));
  EXPECT_THAT(refusal("data:\n  crop_scale: [1]\n"), HasSubstr("wanted 2 items, found 1"));
  EXPECT_THAT(refusal("data: 5\n"), HasSubstr("data is a section"));
  EXPECT_THAT(refusal("- 1\n"), HasSubstr("wanted keys and values"));
}

TEST_F(ConfigLoad, SetsWinOverTheFile) {
  const auto result =
      read<TrainJob>("seed: 1\n", {"seed=2", "data.splits=train,val", "data.crop_scale=[0.5, 0.75]",
                                   "model.vae_model_path=a: #b", "freeze="});

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.seed, 2);
  EXPECT_EQ(result->origins.at("seed"), "--set");
  EXPECT_THAT(result->job.data.splits, ElementsAre("train", "val"));
  EXPECT_THAT(result->job.data.crop_scale, ElementsAre(0.5, 0.75));
  EXPECT_EQ(result->job.model.vae_model_path, "a: #b");
  EXPECT_TRUE(result->job.freeze.empty());
}

TEST_F(ConfigLoad, RefusesABadSet) {
  const auto unknown = load<TrainJob>({{}, {"data.widht=8"}});
  const auto bare = load<TrainJob>({{}, {"seed"}});
  const auto section = load<TrainJob>({{}, {"data=8"}});

  ASSERT_FALSE(unknown || bare || section);
  EXPECT_EQ(unknown.error().message,
            "--set data.widht=8: unknown key \"data.widht\"; did you mean data.width?");
  EXPECT_THAT(bare.error().message, HasSubstr("wanted KEY=VALUE"));
  EXPECT_THAT(section.error().message, HasSubstr("data is a section"));
}

TEST_F(ConfigLoad, CompatChangesWhatTheUserLeftOpen) {
  const auto result = read<TrainJob>("condition: {dropout_scope: sample}\ncompat: moore\n");

  ASSERT_TRUE(result) << result.error().text();
  EXPECT_EQ(result->job.condition.dropout_scope, DropoutScope::Sample);
  EXPECT_EQ(result->job.condition.null_condition, NullCondition::ZeroPixels);
  EXPECT_EQ(result->origins.at("condition.null_condition"), "compat: moore");
  EXPECT_THAT(result->origins.at("condition.dropout_scope"), HasSubstr("job.yaml:1"));
}

TEST_F(ConfigLoad, EveryCompatFieldIsAKeyWithAFittingValue) {
  EXPECT_TRUE(load<TrainJob>({{}, {"compat=moore"}}));
  EXPECT_TRUE(load<GenerateJob>({{}, {"compat=moore"}}));
}

TEST_F(ConfigLoad, NamesInOtherBytesThanUtf8AreRefusedWhereTheyAreGiven) {
  const auto loaded = load<GenerateJob>({{}, {"reference_image=a\xFF.png"}});

  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().message, HasSubstr("reference_image=a"));
  EXPECT_THAT(loaded.error().message, HasSubstr("not UTF-8 text"));
}

TEST_F(ConfigLoad, StageTwoTakesWholeFrames) {
  const auto stage2 = load<TrainJob>({{}, {"stage=2", "model.stage1_run=a"}});
  const auto chosen = load<TrainJob>({{}, {"stage=2", "model.stage1_run=a", "data.crop_scale=0.5,1"}});

  ASSERT_TRUE(stage2 && chosen);
  EXPECT_THAT(stage2->job.data.crop_scale, ElementsAre(1.0, 1.0));
  EXPECT_EQ(stage2->origins.at("data.crop_scale"), "stage 2 default");
  EXPECT_THAT(chosen->job.data.crop_scale, ElementsAre(0.5, 1.0));
}

TEST_F(ConfigLoad, AListOfHostileTextsIsSetAsItIs) {
  const std::vector<std::string> texts{"a, b.mp4", "[c]", "it's \"d\"", "null", "", "e: f # g", "\xC3\xA4"};

  const auto job = load<PoseJob>({{}, {"inputs=" + list_text(texts)}});

  ASSERT_TRUE(job) << job.error().text();
  EXPECT_EQ(job->job.inputs, texts);
}

TEST_F(ConfigLoad, MissingFileIsNotFound) {
  const auto result = load<TrainJob>({folder_ / "none.yaml", {}});

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
}

template <class Job>
class ConfigFreeze : public testing::Test {};
using Jobs = testing::Types<TrainJob, GenerateJob, IngestJob, PoseJob, SynthJob, CacheJob>;
TYPED_TEST_SUITE(ConfigFreeze, Jobs);

TYPED_TEST(ConfigFreeze, ReadsBackToTheSameValues) {
  test::TempFolder folder;
  const auto resolved = load<TypeParam>({{}, {}});
  ASSERT_TRUE(resolved) << resolved.error().text();

  ASSERT_TRUE(files::write_atomic(folder / "run.yaml", freeze(*resolved)));
  const auto back = thaw<TypeParam>(folder / "run.yaml");

  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(digest(*back), digest(resolved->job));
  EXPECT_TRUE(check_resume(*back, resolved->job));
}

TEST_F(ConfigLoad, FrozenTextSurvivesHostileValues) {
  Resolved<TrainJob> resolved;
  resolved.job.model.vae_model_path = "a \"b\" \\c\td: #e\n\x01 \xC3\xA4 'f'";
  resolved.job.model.mm_path = "yes";
  resolved.job.data.splits = {"", "null", "1e5", "[x]", "- y"};
  resolved.job.optimizer.learning_rate = 0.1 + 0.2;
  resolved.origins["model.mm_path"] = "evil\nname: x";

  const auto back = thaw<TrainJob>(write(freeze(resolved)));

  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->model.vae_model_path, resolved.job.model.vae_model_path);
  EXPECT_EQ(back->model.mm_path, "yes");
  EXPECT_EQ(back->data.splits, resolved.job.data.splits);
  EXPECT_EQ(back->optimizer.learning_rate, 0.1 + 0.2);
  EXPECT_EQ(back->name, "run");
}

TEST_F(ConfigLoad, FrozenFileThatWasEditedIsRefused) {
  const std::string frozen = freeze(Resolved<TrainJob>{});
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = frozen;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return thaw<TrainJob>(write(text.replace(at, from.size(), to)));
  };

  for (const auto& edited : {with("\nseed: ", "\nseed: 1"), with("# default", "# --set"),
                             with("sum of the lines above: ", "sum of the lines above: 0")}) {
    ASSERT_FALSE(edited);
    EXPECT_EQ(edited.error().code, ErrorCode::InvalidConfig);
    EXPECT_THAT(edited.error().text(), HasSubstr("job.yaml is not as zoetrope wrote it"));
  }
  EXPECT_TRUE(with("\nseed: ", "\nseed: "));
  for (const char* begin : {"# sum of", "\nseed: "}) {
    const auto cut = thaw<TrainJob>(write(frozen.substr(0, frozen.find(begin))));
    ASSERT_FALSE(cut) << "before " << begin;
    EXPECT_EQ(cut.error().code, ErrorCode::Corrupt);
    EXPECT_THAT(cut.error().text(), HasSubstr("job.yaml was cut short"));
  }
  std::string other = frozen;  // as the file of a new run it may be edited
  other.replace(other.find("\nname: run "), 11, "\nname: two ");
  EXPECT_TRUE(load<TrainJob>({write(other), {}}));
}

TEST_F(ConfigLoad, FrozenFileShowsValuesWithOrigins) {
  const auto result = read<TrainJob>("seed: 7\n", {"optimizer.learning_rate=1e-3"});
  ASSERT_TRUE(result);

  const std::string frozen = freeze(*result);

  EXPECT_THAT(frozen, HasSubstr("\nseed: 7  # " + (folder_ / "job.yaml").string() + ":1\n"));
  EXPECT_THAT(frozen, HasSubstr("\noptimizer:\n  learning_rate: 0.001  # --set\n"));
  EXPECT_THAT(frozen, HasSubstr("\nmodel:\n  base_model_path: \"\"  # default\n"));
  EXPECT_THAT(frozen, HasSubstr("\n  unet:\n    block_out_channels: [320, 640, 1280, 1280]  # default\n"));
}

TEST_F(ConfigLoad, DigestCountsValuesOnly) {
  TrainJob job, other;
  other.seed = 1;

  EXPECT_EQ(digest(job), digest(TrainJob{}));
  EXPECT_NE(digest(job), digest(other));
  EXPECT_EQ(digest(job).size(), 32u);
}

TEST_F(ConfigLoad, ResumeNamesEveryUnsafeChange) {
  TrainJob frozen, wanted;
  wanted.max_train_steps = 60000;
  wanted.threads = 8;
  EXPECT_TRUE(check_resume(frozen, wanted));

  wanted.seed = 1;
  wanted.model.unet.block_out_channels = {64};
  const Status refused = check_resume(frozen, wanted);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(refused.error().message, HasSubstr("\n  seed: 12580 in the run, 1 wanted"));
  EXPECT_THAT(refused.error().message,
              HasSubstr("\n  model.unet.block_out_channels: [320, 640, 1280, 1280] in the run, [64] wanted"));
  EXPECT_THAT(refused.error().message, testing::Not(HasSubstr("threads")));
}

TEST_F(ConfigLoad, ResumeComparesPathsUnlessTheyMayHaveMoved) {
  TrainJob frozen, wanted;
  frozen.data.index = "/there/index.jsonl";
  wanted.data.index = "/moved/index.jsonl";

  EXPECT_FALSE(check_resume(frozen, wanted));
  EXPECT_TRUE(check_resume(frozen, wanted, Paths::Ignored));

  wanted.data.train_bs = 3;
  EXPECT_FALSE(check_resume(frozen, wanted, Paths::Ignored));
}

// An import may have been made without data.
TEST(Resume, AnIndexMayBeNamedWhereThereWasNone) {
  TrainJob frozen, wanted;
  wanted.data.index = "a/index.jsonl";

  EXPECT_TRUE(check_resume(frozen, wanted));

  frozen.data.index = "b/index.jsonl";
  EXPECT_FALSE(check_resume(frozen, wanted));
}

}  // namespace
}  // namespace zt::config
