// SPDX-License-Identifier: Apache-2.0
#include "cli/app.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <exception>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "base/process/standard_streams.hpp"
#include "base/signals.hpp"
#include "base/text/text.hpp"
#include "base/thrown.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "cli/version.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

// The verb the command line got to before it went wrong.
const CLI::App& deepest(const CLI::App& app) {
  const auto chosen = app.get_subcommands();
  return chosen.empty() ? app : deepest(*chosen.front());
}

std::string full_name(const CLI::App& app) {
  return app.get_parent() ? full_name(*app.get_parent()) + " " + app.get_name() : app.get_name();
}

std::vector<std::string> known_words(const CLI::App& app, bool is_option) {
  std::vector<std::string> words;
  if (is_option) {
    for (const auto* option : app.get_options()) {
      for (const auto& name : option->get_lnames()) words.push_back("--" + name);
    }
  } else {
    for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; }))
      words.push_back(verb->get_name());
  }
  return words;
}

Error unknown_word(const CLI::App& verb, const std::string& word) {
  const bool is_option = word.starts_with('-');
  const std::string name = word.substr(0, is_option ? word.find('=') : std::string::npos);
  const std::string near = text::nearest(name, known_words(verb, is_option));
  const std::string place = full_name(verb);
  const bool has_verbs = !verb.get_subcommands([](const CLI::App*) { return true; }).empty();
  const char* kind = is_option ? "option" : has_verbs ? "command" : "argument";
  std::string message = fmt::format("unknown {} '{}' of '{}'", kind, name, place);
  message += near.empty() ? fmt::format(": see `{} --help`", place) : fmt::format(": did you mean {}?", near);
  return {ErrorCode::InvalidArgument, std::move(message)};
}

int report_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App& verb = deepest(app);
  const auto unknown = app.remaining(true);
  if (!unknown.empty()) {
    print_error(unknown_word(verb, unknown.front()));
  } else if (verb.get_require_subcommand_min() > 0) {
    note(app.help());
  } else {
    std::string what = error.what();
    // "A subcommand is required" goes on from our words; "RUN is required" begins with a name.
    if (what.size() > 1 && !std::isupper(static_cast<unsigned char>(what[1])))
      what.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(what.front())));
    print_error({ErrorCode::InvalidArgument,
                 fmt::format("{} (`{} --help` shows the options)", what, full_name(verb))});
  }
  return contract::kExitUsage;
}

// Each name below a folder that was removed is "no such file", and libraries of the worker's abort.
Status require_working_folder() {
  std::error_code error;
  (void)std::filesystem::current_path(error);
  if (error != std::errc::no_such_file_or_directory) return {};
  return fail(
      ErrorCode::NotFound,
      "the working folder is gone: it was removed, or made again under its name; cd to one that is there");
}

int perform(const Action& action) {
  try {
    const auto done = require_working_folder().and_then(action);
    if (done) return *done;
    print_error(done.error());
    return contract::exit_code(done.error());
  } catch (const std::exception& thrown) {  // nothing below is meant to throw but what that knows, and bugs
    const Error error = error_of(thrown);
    print_error(error);
    return contract::exit_code(error);
  }
}

void build(CLI::App& app, Action& chosen, const Verbs& verbs) {
  app.name("zoetrope");
  app.set_version_flag("--version", version_text());
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.footer(
      "Start with: zoetrope quickstart\n"
      "`zoetrope VERB --help` shows a verb. Exit codes: 0 done, 1 failed, 2 usage or configuration, 75 "
      "stopped on\n"
      "request and can be resumed; docs/errors.md lists the others.");
  verbs(app, chosen);
}

}  // namespace

int run(int argc, const char* const* argv, const Verbs& verbs) {
  process::open_missing_streams();
  signals::install(signals::OnNow::Report);
  CLI::App app("Trains video models of the AnimateAnyone family and generates with them.");
  Action chosen;
  build(app, chosen, verbs);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help, --version
    app.exit(help);
    return finish_output(contract::kExitOk);
  } catch (const CLI::ParseError& error) {
    return report_usage(app, error);
  }
  return finish_output(perform(chosen));
}

}  // namespace zt::cli
