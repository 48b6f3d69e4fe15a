// SPDX-License-Identifier: Apache-2.0
// A job that has no run folder, done by zoetrope-worker as `zoetrope` would have it done.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "base/files/files.hpp"
#include "base/process/process.hpp"
#include "config/load.hpp"
#include "support/puppet_clips.hpp"

namespace zt::test {

/// Fails the test, with the worker's log, if the worker does not end well. `folder` takes job and log.
template <class Job>
void run_worker_job(const char* verb, const Job& job, const std::filesystem::path& folder) {
  config::Resolved<Job> resolved;
  resolved.job = job;
  expect_ok(files::write_atomic(folder / "job.yaml", config::freeze(resolved)));
  process::SpawnOptions options;
  options.argv = {ZT_WORKER, verb, "--job", (folder / "job.yaml").string()};
  options.out = process::Stream::discard();
  options.err = process::Stream::to_file(folder / "log");
  process::Child child = value_of(process::Child::spawn(options));
  ASSERT_EQ(value_of(child.wait(std::chrono::seconds(60))).shell_code(), 0)
      << files::read(folder / "log").value_or("");
}

}  // namespace zt::test
