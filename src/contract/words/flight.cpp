// SPDX-License-Identifier: Apache-2.0
#include "contract/words/flight.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files/files.hpp"
#include "base/text/json_reason.hpp"
#include "base/text/text.hpp"
#include "contract/internal/json_number.hpp"

namespace zt::contract {
namespace {

using nlohmann::json;
constexpr std::string_view kFormat = "zoetrope-flight";
constexpr int kVersion = 1;
constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;
constexpr std::array<std::string_view, 3> kStates = {"started", "complete", "failed"};

std::string line_of(const FlightExchange& e) {
  const nlohmann::ordered_json j = {
      {"group", e.group},       {"seq", e.sequence},        {"op", e.operation},
      {"label", e.label},       {"bytes", e.bytes},         {"print", e.fingerprint},
      {"state", name(e.state)}, {"started_s", e.started_s}, {"ended_s", e.ended_s}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string head_of(const Flight& f) {
  const nlohmann::ordered_json j = {{"format", kFormat}, {"version", kVersion}, {"generation", f.generation},
                                    {"rank", f.rank},    {"groups", f.groups},  {"host", f.host},
                                    {"step", f.step},    {"doing", f.doing},    {"reason", f.reason},
                                    {"time_s", f.time_s}};
  return j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

/// Throws what nlohmann throws.
FlightExchange exchange_of(const json& j) {
  FlightExchange e;
  e.group = j.at("group");
  e.sequence = internal::whole<uint64_t>(j.at("seq"));
  e.operation = j.at("op");
  e.label = j.at("label");
  e.bytes = internal::whole<int64_t>(j.at("bytes"));
  e.fingerprint = internal::whole<uint32_t>(j.at("print"));
  const std::string state = j.at("state");
  for (size_t i = 0; i < kStates.size(); ++i)
    if (state == kStates[i]) e.state = static_cast<ExchangeState>(i);
  e.started_s = j.at("started_s");
  e.ended_s = j.at("ended_s");
  return e;
}

Flight flight_of(const json& j) {
  Flight f;
  f.generation = internal::whole<int64_t>(j.at("generation"));
  f.rank = internal::whole<int64_t>(j.at("rank"));
  for (const auto& [group, members] : j.at("groups").items())
    for (const json& member : members) f.groups[group].push_back(internal::whole<int64_t>(member));
  f.host = j.at("host");
  f.step = internal::whole<int64_t>(j.at("step"));
  f.doing = j.at("doing");
  f.reason = j.at("reason");
  f.time_s = j.at("time_s");
  return f;
}

/// Nothing below a list of numbers, so that no depth of nesting costs anything.
std::optional<json> shallow_object(std::string_view line) {
  const auto is_shallow = [](int depth, json::parse_event_t, json&) { return depth <= 3; };
  json j = json::parse(line, is_shallow, /*allow_exceptions=*/false);
  return j.is_object() ? std::optional(std::move(j)) : std::nullopt;
}

}  // namespace

std::string_view name(ExchangeState state) { return kStates[static_cast<size_t>(state)]; }

Status write_flight(const std::filesystem::path& path, const Flight& flight) {
  std::string text = head_of(flight);
  for (const FlightExchange& exchange : flight.exchanges) text += line_of(exchange);
  return files::write_atomic(path, text);
}

Result<Flight> read_flight(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(path, kMaxFileBytes));
  const std::vector<std::string> lines = text::split(text, '\n');
  const std::optional<json> head = lines.empty() ? std::nullopt : shallow_object(lines.front());
  Flight flight;
  try {
    if (!head || head->at("format") != kFormat)
      return fail(ErrorCode::Corrupt, path.string() + " does not begin as a flight record");
    if (head->at("version") != kVersion)
      return fail(ErrorCode::Unsupported, fmt::format("{} is of version {}, this program reads version {}",
                                                      path.string(), head->at("version").dump(), kVersion));
    flight = flight_of(*head);
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, path.string() + ": " + json_reason(e));
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::optional<json> line = shallow_object(lines[i]);
    if (!line) continue;
    try {
      flight.exchanges.push_back(exchange_of(*line));
    } catch (const std::exception&) {  // a torn or foreign line says nothing
      continue;
    }
  }
  return flight;
}

}  // namespace zt::contract
