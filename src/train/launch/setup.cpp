// SPDX-License-Identifier: Apache-2.0
// See setup.hpp.
#include "train/launch/setup.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/process/resources.hpp"
#include "base/signals.hpp"
#include "checkpoint/reader.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/left_out.hpp"
#include "data/from_job.hpp"
#include "models/network_set.hpp"
#include "prepare/build_cache.hpp"
#include "train/launch/run_plan.hpp"
#include "train/launch/start_checks.hpp"
#include "train/launch/start_weights.hpp"
#include "train/pass/run_rules.hpp"
#include "train/pass/validation.hpp"
#include "train/plan/budget.hpp"
#include "train/plan/plan.hpp"
#include "train/plan/unit_policy.hpp"
#include "train/ranks/others_wait.hpp"

namespace zt::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSnapshotsWait = "whether to keep snapshots";

/// Runs `work` on the first rank, where it may take long if it calls keep_waiting(), then on the others. An
/// error of the first reaches them as the end of its group.
template <class Work>
Status in_turn(Ranks& ranks, const Work& work) {
  if (ranks.is_first()) ZT_TRY(work());
  ZT_TRY(ranks.await_first());
  return ranks.is_first() ? Status() : work();
}
/// Takes part in in_turn() without work.
Status let_others_work(Ranks& ranks) {
  return in_turn(ranks, [] { return Status(); });
}

StepShape step_shape(const Setup& setup) {
  return {setup.job.lanes, setup.job.optimizer.gradient_accumulation_steps, setup.cursor.data_set};
}

Status open_data(Setup& setup) {
  const config::TrainJob& job = setup.job;
  ZT_TRY_ASSIGN(setup.clips, data::open_clips(job.data));
  ZT_TRY_ASSIGN(std::optional<data::ClipIndex> held_out, validation_clips(job));
  setup.validates_on_training_clips = !held_out;
  setup.validation_clips = std::move(held_out).value_or(setup.clips);
  setup.cursor.data_set = data_set_number(setup.clips.digest());
  setup.plan = data::plan_options(job.data, job.stage, static_cast<uint64_t>(job.seed));
  setup.load = data::load_options(job.data, setup.plan);
  if (!job.cache.enable) return {};
  data::CacheOptions options;
  options.folder = job.cache.folder;
  options.max_bytes = static_cast<uint64_t>(job.cache.size_limit_mib) << 20;
  ZT_TRY_ASSIGN(setup.cache, data::CacheStore::open(std::move(options)));
  return {};
}

Status open_encoders(Setup& setup, const contract::RunFolder& run) {
  const config::TrainJob& job = setup.job;
  prepare::EncoderSource source;
  source.run = run.path();
  source.model = job.model;
  source.data = job.data;
  source.seed = static_cast<uint64_t>(job.seed);
  source.device = setup.device;
  source.num_threads = setup.num_threads;
  ZT_TRY_ASSIGN(setup.encoders, prepare::open_run_encoders(source, setup.clips));
  prepare::EncodeOptions options;
  options.load = setup.load;
  if (!setup.device.is_cpu()) options.math = gpu_math(job.precision);
  const auto make_encoder = [&](const data::ClipIndex& clips, const data::SamplePlanOptions& plan) {
    options.keep_latents = prepare::has_fixed_crops(plan);
    return std::make_unique<prepare::SampleEncoder>(setup.encoders, clips, setup.cache.get(), job.cache.dtype,
                                                    options);
  };
  setup.encoder = make_encoder(setup.clips, setup.plan);
  setup.validation_encoder = make_encoder(setup.validation_clips, validation_plan(job));
  setup.batch_rules.seed = static_cast<uint64_t>(job.seed);
  setup.batch_rules.schedule = job.schedule;
  setup.batch_rules.condition = job.condition;
  setup.batch_rules.latent_scaling = setup.encoders.codec->scaling();
  setup.batch_rules.null_embedding_D = prepare::null_embedding(
      setup.encoders, job.condition.null_condition == config::NullCondition::ZeroPixels);
  setup.batch_rules.device = setup.device;
  return {};
}

Status fill_cache(Setup& setup, Journal& journal) {
  if (!setup.cache || !setup.job.cache.build_ahead) return {};
  OthersWait others(setup.ranks);
  prepare::BuildOptions options;
  options.num_threads = setup.num_threads;
  options.progress = [&](int64_t done, int64_t total) {
    contract::Progress progress = journal.last_progress();
    progress.phase = contract::Phase::Caching;
    progress.step = done;
    progress.total_steps = total;
    journal.publish(progress);
    others.tell();
  };
  options.should_stop = [&] { return !others.status() || signals::stop() != signals::Stop::None; };
  const auto report = prepare::build_cache(*setup.encoder, setup.plan, options);
  ZT_TRY(others.status());
  if (!report) return fail(report.error());
  log::info("train", fmt::format("cache filled: {} clips, {} encoded", report->clips, report->encoded));
  return {};
}

Result<models::NetworkSet> start_networks(Setup& setup, const contract::RunFolder& run, const Origin& origin,
                                          const models::BuildOptions& options) {
  const config::ModelJob& model = setup.job.model;
  ZT_TRY_ASSIGN(models::NetworkSet networks,
                models::build_networks(model, setup.encoders.codec->channels(), options));
  for (const models::LoadReport& report : networks.reports) log::info("train", report.summary());
  if (model.stage1_run.empty()) return networks;
  const auto choose = [&]() -> Status {
    if (setup.ranks.is_first()) ZT_TRY(choose_stage1(setup.job, run));
    return {};
  };
  if (!origin.memory_step) ZT_TRY(in_turn(setup.ranks, choose));
  ZT_TRY_ASSIGN(const std::string checkpoint, chosen_stage1(run));
  ZT_TRY(copy_stage1(setup.job, checkpoint, *networks.store));
  return networks;
}

/// From the scalars of `source`; the number of their data set if it is another than this one, else 0. Errors:
/// InvalidConfig if it is and the job does not accept that: their clips are positions, and so is the order of
/// the samples.
Result<int64_t> set_cursor(Setup& setup, const std::vector<params::StateScalar>& scalars,
                           const std::string& source, bool accepts_change) {
  ZT_TRY_ASSIGN(Cursor cursor, cursor_from_scalars(scalars, setup.job.schedule.num_train_timesteps));
  const int64_t here = data_set_number(setup.clips.digest());
  const int64_t other = cursor.data_set == here ? 0 : cursor.data_set;
  if (other != 0) {
    const std::string what =
        fmt::format("the data set ({} clips) is another than that of {}", setup.clips.clips.size(), source);
    if (!accepts_change)
      return fail(ErrorCode::InvalidConfig,
                  what +
                      ": put that one back; or go on with this one, its samples in an order of their own, "
                      "with --set data.accept_change=true");
    if (setup.ranks.is_first()) log::warn("train", what + ": data.accept_change lets the run go on with it");
    cursor.clips = {};
  }
  cursor.data_set = here;
  setup.cursor = std::move(cursor);
  return other;
}

/// left-out.json names positions in the data set that it was written for. Once for each: until the next save
/// other launches begin from the same checkpoint, with a file of this data set.
Status put_left_out_aside(const contract::RunFolder& run, int64_t other_data_set) {
  const fs::path aside = run.path() / fmt::format("left-out.of-data-{}.json", other_data_set);
  if (!files::is_absent(aside)) return {};
  if (files::is_absent(run.left_out()))
    return files::write_atomic(aside, contract::to_json(std::vector<contract::LeftOutClip>{}));
  return files::rename_durable(run.left_out(), aside);
}

Status resume(Setup& setup, const contract::RunFolder& run, const checkpoint::Found& found,
              const clock::Stopwatch& since_opened, Journal& journal) {
  for (const checkpoint::Refusal& refusal : found.refused) {
    journal.event(contract::CheckpointRefused{refusal.step, refusal.name, refusal.reason.text()});
    log::warn("train", "checkpoint " + refusal.name + " is not usable: " + refusal.reason.text());
  }
  ZT_TRY(restore(setup.state, found.reader));
  ZT_TRY_ASSIGN(const auto scalars, found.reader.scalars());
  setup.is_from_memory = false;
  setup.checkpoint = found.reader.folder().filename().string();
  ZT_TRY_ASSIGN(const int64_t other_data_set,
                set_cursor(setup, scalars, setup.checkpoint, setup.job.data.accept_change));
  if (other_data_set != 0 && setup.ranks.is_first()) ZT_TRY(put_left_out_aside(run, other_data_set));
  drop_decay_of_other_cap(setup.cursor, setup.job.time_cap_s);
  if (const std::string& by = found.reader.manifest().run_id; by != run.identity().run_id)
    log::warn("train", fmt::format("{} was written by the run {}, not by this one", setup.checkpoint, by));
  log::info("train", fmt::format("restored step {} from {}", setup.cursor.step, setup.checkpoint));
  journal.event(
      contract::StateRestored{setup.cursor.step, "disk (" + setup.checkpoint + ")", since_opened.seconds()});
  return {};
}

Status restore_from_memory(Setup& setup, const Origin& origin, Journal& journal) {
  const clock::Stopwatch watch;
  const int64_t step = *origin.memory_step, rank = setup.ranks.rank();
  ZT_TRY_ASSIGN(const auto scalars, origin.memory.own.restore(step, state_tensors(setup.state)));
  ZT_TRY(set_scalars(setup.state, scalars));
  setup.state.optimizer->round_masters();
  // Ranks that live on have the clips that they opened.
  ZT_TRY(set_cursor(setup, scalars, "the snapshot in memory", /*accepts_change=*/false));
  for (params::Segment& segment : setup.state.networks.store->segments()) {  // of the step that was given up
    if (segment.placement.trainable) segment.kept_gradients().zero_();
    segment.touched = false;
  }
  ZT_TRY(setup.ranks.gather_values(*setup.state.networks.store));
  // Nobody trains on, and replaces a checkpoint, while another still reads what it needs of that.
  ZT_TRY(setup.ranks.barrier("the state from memory"));
  setup.checkpoint.clear();
  setup.is_from_memory = true;
  const int64_t holder = origin.holders[static_cast<size_t>(rank)];
  log::info("train", fmt::format("restored step {} from {}", step,
                                 holder == rank ? "memory" : fmt::format("the memory of rank {}", holder)));
  const std::string tiers = text_of_holders(origin.holders);
  if (setup.ranks.is_first() && setup.ranks.size() > 1)
    log::info("train", fmt::format("restored step {}: {}", step, tiers));
  journal.event(contract::StateRestored{step, tiers, watch.seconds()});
  return {};
}

bool wants_snapshots(const config::TrainJob& job, const Origin& origin) {
  return origin.memory.own.is_open() && job.checkpoint.memory_every_steps > 0;
}

/// Whether snapshots fit beside the rest, `more` included. Errors: Exhausted if the rest alone does not.
Result<bool> check_memory(const Setup& setup, const models::NetworkConfigs& configs,
                          const params::ParamTable& table, std::span<const resources::Demand> more,
                          bool wants_snapshots, Journal& journal) {
  const config::TrainJob& job = setup.job;
  const models::LatentCodec& codec = *setup.encoders.codec;
  ZT_TRY_ASSIGN(
      std::vector<resources::Demand> demands,  // of the host
      require_training_memory(setup, configs, table,
                              {.channels = codec.channels(), .scale_factor = codec.scale_factor()}, more));
  if (!wants_snapshots) return false;
  const RankCounts counts{setup.ranks.size(), setup.ranks.on_this_host()};
  demands.push_back(snapshot_demand(job, table, counts));
  if (setup.ranks.passes_snapshots()) demands.push_back(held_demand(job, table, counts));
  const Status fit = resources::require_memory(demands, kMemoryAdvice);
  if (fit) return true;
  const std::string text =
      "no snapshots in memory: a rank that dies goes on from the last checkpoint on disk. " +
      fit.error().text();
  journal.event(contract::Warning{"train", text});
  log::warn("train", text);
  return false;
}

/// With the encoders in memory, the first rank of each host checks again what all there need together, and
/// whether there is room for snapshots, unless an earlier attempt took it: none are kept unless there is on
/// all hosts. A restart is not refused: its launch was not. Units of fewer positions keep their weights
/// whole.
Status check_budget(Setup& setup, const models::NetworkConfigs& configs, double fewest_positions,
                    const Origin& origin, Journal& journal) {
  const params::ParamTable table = models::declare_networks(configs);
  std::vector<resources::Demand> more;
  if (fewest_positions > 0)
    more.push_back(kept_whole_demand(setup.job, configs, setup.encoders.codec->scale_factor(),
                                     fewest_positions, setup.ranks.size(),
                                     setup.device.is_cpu() ? setup.ranks.on_this_host() : 1));
  bool keeps = wants_snapshots(setup.job, origin);
  const bool has_their_memory = origin.is_restart && origin.memory.own.has_room();
  if (setup.ranks.is_first_here() && !has_their_memory) {
    const auto fit = check_memory(setup, configs, table, more, keeps, journal);
    if (!fit && !origin.is_restart) return fail(fit.error());
    if (!fit) log::warn("train", "no snapshots in memory: " + fit.error().text());
    keeps = fit.value_or(false);
  }
  ZT_TRY_ASSIGN(setup.keeps_snapshots, setup.ranks.all_agree(keeps, kSnapshotsWait));
  return {};
}

/// Says so where a rank keeps gradients whole that the stage alone would have it share.
void explain_whole_gradients(const config::TrainJob& job, int64_t ranks) {
  const bool shares =
      config::highest_stage(job.parallel) >= 2 && config::most_sharing(job.parallel, ranks) > 1;
  if (shares && adds_up_gradients(job, ranks))
    log::info(
        "train",
        "every rank keeps whole gradients: it adds up those of its lanes and micro batches in the order "
        "that gives the same bits for every number of ranks, and exchanges them once a step "
        "(parallel.accumulation: parts shares them too, for an exchange each time)");
}

/// Units with fewer keep their weights whole, by speeds that are measured here; 0 without that rule.
Result<double> fewest_positions(const config::TrainJob& job, Ranks& ranks, at::Device device) {
  const int64_t sharing = config::most_sharing(job.parallel, ranks.size());
  if (config::highest_stage(job.parallel) < 3 || sharing == 1 || !job.parallel.keep_whole_if_faster)
    return 0.0;
  ZT_TRY_ASSIGN(const Speeds speeds, measure_speeds(ranks, device, job.precision));
  const double fewest = break_even_positions(speeds, sharing);
  log::info("train", fmt::format("units with fewer than {:.0f} positions keep their weights whole: a rank "
                                 "computes {:.1f} GFLOP/s and receives {:.2f} GB/s",
                                 fewest, speeds.flops / 1e9, speeds.bytes / 1e9));
  return fewest;
}

Status open_networks(Setup& setup, const contract::RunFolder& run, const Origin& origin, Journal& journal) {
  const config::TrainJob& job = setup.job;
  const bool motion = job.stage == 2;
  ZT_TRY_ASSIGN(const models::NetworkConfigs configs,
                models::network_configs(job.model, setup.encoders.codec->channels(), motion));
  explain_whole_gradients(job, setup.ranks.size());
  ZT_TRY_ASSIGN(const double fewest, fewest_positions(job, setup.ranks, setup.device));
  ZT_TRY(check_budget(setup, configs, fewest, origin, journal));
  const params::ParamTable table = models::declare_networks(configs);
  ZT_TRY(check_named_units(job.parallel, table));
  ZT_TRY(check_freeze(job, table));
  if (setup.ranks.is_first())
    for (const std::string& part : freeze_misses(job, table))
      log::warn("train", fmt::format("freeze: no parameter's name has '{}' in it", part));

  models::BuildOptions options;
  options.motion = motion;
  options.placement = placement_rule(job, table);
  options.seed = static_cast<uint64_t>(job.seed);
  options.device = setup.device;
  options.residency = residency_rule(
      job, setup.ranks, {configs.denoising_unet.num_levels(), setup.encoders.codec->scale_factor()}, fewest);
  const clock::Stopwatch since_opened;
  std::optional<checkpoint::Found> found;
  if (!origin.memory_step) {
    ZT_TRY_ASSIGN(found, open_together(setup.ranks, run.checkpoints()));
  } else if (!contract::list_checkpoints(run.checkpoints()).empty()) {
    // A checkpoint only gives what is frozen; ranks that live on are not here.
    ZT_TRY_ASSIGN(found, checkpoint::open_newest(run.checkpoints(), {.share = {.only_frozen = true}}));
  }
  if (!found) {
    ZT_TRY_ASSIGN(models::NetworkSet networks, start_networks(setup, run, origin, options));
    setup.state = make_model_state(std::move(networks), job);
    setup.ranks.share_units(*setup.state.networks.store, step_shape(setup));
    return origin.memory_step ? restore_from_memory(setup, origin, journal) : Status();
  }
  setup.state = make_model_state(models::make_networks(configs, options, /*initialize=*/false), job);
  setup.ranks.share_units(*setup.state.networks.store, step_shape(setup));
  if (!origin.memory_step) return resume(setup, run, *found, since_opened, journal);
  ZT_TRY(restore_frozen(setup.state, found->reader));
  return restore_from_memory(setup, origin, journal);
}

}  // namespace

Result<std::shared_ptr<Setup>> set_up(const config::TrainJob& job, const contract::RunFolder& run,
                                      at::Device device, Ranks ranks, const Origin& origin,
                                      Journal& journal) {
  ZT_TRY_ASSIGN(diffusion::NoiseSchedule schedule,
                diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)));
  auto setup = std::make_shared<Setup>(job, device, std::move(ranks), std::move(schedule));
  setup->num_threads = threads_of_rank(job.threads, setup->ranks.size());
  if (job.optimizer.offload == config::Offload::Cpu && device.is_cpu() && setup->ranks.is_first())
    log::info("train", "optimizer.offload: cpu changes nothing on device: cpu, whose memory is the host's");
  ZT_TRY_ASSIGN(setup->lr, lr_schedule(job));
  journal.progress(contract::Phase::Loading, "data");
  ZT_TRY(open_data(*setup));
  ZT_TRY(check_before_encoders(*setup, run, origin));
  if (setup->ranks.is_first() && !origin.is_restart) {
    ZT_TRY_ASSIGN(const std::string plan, launch_plan(*setup, run, wants_snapshots(job, origin)));
    log::info("train", plan);
  }
  journal.progress(contract::Phase::Loading, "encoders");
  const auto prepare = [&]() -> Status {
    ZT_TRY(open_encoders(*setup, run));
    return setup->ranks.is_first() ? fill_cache(*setup, journal) : Status();
  };
  ZT_TRY(in_turn(setup->ranks, prepare));
  journal.progress(contract::Phase::Loading, "networks");
  ZT_TRY(open_networks(*setup, run, origin, journal));
  return setup;
}

Status set_up_again(Setup& setup, Ranks ranks, const Origin& origin, Journal& journal) {
  setup.ranks = std::move(ranks);
  setup.ranks.share_units(*setup.state.networks.store, step_shape(setup));
  ZT_TRY(let_others_work(setup.ranks));                 // encoders and cache
  ZT_TRY(setup.ranks.all_agree(true, kSnapshotsWait));  // there is one to go back to
  return restore_from_memory(setup, origin, journal);
}

Status go_back(Setup& setup, const contract::RunFolder& run, Journal& journal) {
  ZT_TRY(setup.ranks.barrier("going back to a checkpoint"));  // whose last save all have finished
  const clock::Stopwatch since_opened;
  ZT_TRY_ASSIGN(const auto found, open_together(setup.ranks, run.checkpoints()));
  if (!found)
    return fail(ErrorCode::NotFound,
                "cannot roll back: the run has no checkpoint yet; restart with a lower learning rate, or set "
                "checkpoint.every_steps lower");
  if (found->reader.manifest().step >= setup.cursor.step)
    return fail(ErrorCode::NotFound,
                "cannot roll back: the run has no checkpoint of an earlier step; restart with a lower "
                "learning rate, or set checkpoint.every_steps lower");
  return resume(setup, run, *found, since_opened, journal);
}

}  // namespace zt::train
