// SPDX-License-Identifier: Apache-2.0
#include "cli/options/job_options.hpp"

#include <CLI/CLI.hpp>

#include "base/text/text.hpp"

namespace zt::cli {

JobOptions::JobOptions(CLI::App& verb, const std::vector<config::KeyValue>& defaults)
    : verb_(&verb), state_(std::make_shared<State>()) {
  for (const auto& [key, value] : defaults) state_->defaults[key] = value;
  verb.add_option("--config", state_->file, "YAML file of the job; docs/config.md lists the keys")
      ->type_name("FILE");
  verb.add_option("--set", state_->sets, "Any key of the job; may be repeated")
      ->type_name("KEY=VALUE")
      ->expected(1)  // each takes one
      ->take_all()
      ->allow_extra_args(false);
}

JobOptions::Short& JobOptions::new_short(const std::string& key) {
  Short& item = *state_->shorts.emplace_back(std::make_unique<Short>());
  item.key = key;
  return item;
}

// "Optimizer steps (max_train_steps: 30000)".
std::string JobOptions::help_of(const std::string& key, const std::string& help) const {
  const auto value = state_->defaults.find(key);
  const bool is_empty = value == state_->defaults.end() || value->second == "\"\"" || value->second == "[]";
  return help + " (" + key + (is_empty ? "" : ": " + value->second) + ")";
}

JobOptions& JobOptions::add(const std::string& flags, const std::string& key, const std::string& help) {
  add_word(flags, key, help);
  return *this;
}

CLI::Option* JobOptions::add_word(const std::string& flags, const std::string& key, const std::string& help) {
  return verb_->add_option(flags, new_short(key).values, help_of(key, help))
      ->type_name("VALUE")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_last();
}

JobOptions& JobOptions::formerly(const std::string& flags) {
  const CLI::Option* now = verb_->get_options().back();
  const auto stands_alone = [now, flags](const std::string&) -> std::string {
    if (now->count() > 0)  // Option::excludes() would print no name of a hidden one
      throw CLI::ExcludesError(flags, now->get_name(/*positional=*/false, /*all_options=*/true));
    return "";
  };
  add_word(flags, std::string(state_->shorts.back()->key), "")->group("")->check(stands_alone);
  return *this;
}

JobOptions& JobOptions::also(const std::string& key) {
  state_->shorts.back()->second_key = key;
  return *this;
}

JobOptions& JobOptions::add_list(const std::string& flags, const std::string& key, const std::string& help) {
  verb_->add_option(flags, new_short(key).values, help_of(key, help))->type_name("VALUE");
  return *this;
}

JobOptions& JobOptions::add_paths(const std::string& flags, const std::string& key, const std::string& help) {
  add_list(flags, key, help);
  state_->shorts.back()->is_literal = true;
  return *this;
}

JobOptions& JobOptions::add_flag(const std::string& flags, const std::string& key, const std::string& help,
                                 bool value) {
  Short& item = new_short(key);
  item.flag_value = value ? "true" : "false";
  verb_->add_flag(flags, item.is_set, help + " (" + key + ")");
  return *this;
}

config::LoadRequest JobOptions::request() const {
  config::LoadRequest request{state_->file, state_->sets};
  for (const auto& item : state_->shorts) {
    if (item->is_set) request.sets.push_back(item->key + "=" + item->flag_value);
    if (item->values.empty()) continue;
    const std::string value =
        item->is_literal ? config::list_text(item->values) : text::join(item->values, ",");
    request.sets.push_back(item->key + "=" + value);
    if (!item->second_key.empty()) request.sets.push_back(item->second_key + "=" + value);
  }
  return request;
}

CLI::Option* add_runs_folder(CLI::App& verb, std::string& folder) {
  return verb.add_option("--runs-dir", folder, "Folder of the runs")
      ->type_name("FOLDER")
      ->capture_default_str();
}

}  // namespace zt::cli
