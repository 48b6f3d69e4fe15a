// SPDX-License-Identifier: Apache-2.0
// See validation_clips.hpp.
#include "train/validation_clips.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "contract/checkpoint_folder.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/load_sample.hpp"
#include "generate/pictures/panels.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "image/file.hpp"
#include "image/image.hpp"
#include "tensor/pictures.hpp"
#include "train/pass/validation.hpp"

namespace zt::train {
namespace {

struct Panels {
  std::vector<generate::PanelRow> rows;
  media::Rational fps{8, 1};
};

/// The clip of validation sample i from its first frame on.
Result<data::SamplePlan> clip_plan(const Setup& setup, int64_t i) {
  const data::SamplePlanOptions options = validation_plan(setup.job);
  ZT_TRY_ASSIGN(data::SamplePlan plan,
                data::plan_sample(options, setup.validation_clips, static_cast<uint64_t>(i)));
  const int64_t wanted = setup.job.stage == 1 ? 1 : setup.job.validation.num_frames;
  const int64_t total = setup.validation_clips.clips[plan.clip].num_frames;
  plan.reference_frame = 0;
  plan.target_frames.resize(static_cast<size_t>(std::min(wanted, total)));
  // A single picture is taken from the clip's end, where the pose has moved away from the reference's.
  std::iota(plan.target_frames.begin(), plan.target_frames.end(), setup.job.stage == 1 ? total - 1 : 0);
  return plan;
}

Result<at::Tensor> generate_clip(const StepNetworks& nets, const ForwardRules& rules, Setup& setup,
                                 const prepare::EncodedSample& sample, Journal& journal) {
  const config::ValidationJob& job = setup.job.validation;
  ZT_TRY_ASSIGN(const diffusion::DdimSampler sampler,
                generate::make_sampler(
                    setup.job.schedule,
                    {.steps = job.steps, .spacing = job.timestep_spacing, .betas = job.beta_schedule}));
  generate::SampleInput input;
  input.reference_latents_CHW =
      (sample.reference.mean_CHW * setup.encoders.codec->scaling()).to(setup.device);
  input.image_embedding_D = sample.embedding_D.to(setup.device);
  input.pose = generate::pose_frames(sample.pose_3FHW.to(at::kFloat).div(255));
  input.num_frames = sample.pose_3FHW.size(1);
  generate::SampleOptions options;
  options.guidance_scale = job.guidance_scale;
  options.seed = job.seed;
  options.same_noise_per_frame = job.same_noise_per_frame;
  options.context.frames = setup.job.stage == 1 ? 1 : setup.job.data.n_sample_frames;
  options.context.overlap = std::min(options.context.overlap, options.context.frames - 1);
  options.bank_dtype = setup.job.precision.bank_dtype;
  options.dtype = setup.job.precision.mixed_precision;
  if (!rules.trains_reference_net) options.reference_autocast = rules.frozen_autocast;
  if (!rules.trains_pose_guider) options.guider_autocast = rules.frozen_autocast;
  options.one_by_one = setup.ranks.shares_values();
  options.on_step = [&](size_t, const at::Tensor&) {
    journal.progress(contract::Phase::Validating, "clips");
    setup.ranks.say_alive();
  };
  const generate::Networks networks{nets.reference_net, nets.denoising_unet, nets.pose_guider};
  ZT_TRY_ASSIGN(const at::Tensor latents_CFHW, generate::sample_latents(networks, sampler, input, options));
  return generate::decode_clip(*setup.encoders.codec, latents_CFHW);
}

Result<Panels> make_panels(const StepNetworks& nets, const ForwardRules& rules, Setup& setup, int64_t i,
                           Journal& journal) {
  ZT_TRY_ASSIGN(const data::SamplePlan plan, clip_plan(setup, i));
  ZT_TRY_ASSIGN(const prepare::EncodedSample sample, setup.validation_encoder->encode(plan));
  ZT_TRY_ASSIGN(const at::Tensor pictures_FCHW, generate_clip(nets, rules, setup, sample, journal));
  data::LoadSampleOptions load = setup.load;
  load.parts = {.reference = true, .reference_whole = false, .targets = true, .poses = true};
  ZT_TRY_ASSIGN(const data::Sample truth, data::load_sample(setup.validation_clips, plan, load));
  Panels panels;
  const data::ClipRecord& clip = setup.validation_clips.clips[plan.clip];
  if (clip.fps_num > 0) panels.fps = {clip.fps_num, clip.fps_den};
  std::vector<image::Image> results;
  for (int64_t f = 0; f < pictures_FCHW.size(0); ++f) results.push_back(tensor::to_picture(pictures_FCHW[f]));
  panels.rows = generate::panel_rows(truth, results);
  return panels;
}

}  // namespace

Status write_validation_clips(const StepNetworks& nets, const ForwardRules& rules, Setup& setup,
                              const std::filesystem::path& folder, Journal& journal) {
  std::error_code ignored;
  std::filesystem::create_directory(folder, ignored);  // not the run's own folder, if that is gone
  const int64_t step = setup.cursor.step;
  const std::string stem = contract::checkpoint_name(step);
  const auto announce = [&](const std::string& name, const char* what) {
    journal.event(contract::SampleWritten{step, "samples/" + name, what});
  };
  std::vector<image::Image> rows;
  for (int64_t i = 0; i < setup.job.validation.num_clips; ++i) {
    const Result<Panels> panels = make_panels(nets, rules, setup, i, journal);
    if (!panels && !data::is_fault_of_clip(panels.error())) return fail(panels.error());
    if (!panels) {
      log::warn("train", "validation clip " + std::to_string(i) + " left out: " + panels.error().text());
      continue;
    }
    rows.insert(rows.end(), panels->rows.back().begin(), panels->rows.back().end());
    if (panels->rows.size() == 1) continue;
    const std::string name = stem + "-clip" + std::to_string(i) + ".mp4";
    if (const Status written = generate::write_panels(folder / name, panels->rows, {.fps = panels->fps}))
      announce(name, "clip");
    else
      log::warn("train", "validation clip not written: " + written.error().text());
  }
  if (rows.empty()) return {};
  const image::Image grid = image::grid(rows, {.columns = 4, .padding = generate::kPanelPadding});
  if (const Status written = image::write_png(folder / (stem + ".png"), grid))
    announce(stem + ".png", "grid");
  else
    log::warn("train", "validation grid not written: " + written.error().text());
  return {};
}

}  // namespace zt::train
