// SPDX-License-Identifier: Apache-2.0
#include "contract/worker_call.hpp"

#include <fmt/format.h>

#include <array>

#include "base/text/text.hpp"

namespace zt::contract {
namespace {

constexpr std::array<std::string_view, 7> kVerbs = {"train", "import", "generate", "cache",
                                                    "eval",  "export", "plan"};

Status assign_number(int64_t& number, std::string_view option, std::string_view text) {
  const auto found = text::to_number<int64_t>(text);
  if (found && *found >= 0) {
    number = *found;
    return {};
  }
  return fail(ErrorCode::InvalidArgument, fmt::format("{} needs a number from 0, found '{}'", option, text));
}

Status assign(WorkerCall& call, std::string_view option, const char* value) {
  if (option == "--rank" || option == "--ranks" || option == "--rendezvous") call.has_place = true;
  if (option == "--run-dir") {
    call.run_dir = value;
  } else if (option == "--job") {
    call.job = value;
  } else if (option == "--progress") {
    call.progress = value;
  } else if (option == "--rendezvous") {
    call.place.rendezvous = value;
  } else if (option == "--host") {
    call.place.host = value;
  } else if (option == "--plan-device") {
    call.plan.device = value;
  } else if (option == "--plan-ranks") {
    return assign_number(call.plan.ranks, option, value);
  } else if (option == "--generation") {
    return assign_number(call.generation, option, value);
  } else if (option == "--rank") {
    return assign_number(call.place.rank, option, value);
  } else if (option == "--ranks") {
    return assign_number(call.place.ranks, option, value);
  } else if (option == "--memory-fd") {
    return assign_number(call.memory_fd, option, value);
  } else if (option == "--peer-fd") {
    return assign_number(call.peer_fd, option, value);
  } else if (option == "--restart") {
    return assign_number(call.restart, option, value);
  } else if (option == "--step") {
    return assign_number(call.step, option, value);
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
  if (call.place.ranks > 1) {
    add("--rank", fmt::format("{}", call.place.rank));
    add("--ranks", fmt::format("{}", call.place.ranks));
    add("--rendezvous", call.place.rendezvous);
    add("--host", call.place.host);
  }
  if (call.memory_fd >= 0) add("--memory-fd", fmt::format("{}", call.memory_fd));
  if (call.peer_fd >= 0) add("--peer-fd", fmt::format("{}", call.peer_fd));
  if (call.restart > 0) add("--restart", fmt::format("{}", call.restart));
  if (call.step > 0) add("--step", fmt::format("{}", call.step));
  if (call.verb == WorkerVerb::Plan) {
    add("--plan-ranks", fmt::format("{}", call.plan.ranks));
    add("--plan-device", call.plan.device);
  }
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
                fmt::format("'{}' is not a verb of zoetrope-worker, which zoetrope starts", verb));
  }
  call.verb = static_cast<WorkerVerb>(number);
  for (size_t i = 1; i < args.size(); i += 2) {
    if (i + 1 == args.size())
      return fail(ErrorCode::InvalidArgument, fmt::format("'{}' has no value", args[i]));
    ZT_TRY(assign(call, args[i], args[i + 1]));
  }
  if (has_run(call.verb) ? call.run_dir.empty() : call.job.empty()) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{} needs {}", verb, has_run(call.verb) ? "--run-dir DIR" : "--job FILE"));
  }
  if (call.plan.ranks < 1) return fail(ErrorCode::InvalidArgument, "--plan-ranks needs a number from 1");
  const RankPlace& place = call.place;
  if (place.ranks < 1 || place.rank >= place.ranks || (place.ranks > 1 && place.rendezvous.empty())) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("--rank {} --ranks {}: wanted a rank below their number, and --rendezvous HOST:PORT "
                    "for more than one",
                    place.rank, place.ranks));
  }
  return call;
}

}  // namespace zt::contract
