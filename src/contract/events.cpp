// SPDX-License-Identifier: Apache-2.0
#include "contract/events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <tuple>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "contract/internal/json_number.hpp"

namespace zt::contract {
namespace {

using nlohmann::json;
constexpr int kVersion = 1;
constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;
constexpr size_t kMaxLineBytes = size_t{1} << 20;
constexpr int kMaxDepth = 8;

// One listing per type: its fields in the file's order. Writing and reading both walk it.
template <class V>
void fields(V& v, AttemptStarted& e) {
  v("host", e.host), v("pid", e.pid), v("world_size", e.world_size), v("threads", e.threads),
      v("device", e.device);
  v("from_step", e.from_step), v("checkpoint", e.checkpoint);
}
template <class V>
void fields(V& v, AttemptReady& e) {
  v("seconds", e.seconds), v("trainable_parameters", e.trainable_parameters);
  v("frozen_parameters", e.frozen_parameters);
}
template <class V>
void fields(V& v, AttemptFinished& e) {
  v("step", e.step), v("outcome", e.outcome), v("exit_code", e.exit_code), v("error_code", e.error_code);
  v("message", e.message);
}
template <class V>
void fields(V& v, StopRequested& e) {
  v("step", e.step), v("signal", e.signal);
}
template <class V>
void fields(V& v, CheckpointSaved& e) {
  v("step", e.step), v("name", e.name), v("bytes", e.bytes), v("stall_s", e.stall_s), v("write_s", e.write_s);
}
template <class V>
void fields(V& v, CheckpointRemoved& e) {
  v("step", e.step), v("name", e.name);
}
template <class V>
void fields(V& v, CheckpointRefused& e) {
  v("step", e.step), v("name", e.name), v("reason", e.reason);
}
template <class V>
void fields(V& v, StateRestored& e) {
  v("step", e.step), v("tiers", e.tiers), v("seconds", e.seconds);
}
template <class V>
void fields(V& v, ValidationDone& e) {
  v("step", e.step), v("loss", e.loss), v("is_best", e.is_best), v("seconds", e.seconds);
}
template <class V>
void fields(V& v, SampleWritten& e) {
  v("step", e.step), v("path", e.path), v("what", e.what);
}
template <class V>
void fields(V& v, StepSkipped& e) {
  v("step", e.step), v("reason", e.reason), v("loss_scale", e.loss_scale);
}
template <class V>
void fields(V& v, ScheduleChanged& e) {
  v("step", e.step), v("total_steps", e.total_steps), v("reason", e.reason);
}
template <class V>
void fields(V& v, FaultFound& e) {
  v("step", e.step), v("rank", e.rank), v("host", e.host), v("cause", e.cause), v("what", e.what);
  v("action", e.action);
}
template <class V>
void fields(V& v, Warning& e) {
  v("component", e.component), v("message", e.message);
}
template <class V>
void fields(V&, UnknownEvent&) {}

// Names in the order of EventBody's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<EventBody>> kTypeNames = {
    "attempt_started",    "attempt_ready",      "attempt_finished", "stop_requested",  "checkpoint_saved",
    "checkpoint_removed", "checkpoint_refused", "state_restored",   "validation_done", "sample_written",
    "step_skipped",       "schedule_changed",   "fault_found",      "warning",         ""};

// JSON has no NaN or infinity: they are written as strings.
json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

struct FieldWriter {
  nlohmann::ordered_json& out;
  void operator()(const char* key, double value) { out[key] = number(value); }
  template <class T>
  void operator()(const char* key, const T& value) {
    out[key] = value;
  }
};

// A field that is absent keeps its default: the line may come from an older program. A wrong type throws.
struct FieldReader {
  const json& in;
  void operator()(const char* key, double& value) {
    const auto it = in.find(key);
    if (it == in.end()) return;
    if (!it->is_string()) {
      value = it->get<double>();
      return;
    }
    constexpr double kInf = std::numeric_limits<double>::infinity();
    const auto text = it->get<std::string>();
    value = text == "inf" ? kInf : text == "-inf" ? -kInf : std::numeric_limits<double>::quiet_NaN();
  }
  template <class T>
  void operator()(const char* key, T& value) {
    const auto it = in.find(key);
    if (it == in.end()) return;
    if constexpr (std::integral<T> && !std::same_as<T, bool>)
      value = internal::whole<T>(*it);
    else
      value = it->get<T>();
  }
};

template <size_t I = 0>
EventBody parse_body(const json& j, const std::string& type) {
  if constexpr (I + 1 < std::variant_size_v<EventBody>) {
    if (type != kTypeNames[I]) return parse_body<I + 1>(j, type);
    std::variant_alternative_t<I, EventBody> body;
    FieldReader reader{j};
    fields(reader, body);
    return body;
  } else {
    return UnknownEvent{type};
  }
}

std::optional<Event> parse_line(std::string_view line, const internal::SegmentFile& file) {
  if (line.size() > kMaxLineBytes) return std::nullopt;
  try {
    const auto depth_limit = [](int depth, json::parse_event_t, json&) {
      if (depth > kMaxDepth) throw std::runtime_error("nested too deeply");
      return true;
    };
    const json j = json::parse(line, depth_limit);
    Event event;
    event.generation = file.generation;
    event.writer = file.writer;
    event.sequence = internal::whole<decltype(event.sequence)>(j.at("seq"));
    event.time = j.at("time");
    const std::string type = j.at("type");
    event.body =
        internal::whole<int64_t>(j.at("v")) == kVersion ? parse_body(j, type) : EventBody(UnknownEvent{type});
    event.json = line;
    return event;
  } catch (const std::exception&) {  // third-party leaf: a damaged line is counted by the caller
    return std::nullopt;
  }
}

Status read_file(const internal::SegmentFile& file, EventLog& log) {
  ZT_TRY_ASSIGN(const std::string text, files::read_regular(file.path, kMaxFileBytes));
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    auto event = end == std::string_view::npos ? std::nullopt : parse_line(rest.substr(0, end), file);
    if (event) {
      log.events.push_back(std::move(*event));
    } else {
      ++log.dropped_lines;
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return {};
}

// The step of an event that a later generation replaces when it repeats the step; none for events about an
// attempt.
std::optional<int64_t> repeatable_step(const EventBody& body) {
  if (const auto* e = std::get_if<CheckpointSaved>(&body)) return e->step;
  if (const auto* e = std::get_if<ValidationDone>(&body)) return e->step;
  if (const auto* e = std::get_if<SampleWritten>(&body)) return e->step;
  if (const auto* e = std::get_if<StepSkipped>(&body)) return e->step;
  return std::nullopt;
}

void drop_repeated_steps(std::vector<Event>& events) {
  std::map<std::pair<size_t, int64_t>, int64_t> newest;  // (type, step) -> highest generation
  for (const auto& e : events) {
    if (const auto step = repeatable_step(e.body)) {
      auto& generation = newest[{e.body.index(), *step}];
      generation = std::max(generation, e.generation);
    }
  }
  std::erase_if(events, [&](const Event& e) {
    const auto step = repeatable_step(e.body);
    return step && newest[{e.body.index(), *step}] != e.generation;
  });
}

}  // namespace

std::string_view type_name(const EventBody& body) {
  const auto* unknown = std::get_if<UnknownEvent>(&body);
  return unknown ? std::string_view(unknown->type) : kTypeNames[body.index()];
}

Result<EventWriter> EventWriter::create(const std::filesystem::path& events_folder, int64_t generation,
                                        std::string_view writer) {
  ZT_TRY_ASSIGN(auto file,
                internal::AppendFile::create(events_folder, generation, writer, internal::kEventExtension));
  return EventWriter(std::move(file));
}

Status EventWriter::write(const EventBody& body) {
  ZT_TRY(file_.make_room());
  nlohmann::ordered_json j;
  j["v"] = kVersion;
  j["seq"] = sequence_;
  j["time"] = clock::utc_now();
  j["type"] = type_name(body);
  FieldWriter writer{j};
  std::visit([&](auto copy) { fields(writer, copy); }, body);
  ++sequence_;
  return file_.append(j.dump(-1, ' ', false, json::error_handler_t::replace) + "\n");
}

Status EventWriter::sync() { return file_.sync(); }

Result<EventLog> read_events(const std::filesystem::path& events_folder) {
  EventLog log;
  for (const auto& file : internal::list_segments(events_folder, internal::kEventExtension))
    ZT_TRY(read_file(file, log));
  std::sort(log.events.begin(), log.events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.generation, a.sequence, a.writer) < std::tie(b.generation, b.sequence, b.writer);
  });
  drop_repeated_steps(log.events);
  return log;
}

}  // namespace zt::contract
