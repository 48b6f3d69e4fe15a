// SPDX-License-Identifier: Apache-2.0
#include "contract/worker_call.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace zt::contract {
namespace {

constexpr std::array<std::string_view, 5> kVerbs = {"train", "generate", "cache", "eval", "export"};

Status assign(WorkerCall& call, std::string_view option, const char* value) {
  if (option == "--run-dir") {
    call.run_dir = value;
  } else if (option == "--job") {
    call.job = value;
  } else if (option == "--progress") {
    call.progress = value;
  } else if (option == "--generation") {
    const std::string_view text = value;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), call.generation);
    if (error != std::errc() || end != text.data() + text.size() || call.generation < 0) {
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("--generation wants a number from 0, found '{}'", text));
    }
  } else {
    return fail(ErrorCode::InvalidArgument, fmt::format("unknown option '{}'", option));
  }
  return {};
}

}  // namespace

std::string_view name(WorkerVerb verb) { return kVerbs[static_cast<size_t>(verb)]; }

std::vector<std::string> to_args(const WorkerCall& call) {
  std::vector<std::string> args{std::string(name(call.verb))};
  const auto add = [&](const char* option, std::string value) {
    if (value.empty()) return;
    args.emplace_back(option);
    args.push_back(std::move(value));
  };
  add("--run-dir", call.run_dir.string());
  if (call.generation > 0) add("--generation", fmt::format("{}", call.generation));
  add("--job", call.job.string());
  add("--progress", call.progress.string());
  return args;
}

Result<WorkerCall> parse_worker_call(std::span<const char* const> args) {
  WorkerCall call;
  const std::string_view verb = args.empty() ? "" : args[0];
  size_t number = 0;
  while (number < kVerbs.size() && kVerbs[number] != verb) ++number;
  if (number == kVerbs.size()) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("'{}' is no verb of zoetrope-worker; it is started by zoetrope", verb));
  }
  call.verb = static_cast<WorkerVerb>(number);
  for (size_t i = 1; i < args.size(); i += 2) {
    if (i + 1 == args.size())
      return fail(ErrorCode::InvalidArgument, fmt::format("'{}' has no value", args[i]));
    ZT_TRY(assign(call, args[i], args[i + 1]));
  }
  const bool is_train = call.verb == WorkerVerb::Train;
  if (is_train ? call.run_dir.empty() : call.job.empty()) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} needs {}", verb, is_train ? "--run-dir DIR" : "--job FILE"));
  }
  return call;
}

}  // namespace zt::contract
