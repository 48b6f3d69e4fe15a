// SPDX-License-Identifier: Apache-2.0
// Texts about the settings themselves, all from the describe() listings: help, docs/config.md, JSON schema.
#pragma once

#include <string>

#include "config/job/data_tools_job.hpp"
#include "config/job/export_job.hpp"
#include "config/job/generate_job.hpp"
#include "config/job/train_job.hpp"

namespace zt::config {

/// Every key with its default, unit, range and meaning, for the terminal. For the jobs of
/// config/load.hpp.
template <class Job>
std::string settings_help();

/// JSON schema (draft 2020-12) of the job's YAML, for editors and forms; `x-unit` and `x-resume` are our
/// additions.
template <class Job>
std::string json_schema();

/// docs/config.md: all jobs.
std::string settings_page();

}  // namespace zt::config
