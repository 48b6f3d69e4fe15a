// SPDX-License-Identifier: Apache-2.0
#include "generate/run_eval.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/process/resources.hpp"
#include "data/eval/choose_clips.hpp"
#include "data/eval/report.hpp"
#include "data/eval/truth.hpp"
#include "data/from_job.hpp"
#include "data/sample/clip_file.hpp"
#include "generate/budget.hpp"
#include "generate/load_run.hpp"
#include "generate/pictures/canvas.hpp"
#include "generate/pictures/panels.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "generate/reference.hpp"
#include "models/encoder_shapes.hpp"
#include "models/run_model.hpp"
#include "models/scalar_type.hpp"
#include "tensor/device.hpp"
#include "tensor/device_memory.hpp"
#include "tensor/from_entry.hpp"
#include "tensor/parallel.hpp"
#include "tensor/pictures.hpp"
#include "weights/safetensors.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;
using image::Image;
using quality::Metric;

constexpr const char* kReportFile = "eval.json";
constexpr std::string_view kEvalMemoryAdvice = "judge fewer frames of each clip (num_frames)";

/// What is generated from, and how.
struct Evaluation {
  files::Lock lock;  ///< of the folder
  const config::EvalJob& job;
  const Hooks& hooks;
  at::Device device;
  data::ClipIndex index;
  std::vector<data::EvalLeftOut> left_out;  ///< clips that were not chosen
  LoadedModel model;
  std::optional<LoadedModel> baseline;
  Canvas canvas;
  data::LoadSampleOptions load;
  fs::path folder;
};

/// The groups of the report while it grows; optional ones are undefined when not asked for.
struct Groups {
  data::EvalGroup generated{"generated", "with the clip's own first frame as reference", {}};
  data::EvalGroup wrong{
      "wrong_reference", "the same poses with another character's first frame as reference", {}};
  data::EvalGroup copied{"copy_reference", "the reference shown in every frame", {}};
  data::EvalGroup codec{"codec", "the truth encoded and decoded: what no network can exceed", {}};
  data::EvalGroup baseline{"baseline", "the same from the baseline run", {}};
};

data::LoadSampleOptions load_options(const config::DataJob& job) {
  data::LoadSampleOptions load;
  load.width = static_cast<int>(job.width);
  load.height = static_cast<int>(job.height);
  load.draw = data::draw_options(job);
  return load;
}

Result<data::ChosenClips> choose_clips(const config::EvalJob& job) {
  if (job.index.empty())
    return fail(ErrorCode::InvalidArgument,
                "index is not set: give the index of the clips to generate (--index)");
  ZT_TRY_ASSIGN(const data::ClipIndex index, data::read_index(job.index));
  const auto wanted = static_cast<size_t>(job.num_clips);
  auto chosen = data::choose_clips(index, job.splits, wanted);
  if (!chosen) return fail(std::move(chosen).error().with("while choosing clips of " + job.index));
  for (const data::EvalLeftOut& clip : chosen->left_out)
    log::warn("eval", fmt::format("clip {} left out: {}", clip.id, clip.reason));
  if (const size_t found = chosen->index.clips.size(); found < wanted)
    log::info("eval", fmt::format("clips={} of {} asked for: {} has no more in these splits", found, wanted,
                                  job.index));
  return chosen;
}

/// A clip that shows somebody else; nothing if all show the same.
std::optional<size_t> other_character(const data::ClipIndex& index, size_t clip) {
  const data::ClipRecord& own = index.clips[clip];
  for (size_t step = 1; step < index.clips.size(); ++step) {
    const size_t other = (clip + step) % index.clips.size();
    // Where characters are not numbered, another video counts as another character.
    const bool differs = own.character < 0 ? index.clips[other].video != own.video
                                           : index.clips[other].character != own.character;
    if (differs) return other;
  }
  return std::nullopt;
}

std::vector<Image> pictures_of(const Canvas& canvas, const at::Tensor& pictures_FChw) {
  std::vector<Image> pictures;
  for (int64_t f = 0; f < pictures_FChw.size(0); ++f) pictures.push_back(cut_out(canvas, pictures_FChw[f]));
  return pictures;
}

/// `trained`: how the run's networks were.
config::GenerationDtypes dtypes_for(const config::EvalJob& job, const config::PrecisionJob& trained) {
  return config::generation_dtypes(job.dtype, job.bank_dtype, trained, job.device == "cpu");
}

struct Generated {
  at::Tensor latents_CFHW;
  std::vector<Image> pictures;
};

/// The poses of `sample` with the reference of `character`, which is cropped as its clip is.
Result<Generated> generate_clip(const Evaluation& eval, const LoadedModel& model, const data::Sample& sample,
                                const data::Sample& character) {
  ZT_TRY_ASSIGN(const auto sampler, make_sampler(model.schedule, {.steps = eval.job.steps,
                                                                  .spacing = eval.job.timestep_spacing,
                                                                  .betas = eval.job.beta_schedule}));
  const EncodedReference encoded =
      encode_reference(model, character.reference, character.reference_whole, eval.canvas,
                       config::ClipResize::ShortestSide, eval.device);
  const SampleInput input{.reference_latents_CHW = encoded.latents_CHW,
                          .image_embedding_D = encoded.embedding_D,
                          .pose = pose_frames(place_poses(eval.canvas, sample.poses)),
                          .num_frames = static_cast<int64_t>(sample.poses.size())};
  SampleOptions options;
  options.guidance_scale = eval.job.guidance_scale;
  options.seed = eval.job.seed;
  options.same_noise_per_frame = eval.job.same_noise_per_frame;
  options.context.frames = model.data.n_sample_frames;
  options.context.overlap = std::min(options.context.overlap, options.context.frames - 1);
  const config::GenerationDtypes dtypes = dtypes_for(eval.job, model.precision);
  options.bank_dtype = dtypes.bank;
  options.dtype = dtypes.networks;
  const Hooks stop_only{.should_stop = eval.hooks.should_stop};
  ZT_TRY_ASSIGN(const at::Tensor latents_CFHW,
                sample_latents(model.view(), sampler, input, options, stop_only));
  return Generated{latents_CFHW, pictures_of(eval.canvas, decode_clip(*model.codec, latents_CFHW))};
}

/// The true pictures in [-1, 1], (F, 3, H, W).
at::Tensor true_pictures(const Evaluation& eval, const data::Sample& sample) {
  std::vector<at::Tensor> photos;
  for (const Image& picture : sample.targets)
    photos.push_back(place_photo(eval.canvas, picture).mul_(2).sub_(1));
  return at::stack(photos);
}

/// The truth through the codec and back.
std::vector<Image> coded_clip(const Evaluation& eval, const data::Sample& sample) {
  const at::NoGradGuard no_grad;
  const models::LatentCodec& codec = *eval.model.codec;
  const at::Tensor latents_FCHW = codec.encode(true_pictures(eval, sample).to(eval.device)).mean_BCHW;
  return pictures_of(eval.canvas, codec.decode(latents_FCHW).div(2).add(0.5));
}

Status score(const Evaluation& eval, const data::ClipTruth& truth, std::span<const Image> pictures,
             data::EvalGroup& group) {
  ZT_TRY_ASSIGN(quality::ClipScores scores,
                quality::score_clip(data::pair_with(truth, pictures, eval.job.mask_threshold)));
  group.clips.push_back(std::move(scores));
  return {};
}

/// reference | pose | generated | truth, then the baseline's where there is one.
Status write_result(const Evaluation& eval, const data::ClipRecord& clip, const data::Sample& sample,
                    std::span<const Image> generated, std::span<const Image> baseline, const fs::path& path) {
  std::vector<PanelRow> rows = panel_rows(sample, generated);
  for (size_t f = 0; f < baseline.size(); ++f) rows[f].push_back(baseline[f]);
  media::VideoWriterOptions options{.crf = 12};
  if (clip.fps_num > 0) options.fps = {clip.fps_num, clip.fps_den};
  options.metadata = {{"weights_digest", eval.model.digest}, {"seed", std::to_string(eval.job.seed)}};
  return write_panels(path, rows, std::move(options));
}

/// What trains a codec's decoder on what networks give it: "latents" (F, C, h, w), as the codec reads them,
/// and "pictures" (F, 3, H, W) in [-1, 1], the truth. Of generation's canvas: no padding is cut off.
Status write_latents(const Evaluation& eval, const data::Sample& sample, const at::Tensor& latents_CFHW,
                     const fs::path& path) {
  const at::NoGradGuard no_grad;
  const at::Tensor latents_FCHW =
      latents_CFHW.div(eval.model.codec->scaling()).transpose(0, 1).to(at::kCPU, at::kFloat).contiguous();
  const at::Tensor pictures_FCHW = true_pictures(eval, sample);
  const weights::TensorEntry entries[] = {tensor::to_entry("latents", latents_FCHW),
                                          tensor::to_entry("pictures", pictures_FCHW)};
  return weights::write_safetensors(path, entries);
}

/// How one run's clips are made.
std::string how_made(const config::EvalJob& job, const LoadedModel& model) {
  return fmt::format("; {} steps ({}, betas {}), guidance {}, {} per frame, seed {}; {}", job.steps,
                     config::name(job.timestep_spacing), config::name(job.beta_schedule), job.guidance_scale,
                     job.same_noise_per_frame ? "the same noise" : "noise of its own", job.seed,
                     config::to_text(dtypes_for(job, model.precision)));
}

/// In the report and to who waits: measures of different numbers are not to be compared unawares.
void say_how(const Evaluation& eval, Groups& groups) {
  const std::string own = how_made(eval.job, eval.model);
  log::info("eval", own.substr(2));
  groups.generated.about += own;
  groups.wrong.about += own;
  if (eval.baseline) groups.baseline.about += how_made(eval.job, *eval.baseline);
}

Status evaluate_wrong_reference(const Evaluation& eval, size_t clip, const data::ClipTruth& truth,
                                Groups& groups) {
  const auto other = other_character(eval.index, clip);
  const quality::ClipScores nothing{std::vector<std::optional<double>>(quality::metric_infos().size())};
  if (!eval.job.wrong_reference || !other) {
    groups.wrong.clips.push_back(nothing);
    return {};
  }
  const auto stranger = data::load_truth(eval.index, *other, eval.load, 1);
  if (!stranger && !data::is_fault_of_clip(stranger.error())) return fail(stranger.error());
  if (!stranger) {
    log::warn("eval", fmt::format("no wrong reference for clip {}: {}", eval.index.clips[clip].id,
                                  stranger.error().text()));
    groups.wrong.clips.push_back(nothing);
    return {};
  }
  ZT_TRY_ASSIGN(const Generated made, generate_clip(eval, eval.model, truth.sample, stranger->sample));
  return score(eval, truth, made.pictures, groups.wrong);
}

Status evaluate_clip(const Evaluation& eval, size_t clip, const data::ClipTruth& truth, Groups& groups,
                     data::EvalReport& report) {
  const data::ClipRecord& record = eval.index.clips[clip];
  const data::Sample& sample = truth.sample;
  ZT_TRY_ASSIGN(const Generated made, generate_clip(eval, eval.model, sample, sample));
  const std::vector<Image>& generated = made.pictures;
  ZT_TRY(score(eval, truth, generated, groups.generated));
  ZT_TRY(evaluate_wrong_reference(eval, clip, truth, groups));
  ZT_TRY(score(eval, truth, std::vector<Image>(generated.size(), sample.reference), groups.copied));
  ZT_TRY(score(eval, truth, coded_clip(eval, sample), groups.codec));
  std::vector<Image> baseline;
  if (eval.baseline) {
    ZT_TRY_ASSIGN(Generated other, generate_clip(eval, *eval.baseline, sample, sample));
    baseline = std::move(other.pictures);
    ZT_TRY(score(eval, truth, baseline, groups.baseline));
  }
  const fs::path video = eval.folder / (record.id + ".mp4");
  ZT_TRY(write_result(eval, record, sample, generated, baseline, video));
  if (eval.job.keep_latents)
    ZT_TRY(write_latents(eval, sample, made.latents_CFHW, eval.folder / (record.id + ".safetensors")));
  report.clips.push_back({record.id, video.string()});
  return {};
}

void compare(const Evaluation& eval, Groups groups, data::EvalReport& report) {
  report.groups = {std::move(groups.generated), std::move(groups.copied), std::move(groups.codec)};
  if (eval.job.wrong_reference) report.groups.push_back(std::move(groups.wrong));
  if (eval.baseline) report.groups.push_back(std::move(groups.baseline));
  data::add_comparison(report, "generated", "copy_reference", Metric::ForegroundPsnr);
  if (eval.job.wrong_reference) data::add_comparison(report, "generated", "wrong_reference", Metric::Psnr);
  if (!eval.baseline) return;
  for (const Metric metric : {Metric::TailTemporalError, Metric::TemporalError, Metric::ForegroundPsnr})
    data::add_comparison(report, "generated", "baseline", metric);
}

/// What a clip's pictures take beside one decoded chunk. Per pixel and frame: its decoded chunks in fp32 and
/// joined, 24 B; the truth, the clip generated, the one before it, poses and mask as bytes, 15 B.
resources::Demand pictures_demand(const config::EvalJob& job, const data::ClipIndex& index,
                                  const Canvas& canvas) {
  constexpr uint64_t kBytesPerPixel = 39;
  int64_t num_frames = 0;
  for (const data::ClipRecord& clip : index.clips) num_frames = std::max(num_frames, clip.num_frames - 1);
  num_frames = std::min(num_frames, job.num_frames);
  return {fmt::format("pictures of {} frames of {} x {} ({} B a pixel)", num_frames, canvas.padded_width,
                      canvas.padded_height, kBytesPerPixel),
          static_cast<uint64_t>(num_frames) * static_cast<uint64_t>(canvas.padded_width) *
              static_cast<uint64_t>(canvas.padded_height) * kBytesPerPixel};
}

LoadModelOptions checked_load(const config::EvalJob& job, const config::DataJob& data,
                              const data::ClipIndex& index, at::Device device) {
  LoadModelOptions load{.device = device};
  load.matrices = [&job](const config::PrecisionJob& trained) {
    return models::scalar_type(dtypes_for(job, trained).networks);
  };
  load.before_networks = [&job, data, &index, device](const ModelOutline& model) -> Status {
    const int64_t factor = model.codec.scale_factor();
    ZT_TRY_ASSIGN(const Canvas canvas, make_canvas(data.width, data.height, factor, config::Compat::None));
    config::GenerateJob like;
    like.context.frames = data.n_sample_frames;
    like.device = job.device;
    ZT_TRY(models::check_guider(model.configs.pose_guider, factor));
    auto demands = memory_demands(like, model.configs, canvas, model.codec, job.num_frames, model.matrices);
    const resources::Demand pictures = pictures_demand(job, index, canvas);
    if (device.is_cpu()) demands.push_back(pictures);
    ZT_TRY(tensor::require_memory(device, demands, kEvalMemoryAdvice));
    return resources::require_memory({&pictures, 1}, kEvalMemoryAdvice);
  };
  return load;
}

/// The baseline's clips are of the run's `canvas`, whose sides are multiples of `factor`.
Result<LoadedModel> load_baseline(const config::EvalJob& job, const LoadModelOptions& load,
                                  const Canvas& canvas, int64_t factor) {
  LoadModelOptions checked = load;
  checked.before_networks = [&](const ModelOutline& model) -> Status {
    const int64_t own = model.codec.scale_factor();
    if (canvas.padded_width % own != 0 || canvas.padded_height % own != 0)
      return fail(
          ErrorCode::InvalidConfig,
          fmt::format("baseline_run: its codec works in blocks of {} pixels, the run's in blocks of {}, and "
                      "the clips are {} x {}, as the run was trained: name a baseline whose blocks fit",
                      own, factor, canvas.padded_width, canvas.padded_height));
    return load.before_networks(model);
  };
  return load_run(job.baseline_run, checked);
}

/// The panels that are written, before anything is generated: an upper bound, uncompressed (12 bits a pixel).
Status check_disk(const config::EvalJob& job, const config::DataJob& data, const data::ClipIndex& index,
                  const fs::path& folder) {
  const uint64_t panels = job.baseline_run.empty() ? 4 : 5;
  const uint64_t pixels = static_cast<uint64_t>(data.width) * static_cast<uint64_t>(data.height) *
                          static_cast<uint64_t>(job.num_frames);
  const resources::Demand videos = {
      fmt::format("{} clips of {} panels of {} frames of {} x {}, uncompressed", index.clips.size(), panels,
                  job.num_frames, data.width, data.height),
      index.clips.size() * panels * pixels * 3 / 2};
  return resources::require_disk(files::whole_path(folder), {&videos, 1},
                                 "free some space, write elsewhere (output), or judge fewer clips");
}

Result<Evaluation> open(const config::EvalJob& job, const Hooks& hooks) {
  if (job.run.empty())
    return fail(ErrorCode::InvalidArgument, "run is not set: give the run to evaluate (--run)");
  const fs::path folder = job.output.empty() ? fs::path(job.run) / "eval" : fs::path(job.output);
  ZT_TRY(files::require_writable(folder / kReportFile));
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  ZT_TRY_ASSIGN(auto chosen, choose_clips(job));
  hooks.say(contract::Phase::Loading, "loading networks");
  ZT_TRY_ASSIGN(const config::TrainJob run, models::run_config(job.run));
  ZT_TRY(check_disk(job, run.data, chosen.index, folder));
  ZT_TRY(files::make_folders(folder));
  ZT_TRY_ASSIGN(files::Lock lock, files::Lock::acquire(folder / "eval.lock"));
  const LoadModelOptions load = checked_load(job, run.data, chosen.index, device);
  ZT_TRY_ASSIGN(LoadedModel model, load_run(job.run, load));
  const int64_t factor = model.codec->scale_factor();
  ZT_TRY_ASSIGN(const Canvas canvas,
                make_canvas(run.data.width, run.data.height, factor, config::Compat::None));
  std::optional<LoadedModel> baseline;
  if (!job.baseline_run.empty()) {
    ZT_TRY_ASSIGN(baseline, load_baseline(job, load, canvas, factor));
  }
  files::remove_leftovers(folder);
  return Evaluation{.lock = std::move(lock),
                    .job = job,
                    .hooks = hooks,
                    .device = device,
                    .index = std::move(chosen.index),
                    .left_out = std::move(chosen.left_out),
                    .model = std::move(model),
                    .baseline = std::move(baseline),
                    .canvas = canvas,
                    .load = load_options(run.data),
                    .folder = folder};
}

}  // namespace

Result<std::string> run_eval(const config::EvalJob& job, const Hooks& hooks) {
  if (job.threads > 0) tensor::set_num_threads(job.threads);
  ZT_TRY_ASSIGN(const Evaluation eval, open(job, hooks));
  Groups groups;
  say_how(eval, groups);
  data::EvalReport report;
  report.left_out = eval.left_out;
  report.mask_threshold_levels = data::mask_threshold_levels(job.mask_threshold);
  const size_t total = eval.index.clips.size();
  for (size_t clip = 0; clip < total; ++clip) {
    ZT_TRY(hooks.check());
    const std::string& id = eval.index.clips[clip].id;
    hooks.say(contract::Phase::Evaluating, id, static_cast<int64_t>(clip), static_cast<int64_t>(total));
    auto truth = data::load_truth(eval.index, clip, eval.load, job.num_frames);
    if (!truth && !data::is_fault_of_clip(truth.error())) return fail(std::move(truth).error());
    if (!truth) {
      log::warn("eval", fmt::format("clip {} left out: {}", id, truth.error().text()));
      report.left_out.push_back({id, truth.error().text()});
      continue;
    }
    if (auto done = evaluate_clip(eval, clip, *truth, groups, report); !done)
      return fail(std::move(done).error().with(fmt::format("while evaluating clip {}", id)));
  }
  if (report.clips.empty())
    return fail(ErrorCode::Corrupt, fmt::format("none of the {} clips can be read; the first: {}", total,
                                                report.left_out.front().reason));
  compare(eval, std::move(groups), report);
  const std::string json = data::to_json(report);
  ZT_TRY(files::write_atomic(eval.folder / kReportFile, json + "\n"));
  hooks.say(contract::Phase::Evaluating, "done", static_cast<int64_t>(total), static_cast<int64_t>(total));
  return json;
}

}  // namespace zt::generate
