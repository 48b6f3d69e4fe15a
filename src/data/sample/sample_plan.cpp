// SPDX-License-Identifier: Apache-2.0
#include "data/sample/sample_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/counter_rng.hpp"

namespace zt::data {
namespace {

// What a random number is for; the attempt is added in steps of kAttemptStep.
enum Purpose : uint64_t { kOrder = 1, kReplacement = 2, kFrames = 3, kCrop = 4, kVariant = 5 };
constexpr uint64_t kAttemptStep = 16;

CounterRng stream(const SamplePlanOptions& options, const SamplePlan& plan, Purpose purpose) {
  return {options.seed, purpose + kAttemptStep * plan.attempt, plan.sample};
}

Status check(const SamplePlanOptions& options, const ClipIndex& index) {
  const CropRule& crop = options.crop;
  if (index.clips.empty()) return fail(ErrorCode::InvalidArgument, "there is no clip to draw samples from");
  if (options.width < 1 || options.height < 1 || options.num_frames < 1 || options.sample_rate < 1 ||
      options.margin < 0 || options.crop_variants < 0)
    return fail(ErrorCode::InvalidArgument,
                fmt::format("a sample can't have size {} x {}, {} frames, stride {}, margin {}, {} crops",
                            options.width, options.height, options.num_frames, options.sample_rate,
                            options.margin, options.crop_variants));
  if (!(crop.scale_min > 0 && crop.scale_min <= crop.scale_max && crop.scale_max <= 1 && crop.ratio_min > 0 &&
        crop.ratio_min <= crop.ratio_max))
    return fail(ErrorCode::InvalidArgument,
                fmt::format("crop scale {}..{} must lie in (0, 1], crop ratio {}..{} above 0, each in order",
                            crop.scale_min, crop.scale_max, crop.ratio_min, crop.ratio_max));
  return {};
}

// The clip at this place of the endless order.
size_t ordered_clip(const SamplePlanOptions& options, const ClipIndex& index, const SamplePlan& plan) {
  const uint64_t size = index.clips.size();
  const uint64_t key = CounterRng(options.seed, kOrder, plan.epoch).next_u64();
  return permuted(plan.sample % size, size, key);
}

// Another clip than the broken one, if there is one.
size_t replacement(const SamplePlanOptions& options, const ClipIndex& index, const SamplePlan& plan,
                   size_t broken) {
  const size_t others = index.clips.size() - 1;
  if (others == 0) return broken;
  const auto drawn = static_cast<size_t>(stream(options, plan, kReplacement).below(others));
  return drawn < broken ? drawn : drawn + 1;
}

// Stage 1: a target far from the reference, as dance_image.py draws it: behind it if there is room, else
// before it. There a reference of just the margin has no room before it, and any frame is drawn (> 0).
int64_t distant_target(CounterRng& rng, int64_t total, int64_t reference, int64_t wanted_margin) {
  const int64_t margin = std::min(wanted_margin, total);
  const auto between = [&](int64_t low, int64_t high) {
    return low + static_cast<int64_t>(rng.below(static_cast<uint64_t>(high - low + 1)));
  };
  if (reference + margin < total) return between(reference + margin, total - 1);
  if (reference - margin >= 0) return between(0, reference - margin);
  return between(0, total - 1);
}

void draw_frames(const SamplePlanOptions& options, const ClipRecord& clip, SamplePlan& plan) {
  CounterRng rng = stream(options, plan, kFrames);
  const int64_t total = clip.num_frames;
  plan.reference_frame = static_cast<int64_t>(rng.below(static_cast<uint64_t>(total)));
  if (options.num_frames == 1) {
    plan.target_frames = {distant_target(rng, total, plan.reference_frame, options.margin)};
    return;
  }
  const int64_t span = std::min(total, int64_t{options.num_frames - 1} * options.sample_rate + 1);
  const auto start = static_cast<int64_t>(rng.below(static_cast<uint64_t>(total - span + 1)));
  plan.target_frames = clip_frames(total, start, options.num_frames, options.sample_rate);
}

NormBox draw_crop(CounterRng rng, int64_t width, int64_t height, const CropRule& rule) {
  const CropDraws draws{
      [&](double low, double high) { return rng.uniform(low, high); },
      [&](int64_t bound) { return static_cast<int64_t>(rng.below(static_cast<uint64_t>(bound))); }};
  return normalise(random_resized_crop(width, height, rule, draws), width, height);
}

void draw_crops(const SamplePlanOptions& options, const ClipRecord& clip, const CounterRng& rng,
                SamplePlan& plan) {
  if (options.crop_mode == CropMode::Whole) return;
  CropRule rule = options.crop;
  if (options.crop_mode == CropMode::Shared) {
    const double aspect = static_cast<double>(options.width) / options.height;
    rule.ratio_min *= aspect;
    rule.ratio_max *= aspect;
  }
  plan.crop = draw_crop(rng, clip.width, clip.height, rule);
  const bool is_pose_apart =
      options.crop_mode == CropMode::PerStream && clip.pose_width > 0 && clip.pose_height > 0;
  plan.pose_crop = is_pose_apart ? draw_crop(rng, clip.pose_width, clip.pose_height, rule) : plan.crop;
}

}  // namespace

void use_crop_variant(const SamplePlanOptions& options, const ClipIndex& index, int64_t variant,
                      SamplePlan& plan) {
  // Not of the run's seed: runs share the latents.
  draw_crops(options, index.clips[plan.clip], {/*seed=*/0, kVariant, static_cast<uint64_t>(variant)}, plan);
}

Result<SamplePlan> plan_sample(const SamplePlanOptions& options, const ClipIndex& index, uint64_t sample,
                               uint32_t attempt) {
  ZT_TRY(check(options, index));
  SamplePlan plan;
  plan.sample = sample;
  plan.epoch = sample / index.clips.size();
  plan.attempt = attempt;
  plan.clip = ordered_clip(options, index, plan);
  if (attempt > 0) plan.clip = replacement(options, index, plan, plan.clip);
  const ClipRecord& clip = index.clips[plan.clip];
  if (clip.num_frames < 1 || clip.width < 1 || clip.height < 1)
    return fail(ErrorCode::InvalidArgument, fmt::format("clip {} has no frames or no size", clip.id));
  draw_frames(options, clip, plan);
  CounterRng rng = stream(options, plan, kCrop);
  if (options.crop_variants == 0) {
    draw_crops(options, clip, rng, plan);
  } else {
    const uint64_t variant = rng.below(static_cast<uint64_t>(options.crop_variants));
    use_crop_variant(options, index, static_cast<int64_t>(variant), plan);
  }
  return plan;
}

uint64_t permuted(uint64_t i, uint64_t size, uint64_t key) {
  const int half = std::max(1, (static_cast<int>(std::bit_width(size - 1)) + 1) / 2);
  const uint64_t mask = (uint64_t{1} << half) - 1;
  const std::array<uint32_t, 2> keys{static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  // The network permutes [0, 4^half), which is less than four times as large; places outside are walked
  // through.
  do {
    uint64_t left = i >> half, right = i & mask;
    for (uint32_t round = 0; round < 8; ++round) {
      const uint32_t noise =
          philox4x32(keys, {static_cast<uint32_t>(right), static_cast<uint32_t>(half), round, 0})[0];
      const uint64_t mixed = left ^ (noise & mask);
      left = right;
      right = mixed;
    }
    i = left << half | right;
  } while (i >= size);
  return i;
}

std::vector<int64_t> clip_frames(int64_t total, int64_t start, int count, int rate) {
  const int64_t length = std::min(total, int64_t{count - 1} * rate + 1);
  std::vector<int64_t> frames;
  frames.reserve(static_cast<size_t>(count));
  // int() of numpy.linspace: start + i * step in float64, the last value exact.
  const double step = count > 1 ? static_cast<double>(length - 1) / (count - 1) : 0.0;
  for (int i = 0; i < count; ++i)
    frames.push_back(static_cast<int64_t>(i * step + static_cast<double>(start)));
  if (count > 1) frames.back() = start + length - 1;
  return frames;
}

}  // namespace zt::data
