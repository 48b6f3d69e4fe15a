// SPDX-License-Identifier: Apache-2.0
#include "data/from_job.hpp"

#include <filesystem>
#include <memory>
#include <utility>

#include "base/process/resources.hpp"
#include "config/paths.hpp"
#include "data/ingest/meta_list.hpp"
#include "media/frame_tables.hpp"

namespace zt::data {

Result<ClipIndex> open_clips(const config::DataJob& job) {
  ZT_TRY(config::require_data(job));
  const std::vector<std::filesystem::path> lists(job.meta_paths.begin(), job.meta_paths.end());
  ZT_TRY_ASSIGN(ClipIndex index,
                job.index.empty() ? index_meta_lists(lists, decode_threads(job)) : read_index(job.index));
  return select_splits(std::move(index), job.splits);
}

SamplePlanOptions plan_options(const config::DataJob& job, int64_t stage, uint64_t seed) {
  SamplePlanOptions plan;
  plan.seed = seed;
  plan.width = static_cast<int>(job.width);
  plan.height = static_cast<int>(job.height);
  if (stage == 1 && job.crop_mode == CropMode::PerStream) std::swap(plan.width, plan.height);
  plan.num_frames = stage == 1 ? 1 : static_cast<int>(job.n_sample_frames);
  plan.sample_rate = static_cast<int>(job.sample_rate);
  plan.margin = static_cast<int>(job.sample_margin);
  plan.crop_mode = job.crop_mode;
  plan.crop = {job.crop_scale.at(0), job.crop_scale.at(1), job.crop_ratio.at(0), job.crop_ratio.at(1)};
  plan.crop_variants = job.crop_variants;
  return plan;
}

DrawOptions draw_options(const config::PoseDrawing& job) {
  DrawOptions draw;
  draw.style = job.pose_style;
  draw.hands = job.draw_hands;
  draw.face = job.draw_face;
  return draw;
}

LoadSampleOptions load_options(const config::DataJob& job, const SamplePlanOptions& plan) {
  LoadSampleOptions options;
  options.width = plan.width;
  options.height = plan.height;
  options.draw = draw_options(job);
  options.budget = std::make_shared<DecodeBudget>(static_cast<uint64_t>(job.decode_memory_mib) << 20);
  options.tables = std::make_shared<media::FrameTables>();
  return options;
}

size_t decode_threads(const config::DataJob& job) {
  return static_cast<size_t>(job.decode_threads > 0 ? job.decode_threads : resources::cores());
}

}  // namespace zt::data
