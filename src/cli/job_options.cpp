// SPDX-License-Identifier: Apache-2.0
#include "cli/job_options.hpp"

#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "cli/output.hpp"

namespace zt::cli {

JobOptions::JobOptions(CLI::App& verb) : verb_(&verb), state_(std::make_shared<State>()) {
  verb.add_option("--config", state_->file, "YAML file of the job; docs/config.md lists the keys");
  verb.add_option("--set", state_->sets, "KEY=VALUE, any key of the job; may be repeated")
      ->allow_extra_args(false);
}

JobOptions& JobOptions::add(const std::string& flags, const std::string& key, const std::string& help) {
  Short& item = *state_->shorts.emplace_back(std::make_unique<Short>());
  item.key = key;
  verb_->add_option(flags, item.values, help + " (" + key + ")")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_last();
  return *this;
}

JobOptions& JobOptions::add_list(const std::string& flags, const std::string& key, const std::string& help) {
  Short& item = *state_->shorts.emplace_back(std::make_unique<Short>());
  item.key = key;
  verb_->add_option(flags, item.values, help + " (" + key + ")");
  return *this;
}

JobOptions& JobOptions::add_flag(const std::string& flags, const std::string& key, const std::string& help,
                                 bool value) {
  Short& item = *state_->shorts.emplace_back(std::make_unique<Short>());
  item.key = key;
  item.flag_value = value ? "true" : "false";
  verb_->add_flag(flags, item.is_set, help + " (" + key + ")");
  return *this;
}

config::LoadRequest JobOptions::request() const {
  config::LoadRequest request{state_->file, state_->sets};
  for (const auto& item : state_->shorts) {
    if (item->is_set) request.sets.push_back(item->key + "=" + item->flag_value);
    if (!item->values.empty()) request.sets.push_back(item->key + "=" + text::join(item->values, ","));
  }
  return request;
}

template <class Job>
Result<config::Resolved<Job>> load_job(const config::LoadRequest& request) {
  auto resolved = config::load<Job>(request);
  if (resolved)
    for (const std::string& line : resolved->notes) note(line);
  return resolved;
}

template Result<config::Resolved<config::TrainJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::GenerateJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::IngestJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::PoseJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::SynthJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::CacheJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::EvalJob>> load_job(const config::LoadRequest&);
template Result<config::Resolved<config::ExportJob>> load_job(const config::LoadRequest&);

}  // namespace zt::cli
