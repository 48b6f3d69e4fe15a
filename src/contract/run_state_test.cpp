// SPDX-License-Identifier: Apache-2.0
#include "contract/run_state.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "contract/worker_call.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

Event event(int64_t generation, EventBody body) {
  Event e;
  e.generation = generation;
  e.body = std::move(body);
  return e;
}

AttemptFinished finished(int64_t step, const char* outcome, const char* message = "") {
  AttemptFinished e;
  e.step = step;
  e.outcome = outcome;
  e.message = message;
  return e;
}

TEST(RunState, WithoutAnAttemptItIsCreated) {
  EXPECT_EQ(judge(0, {}, {}, std::nullopt, false).condition, RunCondition::Created);
}

TEST(RunState, OnlyTheNewestAttemptDecides) {
  EventLog events;
  events.events = {event(1, finished(10, "failed", "disk full")), event(2, AttemptStarted{})};

  EXPECT_EQ(judge(1, events, {}, std::nullopt, false).condition, RunCondition::Failed);
  EXPECT_EQ(judge(1, events, {}, std::nullopt, false).message, "disk full");
  EXPECT_EQ(judge(2, events, {}, std::nullopt, true).condition, RunCondition::Running);
  EXPECT_EQ(judge(2, events, {}, std::nullopt, false).condition, RunCondition::Interrupted);

  events.events.push_back(event(2, finished(20, "stopped")));
  EXPECT_EQ(judge(2, events, {}, std::nullopt, true).condition, RunCondition::Stopped);
  EXPECT_EQ(judge(2, events, {}, std::nullopt, true).step, 20);
}

TEST(RunState, ZombieIsNotRunning) {
  const test::TempFolder runs;
  CreateRun options;
  options.runs_folder = runs.path();
  options.name = "alpha";
  options.kind = "stage1";
  const auto run = RunFolder::create(options);
  ASSERT_TRUE(run) << run.error().text();
  const auto attempt = run->begin_attempt();
  ASSERT_TRUE(attempt);
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  Progress progress;
  progress.pid = child;
  {
    auto writer = ProgressWriter::open(attempt->progress());
    ASSERT_TRUE(writer);
    writer->publish(progress);
  }
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);  // it stays a zombie

  EXPECT_EQ(run_state(*run)->condition, RunCondition::Interrupted);

  ::waitpid(child, nullptr, 0);
}

TEST(RunState, LossesAndStepsComeFromTheNewestRecords) {
  EventLog events;
  ValidationDone low, high;
  low.loss = 0.25;
  high.loss = 0.5;
  events.events = {event(1, low), event(1, high)};
  MetricSeries metrics;
  metrics.by_name["train/loss"] = {{1, 0, 0.9, 1}, {42, 0, 0.7, 1}};
  metrics.by_name["train/samples_per_s"] = {{1, 0, 3.0, 1}, {2, 0, 20.0, 1}, {3, 0, 21.0, 1}};
  Progress progress;
  progress.phase = Phase::Training;
  progress.step = 45;
  progress.total_steps = 100;

  const RunState state = judge(1, events, metrics, progress, true);

  EXPECT_EQ(state.validation_loss, 0.5);
  EXPECT_EQ(state.best_loss, 0.25);
  EXPECT_EQ(state.train_loss, 0.7);
  EXPECT_EQ(state.samples_per_s, 20.0);
  EXPECT_EQ(state.step, 45);
  EXPECT_EQ(state.total_steps, 100);
}

Result<WorkerCall> parse(std::vector<const char*> args) { return parse_worker_call(args); }

TEST(WorkerCall, ArgumentsGoThereAndBack) {
  const WorkerCall call{WorkerVerb::Import, "runs/a", 3, 1200, {}, "/dev/shm/p"};

  const auto args = to_args(call);
  std::vector<const char*> raw;
  for (const auto& arg : args) raw.push_back(arg.c_str());
  const auto back = parse(raw);

  EXPECT_EQ(args, (std::vector<std::string>{"import", "--run-dir", "runs/a", "--generation", "3", "--step",
                                            "1200", "--progress", "/dev/shm/p"}));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->verb, WorkerVerb::Import);
  EXPECT_EQ(back->run_dir, "runs/a");
  EXPECT_EQ(back->generation, 3);
  EXPECT_EQ(back->step, 1200);
  EXPECT_EQ(back->progress, "/dev/shm/p");
}

TEST(WorkerCall, ARankKnowsItsPlaceAndMemory) {
  WorkerCall call;
  call.run_dir = "r";
  call.place = {.rank = 2, .ranks = 4, .rendezvous = "10.0.0.7:4000"};
  call.memory_fd = 5;
  call.peer_fd = 6;

  const auto args = to_args(call);
  std::vector<const char*> raw;
  for (const auto& arg : args) raw.push_back(arg.c_str());
  const auto back = parse(raw);

  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->place.rank, 2);
  EXPECT_EQ(back->place.ranks, 4);
  EXPECT_EQ(back->place.rendezvous, "10.0.0.7:4000");
  EXPECT_EQ(back->memory_fd, 5);
  EXPECT_EQ(back->peer_fd, 6);
}

TEST(WorkerCall, WhatIsMissingOrUnknownIsNamed) {
  EXPECT_NE(parse({}).error().message.find("not a verb"), std::string::npos);
  EXPECT_NE(parse({"dance"}).error().message.find("'dance'"), std::string::npos);
  EXPECT_NE(parse({"train"}).error().message.find("--run-dir"), std::string::npos);
  EXPECT_NE(parse({"generate", "--run-dir", "x"}).error().message.find("--job"), std::string::npos);
  EXPECT_NE(parse({"train", "--run-dir"}).error().message.find("no value"), std::string::npos);
  EXPECT_NE(parse({"train", "--run-dir", "x", "--generation", "3x"}).error().message.find("'3x'"),
            std::string::npos);
  EXPECT_NE(parse({"train", "--run-dir", "x", "--rank", "2", "--ranks", "2", "--rendezvous", "h:1"})
                .error()
                .message.find("--rank 2"),
            std::string::npos);
  EXPECT_NE(parse({"train", "--run-dir", "x", "--ranks", "2"}).error().message.find("--rendezvous"),
            std::string::npos);
  EXPECT_NE(parse({"train", "--speed", "x"}).error().message.find("'--speed'"), std::string::npos);
}

}  // namespace
}  // namespace zt::contract
