// SPDX-License-Identifier: Apache-2.0
// Progress words: what a rank is doing now, in one mapped page that its launcher watches. Format:
// docs/formats/progress.md. The worker publishes; `zoetrope` draws. A reader never blocks a writer, and a
// writer that dies in the middle of an update leaves the state before it readable.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt::contract {

enum class Phase : uint32_t {
  Starting,
  Loading,
  Caching,
  Training,
  Validating,
  Saving,
  Generating,
  Evaluating,
  Finished
};
/// "training", "saving"...
std::string_view name(Phase phase);

/// What of its phase it is, published at every transition of the schedule.
enum class Activity : uint32_t {
  None,  ///< the phase says it
  Data,  ///< waits for samples
  Forward,
  Backward,
  Exchange,  ///< waits for the other ranks
  Optimizer
};
/// "forward", "exchange"...; empty for None.
std::string_view name(Activity activity);

struct Progress {
  int64_t generation = 0;
  int64_t pid = 0;
  Phase phase = Phase::Starting;
  int64_t step = 0;                                        ///< finished steps of the phase's work
  int64_t total_steps = 0;                                 ///< 0 = not known
  double loss = std::numeric_limits<double>::quiet_NaN();  ///< NaN = none yet
  double samples_per_s = 0;
  double eta_s = std::numeric_limits<double>::quiet_NaN();  ///< NaN = not known
  double heartbeat_s = 0;                                   ///< Unix time of the update; set by publish()
  std::string action;  ///< short text, e.g. "vae decode"; cut at 63 bytes

  Activity activity = Activity::None;
  std::string unit;         ///< at work, or what is exchanged ("unit.7 gradients"); cut at 63 bytes
  uint64_t exchange = 0;    ///< number of the exchange that is waited for, as its group counts; 0 = none
  double limit_s = 0;       ///< a longer silence of these words than this is a hang; 0 = not judged
  double stop_limit_s = 0;  ///< a process that is stopped (SIGSTOP) for longer hangs; 0 = not judged
};

/// What it does, for messages: "backward", "exchange unit.7 gradients", "saving".
std::string doing(const Progress& progress);

/// Threads: one caller at a time. Cost: a few hundred bytes copied, no system call but the clock.
class ProgressWriter {
 public:
  /// Makes the page, or takes over the one the launcher made.
  static Result<ProgressWriter> open(const std::filesystem::path& path);
  ProgressWriter(ProgressWriter&& other) noexcept;
  ProgressWriter& operator=(ProgressWriter&&) = delete;
  ~ProgressWriter();
  void publish(const Progress& progress);

 private:
  ProgressWriter(void* page, uint64_t sequence) : page_(page), sequence_(sequence) {}
  void* page_;
  uint64_t sequence_;
};

/// The newest complete state; none if the file is absent, too short, of an unknown version, or holds no valid
/// state. A page of version 1 says nothing of activities. Never maps the file: one that is cut short under
/// the reader is harmless.
std::optional<Progress> read_progress(const std::filesystem::path& path);

/// A sample that a rank is reading or training on.
struct SampleInHand {
  uint64_t number = 0;      ///< global
  int64_t clip = 0;         ///< position among the clips of data.splits
  bool is_in_step = false;  ///< trained on; else a thread reads it
  auto operator<=>(const SampleInHand&) const = default;
};

/// Which samples a rank has in hand, in the same page, for whoever looks for what killed it.
/// Threads: any. Cost: no system call.
class SamplesInHand {
 public:
  static constexpr size_t kMost = 128;  ///< more are not noted

  /// Of a process that begins: nothing is in hand. Makes the page, or takes over the one that is there.
  static Result<std::unique_ptr<SamplesInHand>> open(const std::filesystem::path& path);
  SamplesInHand(const SamplesInHand&) = delete;
  SamplesInHand& operator=(const SamplesInHand&) = delete;
  ~SamplesInHand();
  void take(SampleInHand sample);
  /// What was taken, once; else nothing happens.
  void put_back(SampleInHand sample);

 private:
  explicit SamplesInHand(void* page) : page_(page) {}
  std::mutex mutex_;
  void* page_;
  std::array<std::optional<SampleInHand>, kMost> places_;
};

/// What it had in hand when it ended, or has now. None if nothing is known.
std::set<SampleInHand> read_samples_in_hand(const std::filesystem::path& path);

}  // namespace zt::contract
