// SPDX-License-Identifier: Apache-2.0
#include "generate/budget.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "generate/internal/side_by_side.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "nn/rows/projection.hpp"

namespace zt::generate {
namespace {

using resources::kFloatBytes;
using resources::product;

/// Maps of the first level's size alive at once in a forward pass without gradients: its skips and those of
/// the lower levels (about 6), a feed-forward layer's two halves of 4 widths and their product, and what
/// attention holds. Measured by the allocator: 28 at tiny64, 31 at quarter width. A CPU's kernels keep the
/// feed-forward layer's in the cache: 26 at tiny64.
constexpr uint64_t kMapsAtWork = 30, kMapsWithKernels = 26;

uint64_t maps_at_work(const config::GenerateJob& job) {
  return at::Device(job.device).is_cpu() && nn::cpu_has_row_kernels() ? kMapsWithKernels : kMapsAtWork;
}

}  // namespace

resources::Demand decoding_demand(const config::GenerateJob& job, const Canvas& canvas,
                                  const models::LatentCodec& codec, int64_t num_frames) {
  const int64_t chunk = std::min(job.decode_chunk_frames, num_frames);
  return {
      fmt::format("decoding {} frames of {} x {} ({} channels, estimate)", chunk, canvas.padded_width,
                  canvas.padded_height, codec.decoding_channels()),
      product({chunk, codec.decoding_channels(), canvas.padded_height, canvas.padded_width}) * kFloatBytes};
}

std::vector<resources::Demand> memory_demands(const config::GenerateJob& job,
                                              const models::NetworkConfigs& configs, const Canvas& canvas,
                                              const models::LatentCodec& codec, int64_t num_frames,
                                              at::ScalarType matrices) {
  const models::UNetConfig& unet = configs.denoising_unet;
  const int64_t width = canvas.padded_width / codec.scale_factor(),
                height = canvas.padded_height / codec.scale_factor();
  const int64_t window = std::min(job.context.frames, num_frames);
  const int64_t base = unet.block_out_channels.front();
  const bool are_doubled = job.guidance_scale > 1 &&
                           internal::fits_side_by_side(unet, window * height * width, at::Device(job.device));
  const params::ParamTable table = models::declare_networks(configs);
  uint64_t weight_bytes = 0;
  for (const params::ParamInfo& info : table.params())
    weight_bytes +=
        product({info.numel()}) * c10::elementSize(info.shape.size() >= 2 ? matrices : at::kFloat);
  const auto weights = static_cast<double>(table.num_elements());
  const uint64_t pose_bytes = product({num_frames, base, height, width}) * kFloatBytes;
  const auto pose_limit = static_cast<uint64_t>(SampleOptions{}.pose_memory_bytes);
  resources::Demand sampling = {
      fmt::format("activations of a window ({} frames of {} x {} latents x {} channels{}, estimate)", window,
                  width, height, base, are_doubled ? ", both halves of guidance at once" : ""),
      product({window, height, width, base, are_doubled ? 2 : 1}) * kFloatBytes * maps_at_work(job)};
  resources::Demand decoding = decoding_demand(job, canvas, codec, num_frames);
  return {
      {fmt::format("weights ({} x {:.3g} B)", table.num_elements(),
                   static_cast<double>(weight_bytes) / weights),
       weight_bytes},
      // Decoding begins when sampling is over.
      sampling.bytes > decoding.bytes ? std::move(sampling) : std::move(decoding),
      // Latents, noise, both predictions and their sums.
      {fmt::format("latents of {} frames", num_frames),
       product({num_frames, unet.in_channels, height, width}) * kFloatBytes * 6},
      {"pose features", std::min(pose_bytes, pose_limit)},
  };
}

std::vector<resources::Demand> disk_demands(const config::GenerateJob& job, const Canvas& canvas,
                                            int64_t num_frames) {
  const auto video = [&](int64_t panels) {
    return product({panels, canvas.width, canvas.height, num_frames, job.interpolation_factor, 3}) / 2;
  };
  std::vector<resources::Demand> demands = {{"the result, uncompressed", video(1)}};
  if (job.write_panels) demands.push_back({"its three panels, uncompressed", video(3)});
  return demands;
}

std::vector<resources::Demand> export_demands(const ModelOutline& model) {
  return {resources::Demand::floats("weights", {models::declare_networks(model.configs).num_elements()}),
          resources::Demand::floats("codec", {model.codec.num_elements()}),
          resources::Demand::floats("image encoder", {model.image_encoder.num_elements()})};
}

}  // namespace zt::generate
