// SPDX-License-Identifier: Apache-2.0
// Variables as torchrun 2.9, accelerate 1.x, Open MPI 4.1 and Slurm 22.05 set them (their documentation; the
// last two's also seen in a rank).
#include "contract/rank_environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::contract {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const Environment kTorchrun = {{"RANK", "3"},
                               {"WORLD_SIZE", "4"},
                               {"LOCAL_RANK", "1"},
                               {"LOCAL_WORLD_SIZE", "2"},
                               {"GROUP_RANK", "1"},
                               {"MASTER_ADDR", "node0"},
                               {"MASTER_PORT", "29500"},
                               {"TORCHELASTIC_RUN_ID", "none"},
                               {"TORCHELASTIC_RESTART_COUNT", "0"}};
const Environment kStep = {{"SLURM_PROCID", "2"},
                           {"SLURM_NTASKS", "4"},
                           {"SLURM_STEP_NUM_TASKS", "4"},
                           {"SLURM_LOCALID", "0"},
                           {"SLURM_NODEID", "1"},
                           {"SLURM_STEP_NODELIST", "n[1-2]"},
                           {"SLURM_JOB_NODELIST", "n[1-4]"},
                           {"SLURM_JOB_ID", "17"},
                           {"SLURM_STEP_ID", "0"}};

const Environment kMpirun = {{"OMPI_COMM_WORLD_RANK", "1"},
                             {"OMPI_COMM_WORLD_SIZE", "2"},
                             {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                             {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                             {"PMIX_NAMESPACE", "1234567041"}};

Environment with(Environment environment, const std::string& name, const std::string& value) {
  environment[name] = value;
  return environment;
}

std::string launch_of(const Environment& environment) { return (*place_in_environment(environment))->launch; }

TEST(RankEnvironment, AnEmptyOneHasNoPlace) { EXPECT_EQ(place_in_environment({}).value(), std::nullopt); }

TEST(RankEnvironment, ReadsWhatTorchrunSets) {
  const auto place = place_in_environment(kTorchrun).value();

  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 3);
  EXPECT_EQ(place->ranks, 4);
  EXPECT_FALSE(place->is_one_host);
  EXPECT_TRUE(place->is_child);
  EXPECT_EQ(place->first_host, "node0");
}

TEST(RankEnvironment, AsManyLocalRanksAsRanksAreOnOneHost) {
  EXPECT_TRUE((*place_in_environment(with(kTorchrun, "LOCAL_WORLD_SIZE", "4")))->is_one_host);
}

TEST(RankEnvironment, RankAndWorldSizeAloneAreEnough) {
  const auto place = place_in_environment({{"RANK", "0"}, {"WORLD_SIZE", "2"}}).value();

  ASSERT_TRUE(place);
  EXPECT_EQ(place->ranks, 2);
  EXPECT_FALSE(place->is_one_host);
  EXPECT_FALSE(place->is_child) << "a script may have started it and ended";
}

TEST(RankEnvironment, ReadsWhatSrunSets) {
  const auto place = place_in_environment(kStep).value();

  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 2);
  EXPECT_EQ(place->ranks, 4);
  EXPECT_FALSE(place->is_one_host);
  EXPECT_EQ(place->first_host, "n1");
}

TEST(RankEnvironment, AStepOnOneNodeIsOneHost) {
  EXPECT_TRUE((*place_in_environment(with(with(kStep, "SLURM_STEP_NODELIST", "n2"), "SLURM_NODEID", "0")))
                  ->is_one_host);
}

// A batch script has SLURM_PROCID=0 and SLURM_NTASKS, but is no step.
TEST(RankEnvironment, ABatchScriptIsNoRank) {
  Environment batch = kStep;
  batch.erase("SLURM_STEP_ID");

  EXPECT_EQ(place_in_environment(batch).value(), std::nullopt);
}

TEST(RankEnvironment, TorchrunInsideAStepCounts) {
  Environment both = kStep;
  both.insert(kTorchrun.begin(), kTorchrun.end());

  EXPECT_EQ((*place_in_environment(both))->rank, 3);
}

TEST(RankEnvironment, ReadsWhatMpirunSets) {
  const auto place = place_in_environment(kMpirun).value();

  ASSERT_TRUE(place);
  EXPECT_EQ(place->rank, 1);
  EXPECT_EQ(place->ranks, 2);
  EXPECT_TRUE(place->is_one_host);
  EXPECT_TRUE(place->is_child);
  EXPECT_EQ(launch_of(kMpirun), launch_of(with(kMpirun, "OMPI_COMM_WORLD_RANK", "0")));
  EXPECT_NE(launch_of(kMpirun), launch_of(with(kMpirun, "PMIX_NAMESPACE", "99")));
}

// srun starts one daemon a node for it, whose variables its ranks inherit.
TEST(RankEnvironment, MpirunInsideAJobCounts) {
  Environment both = kStep;
  both.insert(kMpirun.begin(), kMpirun.end());

  EXPECT_EQ((*place_in_environment(both))->ranks, 2);
}

TEST(RankEnvironment, OtherMpisAreRefusedRatherThanTrainedAloneSideBySide) {
  const auto place = place_in_environment({{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}});

  ASSERT_FALSE(place);
  EXPECT_THAT(place.error().text(), AllOf(HasSubstr("PMI_SIZE=2"), HasSubstr("torchrun")));
  EXPECT_EQ(place_in_environment({{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}).value(), std::nullopt);
}

TEST(RankEnvironment, ARestartIsAnotherLaunch) {
  EXPECT_NE(launch_of(kTorchrun), launch_of(with(kTorchrun, "TORCHELASTIC_RESTART_COUNT", "1")));
  EXPECT_NE(launch_of(kStep), launch_of(with(kStep, "SLURM_RESTART_COUNT", "1")));
}

TEST(RankEnvironment, RanksOfALaunchAgreeOnIt) {
  EXPECT_EQ(launch_of(kTorchrun), launch_of(with(with(kTorchrun, "RANK", "0"), "LOCAL_RANK", "0")));
  EXPECT_EQ(launch_of(kStep), launch_of(with(with(kStep, "SLURM_PROCID", "1"), "SLURM_NODEID", "0")));
}

TEST(RankEnvironment, JobsAndStepsAreOtherLaunches) {
  EXPECT_NE(launch_of(kStep), launch_of(with(kStep, "SLURM_JOB_ID", "18")));
  EXPECT_NE(launch_of(kStep), launch_of(with(kStep, "SLURM_STEP_ID", "1")));
}

struct Nonsense {
  const Environment* of;
  const char* name;
  const char* value;
};

class RefusedEnvironment : public testing::TestWithParam<Nonsense> {};

TEST_P(RefusedEnvironment, IsNamedWithItsValueAndWhatToDo) {
  const auto [of, name, value] = GetParam();

  const auto place = place_in_environment(with(*of, name, value));

  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(place.error().text(),
              AllOf(HasSubstr(name), HasSubstr(value), HasSubstr("--rank R --ranks N")));
}

INSTANTIATE_TEST_SUITE_P(
    Values, RefusedEnvironment,
    testing::Values(Nonsense{&kTorchrun, "RANK", "4"}, Nonsense{&kTorchrun, "RANK", "-1"},
                    Nonsense{&kTorchrun, "RANK", "one"}, Nonsense{&kTorchrun, "WORLD_SIZE", "0"},
                    Nonsense{&kTorchrun, "WORLD_SIZE", "3"},
                    Nonsense{&kTorchrun, "WORLD_SIZE", "99999999999999999999"},
                    Nonsense{&kTorchrun, "LOCAL_RANK", "2"}, Nonsense{&kTorchrun, "RANK", "0"},
                    Nonsense{&kTorchrun, "LOCAL_WORLD_SIZE", "5"},
                    Nonsense{&kTorchrun, "MASTER_PORT", "65536"},
                    Nonsense{&kTorchrun, "TORCHELASTIC_RESTART_COUNT", "x"},
                    Nonsense{&kMpirun, "OMPI_COMM_WORLD_RANK", "2"},
                    Nonsense{&kMpirun, "OMPI_COMM_WORLD_LOCAL_SIZE", "3"},
                    Nonsense{&kStep, "SLURM_PROCID", "4"}, Nonsense{&kStep, "SLURM_NTASKS", "2x"},
                    Nonsense{&kStep, "SLURM_STEP_NUM_TASKS", "8"}, Nonsense{&kStep, "SLURM_LOCALID", "3"},
                    Nonsense{&kStep, "SLURM_NODEID", "2"}, Nonsense{&kStep, "SLURM_RESTART_COUNT", "-2"}));

class HalfSetEnvironment : public testing::TestWithParam<std::pair<const Environment*, const char*>> {};

TEST_P(HalfSetEnvironment, NamesWhatIsMissing) {
  const auto [of, name] = GetParam();
  Environment half = *of;
  half.erase(name);

  const auto place = place_in_environment(half);

  ASSERT_FALSE(place);
  EXPECT_THAT(place.error().text(), AllOf(HasSubstr(name), HasSubstr("set both or neither")));
}

INSTANTIATE_TEST_SUITE_P(Names, HalfSetEnvironment,
                         testing::Values(std::pair(&kTorchrun, "RANK"), std::pair(&kTorchrun, "WORLD_SIZE"),
                                         std::pair(&kMpirun, "OMPI_COMM_WORLD_RANK"),
                                         std::pair(&kMpirun, "OMPI_COMM_WORLD_SIZE"),
                                         std::pair(&kStep, "SLURM_PROCID"), std::pair(&kStep, "SLURM_NTASKS"),
                                         std::pair(&kStep, "SLURM_JOB_ID")));

TEST(RankEnvironment, ALocalRankAloneIsHalfSet) {
  const auto place = place_in_environment({{"LOCAL_RANK", "0"}});

  ASSERT_FALSE(place);
  EXPECT_THAT(place.error().text(), AllOf(HasSubstr("LOCAL_RANK=0"), HasSubstr("RANK")));
}

TEST(NodeList, ExpandsRangesWithTheirZeros) {
  EXPECT_THAT(expand_node_list("n[01-03,7],m2").value(), ElementsAre("n01", "n02", "n03", "n7", "m2"));
  EXPECT_THAT(expand_node_list("gpu-a[098-101]").value(),
              ElementsAre("gpu-a098", "gpu-a099", "gpu-a100", "gpu-a101"));
  EXPECT_THAT(expand_node_list("login").value(), ElementsAre("login"));
}

TEST(NodeList, RefusesWhatIsNone) {
  for (const char* text : {"", ",", "n[", "n]", "n[]", "n[1", "n[2-1]", "n[1-]", "n[a-b]", "n[1]x", "[1-2]",
                           "n[1,,2]", "n[0-99999999]", "n[0-65535],m", "n[1][2]"})
    EXPECT_FALSE(expand_node_list(text)) << text;
}

}  // namespace
}  // namespace zt::contract
