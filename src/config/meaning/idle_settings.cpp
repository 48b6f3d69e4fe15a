// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/idle_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "config/paths.hpp"
#include "config/trained_as_file.hpp"

namespace zt::config {
namespace {

void note_if(bool is_idle, std::string_view setting, std::string_view beside,
             std::vector<std::string>& lines) {
  if (is_idle) lines.push_back(fmt::format("{} has no effect with {}", setting, beside));
}

/// Of all keys that are idle, those that somebody wrote.
template <class IsIdle>
void note_written(const Origins& origins, std::string_view beside, std::vector<std::string>& lines,
                  IsIdle is_idle) {
  std::vector<std::string> written;
  for (const auto& [key, origin] : origins)
    if (is_idle(key) && !is_default_origin(origin)) written.push_back(key);
  if (written.empty()) return;
  lines.push_back(fmt::format("{} {} no effect with {}", text::join(written, ", "),
                              written.size() == 1 ? "has" : "have", beside));
}

/// What counts where eval judges files.
constexpr std::array<std::string_view, 5> kOfResults = {"results", "truths", "masks", "backgrounds",
                                                        "mask_threshold"};

/// How poses are drawn, as somebody wrote it: what the run or the folder of weights says is no wish.
Origins drawing_wishes(const Resolved<GenerateJob>& resolved) {
  const std::string of_weights = trained_as_file(resolved.job.weights).string();
  Origins wishes;
  for (const char* key : {"pose_style", "draw_hands", "draw_face"}) {
    const auto found = resolved.origins.find(key);
    if (found == resolved.origins.end()) continue;
    const std::string& origin = found->second;
    if (!origin.starts_with("run ") && origin != of_weights) wishes.insert(*found);
  }
  return wishes;
}

}  // namespace

std::vector<std::string> idle_settings(const TrainJob& job) {
  const ParallelJob& parallel = job.parallel;
  std::vector<std::string> lines;
  const ScheduleJob& schedule = job.schedule;
  note_if(schedule.prediction_type == PredictionType::Sample && schedule.snr_gamma > 0 &&
              schedule.min_snr_variant != MinSnrVariant::None,
          "the loss of the noisiest timesteps, where sampling starts,",
          fmt::format("schedule.min_snr_variant: {} and prediction_type: sample, whose weights vanish there "
                      "(none weighs all alike)",
                      name(schedule.min_snr_variant)),
          lines);
  note_if(job.checkpoint.memory_peer && job.checkpoint.memory_every_steps == 0,
          "checkpoint.memory_peer: true", "checkpoint.memory_every_steps: 0", lines);
  const int64_t highest = highest_stage(parallel);
  const std::string stage = fmt::format("parallel.zero_stage: {}", highest);
  note_if(parallel.accumulation == Accumulation::Parts && highest < 2, "parallel.accumulation: parts", stage,
          lines);
  note_if(!parallel.keep_whole.empty() && highest < 3, "parallel.keep_whole", stage, lines);
  note_if(parallel.keep_whole_if_faster && highest < 3, "parallel.keep_whole_if_faster: true", stage, lines);
  note_if(parallel.shard_ranks > 0 && highest == 0, "parallel.shard_ranks", stage, lines);
  return lines;
}

std::vector<std::string> idle_settings(const GenerateJob& job) {
  std::vector<std::string> lines;
  const ContextJob& context = job.context;
  const bool is_better = context.mode == ContextMode::Better;
  note_if(is_better && context.stride > 1, fmt::format("context.stride: {}", context.stride),
          "context.mode: better", lines);
  note_if(is_better && context.closed_loop, "context.closed_loop: true", "context.mode: better", lines);
  note_if(job.guidance_rescale > 0 && job.guidance_scale <= 1, "guidance_rescale",
          "a guidance_scale of 1 or less", lines);
  note_if(!job.reference_keypoints.empty() && !job.align, "reference_keypoints", "align: false", lines);
  return lines;
}

std::vector<std::string> idle_settings(const Resolved<GenerateJob>& resolved) {
  std::vector<std::string> lines = idle_settings(resolved.job);
  if (!resolved.job.run.empty())
    note_written(resolved.origins, "run", lines, [](const std::string& key) {
      return key.starts_with("model.") || key.starts_with("schedule.");
    });
  const std::string& pose = resolved.job.pose;
  if (!pose.empty() && !files::is_absent(pose) && !holds_keypoints(pose))
    note_written(drawing_wishes(resolved), "a video of drawn poses", lines,
                 [](const std::string&) { return true; });
  return lines;
}

std::vector<std::string> idle_settings(const Resolved<EvalJob>& resolved) {
  std::vector<std::string> lines;
  if (!resolved.job.results.empty())
    note_written(resolved.origins, "results", lines, [](const std::string& key) {
      return std::ranges::find(kOfResults, key) == kOfResults.end();
    });
  return lines;
}

}  // namespace zt::config
