// SPDX-License-Identifier: Apache-2.0
// zoetrope config: every key of every job, as a page, as help or as a JSON schema.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/foreign/page.hpp"
#include "config/reference.hpp"

namespace zt::cli {
namespace {

struct JobTexts {
  const char* name;
  std::string (*help)();
  std::string (*schema)();
};
template <class Job>
constexpr JobTexts texts(const char* name) {
  return {name, config::settings_help<Job>, config::json_schema<Job>};
}
constexpr JobTexts kJobs[] = {
    texts<config::TrainJob>("train"),   texts<config::GenerateJob>("generate"),
    texts<config::IngestJob>("ingest"), texts<config::PoseJob>("pose"),
    texts<config::SynthJob>("synth"),   texts<config::EvalJob>("eval"),
    texts<config::ExportJob>("export"),
};

Result<int> show(const std::string& job, std::string (*JobTexts::*text)()) {
  for (const JobTexts& known : kJobs) {
    if (job != known.name) continue;
    print((known.*text)());
    return 0;
  }
  std::string names;
  for (const JobTexts& known : kJobs) names += std::string(names.empty() ? "" : ", ") + known.name;
  return fail(ErrorCode::InvalidArgument, fmt::format("there is no job '{}': the jobs are {}", job, names));
}

}  // namespace

void add_config(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("config", "Show the keys of configuration files");
  verb->require_subcommand(1);
  const auto job = std::make_shared<std::string>();
  const auto add = [&](const char* name, const char* help, std::string (*JobTexts::*text)()) {
    auto* sub = verb->add_subcommand(name, help);
    sub->add_option("JOB", *job, "train, generate, ingest, pose, synth, eval or export")->required();
    sub->footer(fmt::format("Example: zoetrope config {} train", name));
    sub->callback([=, &chosen] { chosen = [=] { return show(*job, text); }; });
  };
  add("keys", "Keys of a job with defaults, units and meaning", &JobTexts::help);
  add("schema", "JSON schema of a job's file, for editors", &JobTexts::schema);
  const auto add_page = [&](const char* name, const char* help, std::string (*page)()) {
    verb->add_subcommand(name, help)->callback([=, &chosen] {
      chosen = [=]() -> Result<int> {
        print(page());
        return 0;
      };
    });
  };
  add_page("docs", "The page docs/config.md", config::settings_page);
  add_page("foreign", "The page docs/deepspeed.md: keys of DeepSpeed and accelerate", config::foreign_page);
}

}  // namespace zt::cli
