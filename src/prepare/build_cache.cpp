// SPDX-License-Identifier: Apache-2.0
// See build_cache.hpp.
#include "prepare/build_cache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "base/parallel.hpp"
#include "base/process/resources.hpp"
#include "data/from_job.hpp"
#include "data/sample/clip_file.hpp"
#include "models/run_model.hpp"
#include "prepare/budget.hpp"
#include "prepare/run_encoders.hpp"
#include "tensor/device.hpp"
#include "tensor/device_memory.hpp"
#include "tensor/parallel.hpp"

namespace zt::prepare {
namespace {

/// Every crop that samples of the plan's clip can have.
std::vector<data::NormBox> crops_of(const data::SamplePlanOptions& options, const data::ClipIndex& index,
                                    data::SamplePlan plan) {
  if (options.crop_variants <= 0) return {plan.crop};
  std::vector<data::NormBox> crops;
  for (int64_t variant = 0; variant < options.crop_variants; ++variant) {
    data::use_crop_variant(options, index, variant, plan);
    crops.push_back(plan.crop);
  }
  return crops;
}

/// All frames of the clip that sample number `sample` is drawn from, a few at a time.
Result<int64_t> build_clip(const SampleEncoder& encoder, const data::SamplePlanOptions& options,
                           uint64_t sample, int64_t batch_frames) {
  ZT_TRY_ASSIGN(const data::SamplePlan plan, data::plan_sample(options, encoder.index(), sample));
  const int64_t total = encoder.index().clips[plan.clip].num_frames;
  ClipPart part{plan.clip, {}, crops_of(options, encoder.index(), plan)};
  data::ClipFile video = encoder.video_of(plan.clip);
  int64_t encoded = 0;
  for (int64_t first = 0; first < total; first += batch_frames) {
    part.frames.resize(static_cast<size_t>(std::min(total - first, batch_frames)));
    std::iota(part.frames.begin(), part.frames.end(), first);
    ZT_TRY_ASSIGN(const int64_t some, encoder.fill_cache(part, video));
    encoded += some;
  }
  return encoded;
}

/// What the job will take, and that its sizes fit together, before an encoder is read.
Status check_before(const config::CacheJob& job, const EncoderSource& source, const data::ClipIndex& clips,
                    const data::SamplePlanOptions& plan, const BuildOptions& options,
                    const data::CacheStore& store) {
  ZT_TRY_ASSIGN(const EncoderShapes shapes, encoder_shapes(source.model));
  ZT_TRY(models::check_picture_size(job.data, shapes.latents.scale_factor));
  std::vector<resources::Demand> encoding = {encoder_demand(shapes),
                                             encoding_demand(shapes, plan, options.num_threads)};
  const resources::Demand decoding =
      decoding_demand(clips, job.data, options.num_threads, options.batch_frames);
  if (source.device.is_cpu()) {
    encoding.push_back(decoding);
  } else {
    ZT_TRY(resources::require_memory({&decoding, 1}, kEncodeAdvice));
  }
  ZT_TRY(tensor::require_memory(source.device, encoding, kEncodeAdvice));
  const resources::Demand entries =
      cache_demand(job.cache, shapes, clips, plan, std::numeric_limits<int64_t>::max(), store.stats().bytes);
  return resources::require_disk(job.cache.folder, {&entries, 1}, kCacheAdvice);
}

/// A cache that was filled ahead is there, or the command says that it is not.
Status check_kept(const config::CacheSettings& cache, const BuildReport& report,
                  const data::CacheStore& store) {
  const data::CacheStats stats = store.stats();
  if (stats.evicted > 0)
    log::warn("prepare",
              fmt::format("{} entries were removed to keep {} within cache.size_limit_mib ({} MiB): steps "
                          "that want them encode again; set a higher limit, or 0 for none",
                          stats.evicted, cache.folder, cache.size_limit_mib));
  const std::optional<Error> failure = store.first_failure();
  if (!failure) return {};
  return fail(failure->code,
              fmt::format("{} of {} entries could not be kept in {}: {}; the same command goes on with what "
                          "is missing",
                          stats.failed_puts, report.encoded, cache.folder, failure->text()));
}

}  // namespace

Result<BuildReport> build_cache(const SampleEncoder& encoder, const data::SamplePlanOptions& plan,
                                const BuildOptions& options) {
  // The first epoch visits every clip once.
  const auto total = static_cast<int64_t>(encoder.index().clips.size());
  BuildReport report;
  std::mutex mutex;
  std::optional<Error> failure;
  std::atomic<bool> stopping{false};
  parallel_for(static_cast<size_t>(total), options.num_threads, [&](size_t i) {
    if (stopping) return;
    const tensor::ThreadCount one(1);
    Result<int64_t> encoded = build_clip(encoder, plan, i, options.batch_frames);
    const std::lock_guard lock(mutex);
    if (!encoded && !data::is_fault_of_clip(encoded.error())) {
      failure = encoded.error();
    } else if (!encoded) {
      ++report.broken;
      log::warn("prepare", "clip left out of the cache: " + encoded.error().text());
    } else {
      report.encoded += *encoded;
    }
    ++report.clips;
    if (options.progress) options.progress(report.clips, total);
    if (failure || (options.should_stop && options.should_stop())) stopping = true;
  });
  if (failure) return fail(*std::move(failure));
  if (stopping && report.clips < total) return fail(ErrorCode::Cancelled, "stopped on request");
  return report;
}

Result<std::string> run_cache(const config::CacheJob& job, const BuildOptions& options) {
  EncoderSource source;
  ZT_TRY_ASSIGN(source.model, models::locate_encoders(/*run=*/{}, job.model));
  if (source.model.vae_model_path.empty() || source.model.image_encoder_path.empty())
    return fail(ErrorCode::InvalidConfig,
                "model.vae_model_path and model.image_encoder_path must be set: a codec or encoder that a "
                "training run makes itself is only known there; set cache.build_ahead: true in its "
                "configuration instead");
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  EncodeOptions encode;
  if (!device.is_cpu()) {
    encode.math = {.allow_tf32 = job.tf32, .is_repeatable = job.repeatable};
    tensor::set_gpu_math(encode.math);
  }
  ZT_TRY_ASSIGN(const data::ClipIndex clips, data::open_clips(job.data));
  source.data = job.data;
  source.device = device;
  data::CacheOptions cache_options;
  cache_options.folder = job.cache.folder;
  cache_options.max_bytes = static_cast<uint64_t>(job.cache.size_limit_mib) << 20;
  ZT_TRY_ASSIGN(const auto store, data::CacheStore::open(std::move(cache_options)));
  const data::SamplePlanOptions plan = data::plan_options(job.data, job.stage, /*seed=*/0);
  BuildOptions with_threads = options;
  with_threads.num_threads = static_cast<size_t>(job.threads > 0 ? job.threads : resources::cores());
  ZT_TRY(check_before(job, source, clips, plan, with_threads, *store));
  ZT_TRY_ASSIGN(const Encoders encoders, open_run_encoders(source, clips));
  encode.load = data::load_options(job.data, plan);
  encode.keep_latents = has_fixed_crops(plan);
  const SampleEncoder encoder(encoders, clips, store.get(), job.cache.dtype, encode);
  ZT_TRY_ASSIGN(const BuildReport report, build_cache(encoder, plan, with_threads));
  ZT_TRY(check_kept(job.cache, report, *store));
  return fmt::format(R"({{"clips": {}, "encoded": {}, "broken": {}, "bytes": {}}})", report.clips,
                     report.encoded, report.broken, store->stats().bytes);
}

}  // namespace zt::prepare
