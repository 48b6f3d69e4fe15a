// SPDX-License-Identifier: Apache-2.0
// How a verb takes its job: a file, --set for any key, and short forms that stand for one key each. Every
// value goes through config/, so a short form has the same checks, help and origin as the key.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/load.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace zt::cli {

/// Bound to one verb of the argument tree; copies share their state, so an action may keep one.
class JobOptions {
 public:
  /// Adds --config and --set to the verb. `defaults` are config::values() of the job, for the help.
  JobOptions(CLI::App& verb, const std::vector<config::KeyValue>& defaults);
  /// `flags` as CLI11 spells them, e.g. "-W,--width"; VALUE stands for --set key=VALUE. A name without dashes
  /// is positional. Takes one word, so that `-o OUT IN` leaves IN to the verb; said twice, the last counts.
  JobOptions& add(const std::string& flags, const std::string& key, const std::string& help);
  /// The option added last under names that it had: they are taken, but not beside its new ones,
  /// and not in the help.
  JobOptions& formerly(const std::string& flags);
  /// The option added last stands for this key too.
  JobOptions& also(const std::string& key);
  /// For a key that is a list: takes all words up to the next option, each one item or several with commas.
  JobOptions& add_list(const std::string& flags, const std::string& key, const std::string& help);
  /// For a key that is a list of files: likewise, but every word is one item, whatever is in it.
  JobOptions& add_paths(const std::string& flags, const std::string& key, const std::string& help);
  /// --flag stands for --set key=true, or key=false.
  JobOptions& add_flag(const std::string& flags, const std::string& key, const std::string& help,
                       bool value = true);
  /// What the command line said. --set comes before the short forms, so these win.
  config::LoadRequest request() const;

 private:
  struct Short {
    std::string key;
    std::string second_key;  ///< also(); may be empty
    std::vector<std::string> values;
    bool is_literal = false;  ///< commas in the values are theirs
    bool is_set = false;      ///< a flag
    std::string flag_value;
  };
  struct State {
    std::map<std::string, std::string> defaults;
    std::string file;
    std::vector<std::string> sets;
    std::vector<std::unique_ptr<Short>> shorts;
  };
  Short& new_short(const std::string& key);
  CLI::Option* add_word(const std::string& flags, const std::string& key, const std::string& help);
  std::string help_of(const std::string& key, const std::string& help) const;

  CLI::App* verb_;
  std::shared_ptr<State> state_;
};

/// --runs-dir, where the verb looks for runs.
CLI::Option* add_runs_folder(CLI::App& verb, std::string& folder);
/// What the help says of an option that names a run.
inline constexpr const char* kRunHelp = "Run id, a unique beginning of it, a path, or 'latest'";

}  // namespace zt::cli
