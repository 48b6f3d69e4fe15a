// SPDX-License-Identifier: Apache-2.0
// The verbs of `zoetrope`. Each add_x() hangs its part onto the argument tree; parsing a command line that
// names the verb sets `chosen` to what it does. A verb parses, calls a library and prints: nothing else.
#pragma once

#include <cstdint>
#include <functional>

#include "base/error.hpp"

namespace CLI {
class App;
}

namespace zt::cli {

/// Runs a verb; the value is the exit code.
using Action = std::function<Result<int>()>;

/// Of the verbs of zoetrope-media, which zoetrope lists too.
inline constexpr const char* kDataHelp = "Make, check and prepare training data";
inline constexpr const char* kEvalHelp = "Measure a run, or videos, against the truth";
inline constexpr const char* kQuickstartHelp = "From nothing to an animated character, in about ten minutes";

void add_ckpt(CLI::App& app, Action& chosen);
void add_ckpt_diff(CLI::App& ckpt, Action& chosen);
void add_ckpt_export(CLI::App& ckpt, Action& chosen);
void add_ckpt_import(CLI::App& ckpt, Action& chosen);
void add_ckpt_reshard(CLI::App& ckpt, Action& chosen);
void add_config(CLI::App& app, Action& chosen);
void add_convert(CLI::App& app, Action& chosen);
void add_data(CLI::App& app, Action& chosen);
void add_eval(CLI::App& app, Action& chosen);
void add_generate(CLI::App& app, Action& chosen);
void add_host_agent(CLI::App& app, Action& chosen);
void add_plan(CLI::App& app, Action& chosen);
void add_quickstart(CLI::App& app, Action& chosen);
void add_report(CLI::App& app, Action& chosen);
void add_runs(CLI::App& app, Action& chosen);
void add_runs_compare(CLI::App& runs, Action& chosen);
void add_store(CLI::App& app, Action& chosen);
void add_train(CLI::App& app, Action& chosen);

}  // namespace zt::cli
