// SPDX-License-Identifier: Apache-2.0
// Typed events of a run: one JSON object per line, append-only, one writer per file
// (events/<generation>.<writer>.jsonl). Together they are the truth for tracking, reports and the question
// why. Format: docs/formats/events.md. Numbers of every step go to metrics (contract/metrics.hpp), text for
// people to the log.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "contract/internal/append_file.hpp"

namespace zt::contract {

struct AttemptStarted {
  std::string host = {};
  int64_t pid = 0;
  int64_t world_size = 1;
  int64_t threads = 0;
  std::string device = {};      ///< "cpu", "cuda:0"
  int64_t from_step = 0;        ///< step of the checkpoint it goes on from; 0 for a fresh start
  std::string checkpoint = {};  ///< that checkpoint's name; empty for a fresh start
};
/// Loading is over; the first step follows.
struct AttemptReady {
  double seconds = 0;  ///< since the process started
  int64_t trainable_parameters = 0;
  int64_t frozen_parameters = 0;
};
struct AttemptFinished {
  int64_t step = 0;
  std::string outcome = {};  ///< "completed", "stopped" (on request, resumable), "failed"
  int64_t exit_code = 0;
  std::string error_code = {};  ///< name of the ErrorCode when failed
  std::string message = {};
};
struct StopRequested {
  int64_t step = 0;
  int64_t signal = 0;
};
struct CheckpointSaved {
  int64_t step = 0;
  std::string name = {};  ///< folder name under checkpoints/
  int64_t bytes = 0;
  double stall_s = 0;  ///< time the step loop was blocked
  double write_s = 0;
};
struct CheckpointRemoved {
  int64_t step = 0;
  std::string name = {};
};
/// A checkpoint could not be used and the loader fell back to the one before it.
struct CheckpointRefused {
  int64_t step = 0;
  std::string name = {};
  std::string reason = {};
};
/// The launch goes on from a step.
struct StateRestored {
  int64_t step = 0;
  std::string tiers = {};  ///< by rank: "rank 0 memory, rank 1 peer (held by rank 0)"; "disk (step-00000100)"
  double seconds = 0;      ///< of the first rank, from opening what it was read from until it was in place
};
struct ValidationDone {
  int64_t step = 0;
  double loss = 0;  ///< fixed-noise validation loss
  bool is_best = false;
  double seconds = 0;
};
struct SampleWritten {
  int64_t step = 0;
  std::string path = {};  ///< relative to the run folder
  std::string what = {};  ///< "clip", "grid"
};
/// An optimizer step was left out because a loss or gradient was not finite.
struct StepSkipped {
  int64_t step = 0;
  std::string reason = {};
  double loss_scale = 0;
};
/// The planned number of steps changed, e.g. because a time cap was reached.
struct ScheduleChanged {
  int64_t step = 0;
  int64_t total_steps = 0;
  std::string reason = {};
};
/// A fault was found and attributed.
struct FaultFound {
  int64_t step = 0;
  int64_t rank = -1;        ///< at fault; -1: none, or not known
  std::string host = {};    ///< its host
  std::string cause = {};   ///< "hang", "data", "model", "hardware"
  std::string what = {};    ///< what was seen, and where
  std::string action = {};  ///< what follows from it
};
struct Warning {
  std::string component = {};
  std::string message = {};
};
/// A type this program does not know: written by a newer one. Kept so that tools can show it.
struct UnknownEvent {
  std::string type;
};

using EventBody =
    std::variant<AttemptStarted, AttemptReady, AttemptFinished, StopRequested, CheckpointSaved,
                 CheckpointRemoved, CheckpointRefused, StateRestored, ValidationDone, SampleWritten,
                 StepSkipped, ScheduleChanged, FaultFound, Warning, UnknownEvent>;

struct Event {
  int64_t generation = 0;
  std::string writer;
  int64_t sequence = 0;  ///< 0, 1, 2... within a file
  std::string time;      ///< UTC, ISO 8601
  EventBody body;
  std::string json;  ///< the line as read
};

/// The type's name in the file, e.g. "checkpoint_saved".
std::string_view type_name(const EventBody& body);

/// Appends to one file. Threads: one caller at a time. A line is one write(2): a crash tears at most the last
/// one.
class EventWriter {
 public:
  /// Makes events/<generation>.<writer>.jsonl. Errors: AlreadyExists if there is one: a generation is never
  /// written twice.
  static Result<EventWriter> create(const std::filesystem::path& events_folder, int64_t generation,
                                    std::string_view writer);
  /// Errors: those of the file system. The event is kept then and written with the next; but where megabytes
  /// are kept already it is dropped.
  Status write(const EventBody& body);
  /// fsync: what was written survives a power loss.
  Status sync();

 private:
  explicit EventWriter(internal::AppendFile file) : file_(std::move(file)) {}
  internal::AppendFile file_;
  int64_t sequence_ = 0;
};

struct EventLog {
  std::vector<Event> events;  ///< by (generation, sequence, writer)
  int64_t dropped_lines = 0;  ///< torn or damaged lines that were left out
};

/// Merges every file of the folder; an absent folder gives an empty log. Where two generations hold the same
/// type at the same step, only the higher generation's events of that type and step are kept.
Result<EventLog> read_events(const std::filesystem::path& events_folder);

}  // namespace zt::contract
