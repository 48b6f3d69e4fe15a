// SPDX-License-Identifier: Apache-2.0
#include "contract/run_folder.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "contract/events.hpp"
#include "contract/internal/append_file.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

RunFolder make_run(const std::filesystem::path& runs, const std::string& name) {
  auto run = RunFolder::create({.runs_folder = runs,
                                .name = name,
                                .run_yaml = "abc",
                                .config_digest = "d1",
                                .kind = "stage1",
                                .parent = "p-00000000",
                                .code_version = "0.1.0",
                                .environment = {{"host", "h"}}});
  EXPECT_TRUE(run) << run.error().message;
  return std::move(*run);
}

TEST(RunFolder, CreatedRunHasItsLayoutAndIdentity) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "dance");

  const auto opened = RunFolder::open(run.path());

  ASSERT_TRUE(opened);
  const Identity& id = opened->identity();
  EXPECT_EQ(id.run_id.substr(0, 6), "dance-");
  EXPECT_EQ(id.run_id.size(), 6u + 8);
  EXPECT_EQ(id.run_id.find_first_not_of("0123456789abcdef", 6), std::string::npos);
  EXPECT_EQ(run.path().filename(), id.run_id);
  EXPECT_EQ(id.config_digest, "d1");
  EXPECT_EQ(id.kind, "stage1");
  EXPECT_EQ(id.parent, "p-00000000");
  EXPECT_EQ(id.folder, run.path().string());
  EXPECT_EQ(id.environment.at("host"), "h");
  EXPECT_EQ(*files::read(run.run_yaml()), "abc");
  for (const auto& folder : {run.events(), run.metrics(), run.checkpoints(), run.samples()}) {
    EXPECT_TRUE(std::filesystem::is_directory(folder)) << folder;
  }
}

TEST(RunFolder, TheConfigurationOfAnotherRunIsNoticed) {
  const test::TempFolder runs;
  const RunFolder run = RunFolder::open(make_run(runs.path(), "dance").path()).value();
  EXPECT_TRUE(run.check_run_yaml());

  ASSERT_TRUE(files::write_atomic(run.run_yaml(), "abd"));
  const Status other = run.check_run_yaml();
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, ErrorCode::Corrupt);
  EXPECT_NE(other.error().message.find(run.identity().run_id), std::string::npos) << other.error().message;

  Identity older = run.identity();  // a run of a program that did not write the sum
  older.run_yaml_sum.clear();
  ASSERT_TRUE(files::write_atomic(run.path() / "identity.json", to_json(older)));
  EXPECT_TRUE(RunFolder::open(run.path()).value().check_run_yaml());
}

TEST(RunFolder, NamesThatAreNoFileNamesAreRefused) {
  const test::TempFolder runs;
  for (const char* name : {"", "a/b", "..", ".hidden", "-x", "a b"}) {
    const auto run = RunFolder::create({.runs_folder = runs.path(), .name = name});
    ASSERT_FALSE(run) << name;
    EXPECT_EQ(run.error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_empty(runs.path()));
}

TEST(RunFolder, FindTakesIdPathPrefixAndLatest) {
  const test::TempFolder runs;
  const RunFolder first = make_run(runs.path(), "alpha");
  const RunFolder second = make_run(runs.path(), "beta");

  EXPECT_EQ(RunFolder::find(runs.path(), first.identity().run_id)->path(), first.path());
  EXPECT_EQ(RunFolder::find("/nowhere", second.path().string())->path(), second.path());
  EXPECT_EQ(RunFolder::find(runs.path(), "alp")->path(), first.path());
  EXPECT_EQ(RunFolder::find(runs.path(), "latest")->path(), second.path());
}

TEST(RunFolder, FindNamesTheCandidatesOrTheNearest) {
  const test::TempFolder runs;
  const RunFolder first = make_run(runs.path(), "alpha");
  const RunFolder second = make_run(runs.path(), "alpha");

  const auto ambiguous = RunFolder::find(runs.path(), "alpha");
  std::string typo = first.identity().run_id;
  typo.replace(0, 5, "alhpa");
  const auto missing = RunFolder::find(runs.path(), typo);

  ASSERT_FALSE(ambiguous);
  EXPECT_EQ(ambiguous.error().code, ErrorCode::InvalidArgument);
  EXPECT_NE(ambiguous.error().message.find(second.identity().run_id), std::string::npos);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::NotFound);
  EXPECT_NE(missing.error().message.find("did you mean " + first.identity().run_id), std::string::npos);
}

TEST(RunFolder, WhereThereAreNoRunsItSaysSo) {
  const test::TempFolder runs;

  const auto latest = RunFolder::find(runs.path(), "latest");

  ASSERT_FALSE(latest);
  EXPECT_EQ(latest.error().code, ErrorCode::NotFound);
  EXPECT_NE(latest.error().message.find("there are no runs in "), std::string::npos);
}

TEST(RunFolder, ListSkipsStrangersAndUnfinishedRuns) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  std::filesystem::create_directories(runs / "not-a-run");
  std::filesystem::copy(run.path(), runs / ".run.zt-tmp.0123456789abcdef",
                        std::filesystem::copy_options::recursive);
  std::filesystem::create_directories(runs / "broken");
  std::ofstream(runs / "broken" / "identity.json") << "{\"version\": 1";

  const auto listed = list_runs(runs.path());

  ASSERT_EQ(listed.runs.size(), 1u);
  EXPECT_EQ(listed.runs[0].path(), run.path());
  ASSERT_EQ(listed.damaged.size(), 1u);
  EXPECT_EQ(listed.damaged[0].path, runs / "broken");
  EXPECT_EQ(listed.damaged[0].defect.code, ErrorCode::Corrupt);
  EXPECT_EQ(RunFolder::open(runs / "broken").error().code, ErrorCode::Corrupt);
  EXPECT_TRUE(list_runs("/nowhere").runs.empty());
}

TEST(RunFolder, OneThatHasLostItsIdentityIsDamaged) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  std::filesystem::remove(run.path() / "identity.json");

  const auto listed = list_runs(runs.path());

  EXPECT_TRUE(listed.runs.empty());
  ASSERT_EQ(listed.damaged.size(), 1u);
  EXPECT_EQ(listed.damaged[0].path, run.path());
  for (const std::string& name : {std::string("alpha"), run.identity().run_id, run.path().string()}) {
    const auto found = RunFolder::find(runs.path(), name);
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().code, ErrorCode::Corrupt) << name;
    EXPECT_NE(found.error().message.find("has lost its identity.json: put back a copy"), std::string::npos)
        << found.error().message;
  }
}

// Who says "latest" after a training whose identity.json was lost must not get the weights of the run before.
TEST(RunFolder, TheLatestIsNotTheOneBeforeADamagedOne) {
  const test::TempFolder runs;
  const RunFolder first = make_run(runs.path(), "alpha"), second = make_run(runs.path(), "beta");
  const auto made = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(first.run_yaml(), made - std::chrono::hours(1));
  std::filesystem::last_write_time(second.run_yaml(), made + std::chrono::hours(1));
  std::filesystem::remove(first.path() / "identity.json");
  EXPECT_EQ(RunFolder::find(runs.path(), "latest")->path(), second.path()) << "an older one is damaged";
  std::filesystem::remove(second.path() / "identity.json");
  const auto of_none = RunFolder::find(runs.path(), "latest");
  make_run(runs.path(), "gamma");

  const auto of_one = RunFolder::find(runs.path(), "latest");

  for (const auto& latest : {of_none, of_one}) {
    ASSERT_FALSE(latest);
    EXPECT_EQ(latest.error().code, ErrorCode::Corrupt);
    EXPECT_NE(latest.error().message.find(second.path().string()), std::string::npos)
        << latest.error().message;
  }
}

// A copy of the folder of runs has the times of the copying, in any order.
TEST(RunFolder, TheLatestIsFoundByWhatRunsSayAndNotByTheTimesOfTheirFiles) {
  const test::TempFolder runs;
  const RunFolder torn = make_run(runs.path(), "alpha"), lost = make_run(runs.path(), "beta");
  EXPECT_TRUE(EventWriter::create(lost.events(), 1, "rank0")->write(Warning{}));
  std::this_thread::sleep_for(std::chrono::milliseconds(2));  // times have milliseconds
  const RunFolder whole = make_run(runs.path(), "gamma");
  const std::string text = *files::read(torn.path() / "identity.json");
  std::ofstream(torn.path() / "identity.json") << text.substr(0, text.find("\"folder\""));
  std::filesystem::remove(lost.path() / "identity.json");
  for (const RunFolder* run : {&torn, &lost})
    std::filesystem::last_write_time(run->run_yaml(),
                                     std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));

  const auto latest = RunFolder::find(runs.path(), "latest");

  ASSERT_TRUE(latest) << latest.error().text();
  EXPECT_EQ(latest->path(), whole.path());
}

// Nor does a whole run whose run.yaml was touched hide a damaged newer one.
TEST(RunFolder, ATouchedRunIsNotTheLatest) {
  const test::TempFolder runs;
  const RunFolder whole = make_run(runs.path(), "alpha"), torn = make_run(runs.path(), "beta");
  std::filesystem::last_write_time(whole.run_yaml(),
                                   std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  std::ofstream(torn.path() / "identity.json") << "{\"created_at\": \"9999-01-01T00:00:00.000Z\"";

  const auto latest = RunFolder::find(runs.path(), "latest");

  ASSERT_FALSE(latest);
  EXPECT_NE(latest.error().text().find("move this one out of " + runs.path().string()), std::string::npos)
      << latest.error().text();
}

TEST(RunFolder, AWholeNameGoesBeforeTheBeginningOfOne) {
  const test::TempFolder runs;
  const RunFolder longer = make_run(runs.path(), "alphabet"), whole = make_run(runs.path(), "alpha");

  EXPECT_EQ(RunFolder::find(runs.path(), "alpha")->path(), whole.path());
  const auto beginning = RunFolder::find(runs.path(), "alph");
  make_run(runs.path(), "alpha");
  const auto twice = RunFolder::find(runs.path(), "alpha");

  EXPECT_EQ(beginning.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(twice.error().code, ErrorCode::InvalidArgument);
}

TEST(RunFolder, ANameThatOnlyADamagedRunFitsSaysWhatIsWrongWithIt) {
  const test::TempFolder runs;
  const RunFolder first = make_run(runs.path(), "alpha"), second = make_run(runs.path(), "alphabet");
  std::ofstream(first.path() / "identity.json") << "{\"version\": 1";

  EXPECT_EQ(RunFolder::find(runs.path(), "alpha")->path(), second.path())
      << "one that can be opened fits too";
  const auto damaged = RunFolder::find(runs.path(), "alpha-");

  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code, ErrorCode::Corrupt);
  EXPECT_NE(damaged.error().message.find("put back a copy"), std::string::npos) << damaged.error().message;
}

TEST(RunFolder, ANewerFormatIsUnsupported) {
  EXPECT_EQ(parse_identity("{\"version\": 2}").error().code, ErrorCode::Unsupported);
}

TEST(RunFolder, AnIdentityWhoseRunIdIsNoNameIsRefused) {
  Identity identity;
  identity.run_id = "dance-0123abcd";
  identity.name = "dance";
  ASSERT_TRUE(parse_identity(to_json(identity)));
  for (const char* id : {"", "dance", "dance-", "song-0123abcd", "dance-../../etc", "dance-\x1b[2J"}) {
    identity.run_id = id;
    const auto read = parse_identity(to_json(identity));
    ASSERT_FALSE(read) << id;
    EXPECT_EQ(read.error().code, ErrorCode::Corrupt);
  }
}

TEST(RunFolder, SecondProcessIsRefusedWithPidAndHostOfTheFirst) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  const auto held = run.lock();
  ASSERT_TRUE(held);

  const pid_t other = ::fork();
  if (other == 0) {
    const auto refused = run.lock();
    const bool names_holder =
        !refused && refused.error().code == ErrorCode::Unavailable &&
        refused.error().message.find("pid " + std::to_string(::getppid()) + " on ") != std::string::npos;
    ::_exit(names_holder ? 0 : 1);
  }
  int status = -1;
  ::waitpid(other, &status, 0);

  EXPECT_EQ(status, 0);
}

TEST(RunFolder, LockOfADeadProcessIsFree) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  const pid_t other = ::fork();
  if (other == 0) {
    const auto held = run.lock();
    ::_exit(held ? 0 : 1);  // without running destructors, as a kill would
  }
  int status = -1;
  ::waitpid(other, &status, 0);
  ASSERT_EQ(status, 0);

  EXPECT_TRUE(run.lock());
}

// Else the attempt could not say a word: a file of events or metrics is written once.
TEST(RunFolder, ALaunchDoesNotTakeTheNumberOfOneWhoseAttemptIsGone) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  std::ofstream(run.events() / "000003.rank0.jsonl") << "";
  std::filesystem::remove_all(run.path() / "attempts");
  EXPECT_EQ(run.begin_attempt()->generation, 4);

  std::ofstream(run.metrics() / fmt::format("000007.rank0.{}", internal::kMetricExtension)) << "";
  EXPECT_EQ(run.begin_attempt()->generation, 8);
}

TEST(RunFolder, AttemptsAreNumberedFromOneWithoutReuse) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");

  const auto first = run.begin_attempt();
  std::filesystem::create_directories(run.path() / "attempts" / "11");
  const auto next = run.begin_attempt();

  ASSERT_TRUE(first && next);
  EXPECT_EQ(first->generation, 1);
  EXPECT_EQ(next->generation, 12);
  EXPECT_EQ(run.attempts()->size(), 3u);
  EXPECT_EQ(next->log().filename(), "rank-00000.log");
  EXPECT_TRUE(run.attempt(12));
  EXPECT_EQ(run.attempt(2).error().code, ErrorCode::NotFound);
}

TEST(RunFolder, AnImportThatDidNotEndTrainsNothing) {
  const test::TempFolder runs;
  const RunFolder run =
      RunFolder::create({.runs_folder = runs.path(), .name = "alpha", .is_import = true}).value();
  EXPECT_EQ(RunFolder::open(run.path())->check_import().error().code, ErrorCode::NotFound);
  EXPECT_TRUE(make_run(runs.path(), "beta").check_import());
}

TEST(RunFolder, AnAttemptOfARunThatIsGoneDoesNotMakeItsFolderAgain) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  std::filesystem::remove_all(run.path());

  EXPECT_EQ(run.begin_attempt().error().code, ErrorCode::NotFound);
  EXPECT_FALSE(std::filesystem::exists(run.path()));
}

TEST(RunFolder, ALaterAttemptMayBringItsOwnConfiguration) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  const auto first = run.begin_attempt(), second = run.begin_attempt(), third = run.begin_attempt();
  ASSERT_TRUE(first && second && third);
  std::ofstream(second->run_yaml()) << "changed";

  EXPECT_EQ(*run.config_file(1), run.run_yaml());
  EXPECT_EQ(*run.config_file(2), second->run_yaml());
  EXPECT_EQ(*run.config_file(3), second->run_yaml());
}

TEST(RunFolder, ConcurrentLaunchesGetDifferentGenerations) {
  const test::TempFolder runs;
  const RunFolder run = make_run(runs.path(), "alpha");
  std::vector<int64_t> got(8);
  std::vector<std::thread> threads;

  for (auto& generation : got) threads.emplace_back([&] { generation = run.begin_attempt()->generation; });
  for (auto& thread : threads) thread.join();

  EXPECT_EQ(std::set<int64_t>(got.begin(), got.end()).size(), got.size());
}

}  // namespace
}  // namespace zt::contract
