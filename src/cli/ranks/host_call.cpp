// SPDX-License-Identifier: Apache-2.0
// See host_call.hpp.
#include "cli/ranks/host_call.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text/json_reason.hpp"
#include "cli/ranks/worker_session.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {
namespace {

constexpr std::string_view kSignal = "signal", kStart = "start", kStarted = "started", kEnded = "ended",
                           kHung = "hung", kLeave = "leave", kNews = "news ";

/// The numbers behind the line's first word, if that is `word` and there are `count` of them.
std::optional<std::vector<int>> numbers_behind(std::string_view word, std::string_view line, size_t count) {
  if (!line.starts_with(word)) return std::nullopt;
  std::vector<int> numbers;
  for (line.remove_prefix(word.size()); !line.empty();) {
    if (line.front() != ' ') return std::nullopt;
    line.remove_prefix(1);
    int number = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
    if (error != std::errc()) return std::nullopt;
    line.remove_prefix(static_cast<size_t>(end - line.data()));
    numbers.push_back(number);
  }
  if (numbers.size() != count) return std::nullopt;
  return numbers;
}

contract::WorkerCall worker_call(const HostCall& host, const contract::Attempt& attempt, int64_t rank) {
  contract::WorkerCall call;
  call.verb = contract::WorkerVerb::Train;
  call.run_dir = host.run_dir;
  call.generation = host.generation;
  call.progress = attempt.progress(static_cast<int>(rank));
  call.place = {rank, host.ranks, host.rendezvous, host.host};
  return call;
}

}  // namespace

std::string to_line(const HostCall& call) {
  const nlohmann::ordered_json json{{"version", HostCall::kVersion}, {"run_dir", call.run_dir.string()},
                                    {"generation", call.generation}, {"host", call.host},
                                    {"first_rank", call.first_rank}, {"num_here", call.num_here},
                                    {"ranks", call.ranks},           {"rendezvous", call.rendezvous},
                                    {"token", call.token},           {"keeps_memory", call.keeps_memory}};
  return json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<HostCall> parse_host_call(std::string_view line) {
  try {
    const auto json = nlohmann::json::parse(line);
    if (const int version = json.at("version"); version != HostCall::kVersion)
      return fail(
          ErrorCode::Unsupported,
          fmt::format(
              "the launcher speaks version {} and this host's zoetrope version {}: install the same one on "
              "all hosts",
              version, HostCall::kVersion));
    HostCall call;
    call.run_dir = json.at("run_dir").get<std::string>();
    call.generation = json.at("generation");
    call.host = json.at("host");
    call.first_rank = json.at("first_rank");
    call.num_here = json.at("num_here");
    call.ranks = json.at("ranks");
    call.rendezvous = json.at("rendezvous");
    call.token = json.at("token");
    call.keeps_memory = json.at("keeps_memory");
    if (call.first_rank < 0 || call.num_here < 1 || call.num_here > call.ranks - call.first_rank)
      return fail(ErrorCode::Corrupt, "a launcher's call with ranks that are not possible");
    return call;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a launcher's call: {}", json_reason(e)));
  }
}

Result<WorkerSession> session_of(const HostCall& call) {
  auto run = contract::RunFolder::open(call.run_dir);
  if (!run)
    return fail(
        std::move(run.error())
            .with("all hosts must see the run folder under the same path, on a disk that they share"));
  ZT_TRY_ASSIGN(const contract::Attempt attempt, run->attempt(call.generation));
  WorkerSession session;
  session.rendezvous_token = call.token;
  session.keeps_memory = call.keeps_memory;
  session.call = worker_call(call, attempt, call.first_rank);
  session.log = attempt.log(static_cast<int>(call.first_rank));
  for (int64_t i = 1; i < call.num_here; ++i) {
    const int64_t rank = call.first_rank + i;
    session.others.push_back({worker_call(call, attempt, rank), attempt.log(static_cast<int>(rank))});
  }
  return session;
}

std::string signal_line(int signal) { return fmt::format("{} {}\n", kSignal, signal); }

std::optional<int> parse_signal_line(std::string_view line) {
  const auto numbers = numbers_behind(kSignal, line, 1);
  if (!numbers) return std::nullopt;
  return numbers->front();
}

std::string leave_line() { return fmt::format("{}\n", kLeave); }

bool is_leave_line(std::string_view line) { return line == kLeave; }

std::string to_line(const StartOrder& order) {
  return fmt::format("{} {} {} {}\n", kStart, order.rank, order.generation, order.number);
}

std::optional<StartOrder> parse_start_order(std::string_view line) {
  const auto numbers = numbers_behind(kStart, line, 3);
  if (!numbers) return std::nullopt;
  return StartOrder{(*numbers)[0], (*numbers)[1], (*numbers)[2]};
}

std::string to_line(const AgentWord& word) {
  if (!word.exit) return fmt::format("{} {}\n", kStarted, word.rank);
  return fmt::format("{} {} {} {}\n", word.has_hung ? kHung : kEnded, word.rank, word.exit->code,
                     word.exit->signal);
}

std::optional<AgentWord> parse_agent_word(std::string_view line) {
  if (const auto started = numbers_behind(kStarted, line, 1)) return AgentWord{started->front()};
  const auto hung = numbers_behind(kHung, line, 3);
  const auto ended = hung ? hung : numbers_behind(kEnded, line, 3);
  if (!ended) return std::nullopt;
  return AgentWord{(*ended)[0], process::Exit{(*ended)[1], (*ended)[2]}, hung.has_value()};
}

std::string news_line(std::string_view text) { return fmt::format("{}{}\n", kNews, text); }

std::optional<std::string> parse_news_line(std::string_view line) {
  if (!line.starts_with(kNews)) return std::nullopt;
  return std::string(line.substr(kNews.size()));
}

}  // namespace zt::cli
