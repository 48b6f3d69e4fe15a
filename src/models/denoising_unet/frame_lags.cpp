// SPDX-License-Identifier: Apache-2.0
#include "models/denoising_unet/frame_lags.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

namespace zt::models {
namespace {

constexpr int64_t kPairs = 4;          // sines and cosines kept apart from the features
constexpr double kNeighbourGap = 3.0;  // a head's logit at its frame less that at the frames beside it

struct AttentionShape {
  int64_t width, heads, head_width, pairs;
  int64_t inner() const { return heads * head_width; }
  /// The first channels: there the encoding's fastest pairs stand alone.
  int64_t free_channels() const { return 2 * pairs; }
};

AttentionShape attention_shape(int64_t width, const MotionConfig& motion) {
  const int64_t head_width = width / motion.num_heads / motion.attention_dim_div;
  return {width, motion.num_heads, head_width, std::min(kPairs, head_width / 2)};
}

/// Radians per frame of the encoding's pair `j`: see tensor::sine_positions.
double frequency(int64_t j, int64_t width) {
  return std::pow(10000.0, -2.0 * static_cast<double>(j) / static_cast<double>(width));
}

struct Projections {
  at::Tensor query_IC, key_IC;
};

Projections lagged_projections(const AttentionShape& shape, int64_t first_head) {
  double gap = 0;  // of the cosines' sum, one frame off
  for (int64_t j = 0; j < shape.pairs; ++j) gap += 1 - std::cos(frequency(j, shape.width));
  const double scale = std::sqrt(kNeighbourGap * std::sqrt(static_cast<double>(shape.head_width)) / gap);
  Projections out{at::zeros({shape.inner(), shape.width}), at::zeros({shape.inner(), shape.width})};
  auto query = out.query_IC.accessor<float, 2>(), key = out.key_IC.accessor<float, 2>();
  for (int64_t h = 0; h < shape.heads; ++h) {
    const auto lag = static_cast<double>(frame_lag(first_head + h));
    for (int64_t j = 0; j < shape.pairs; ++j) {
      const int64_t sine = 2 * j, cosine = sine + 1, row = h * shape.head_width + sine;
      key[row][sine] = key[row + 1][cosine] = static_cast<float>(scale);
      // sin(w (t - d)) and cos(w (t - d)) from sin(w t) and cos(w t).
      const double turn = frequency(j, shape.width) * lag;
      query[row][sine] = query[row + 1][cosine] = static_cast<float>(scale * std::cos(turn));
      query[row][cosine] = static_cast<float>(-scale * std::sin(turn));
      query[row + 1][sine] = static_cast<float>(scale * std::sin(turn));
    }
  }
  return out;
}

/// Zero rows: the linear layer writes nothing into its first `channels` outputs.
void leave_free(params::ParamStore& store, const std::string& layer, int64_t channels) {
  for (const char* part : {"weight", "bias"}) {
    std::vector<int64_t> shape = store.find(layer + part)->info.shape;
    shape.front() = channels;
    store.assign_rows(layer + part, at::zeros(shape));
  }
}

}  // namespace

int64_t frame_lag(int64_t head) {
  if (head == 0) return 1;
  return head % 2 == 1 ? (head + 3) / 2 : -head / 2;
}

void start_with_frame_lags(params::ParamStore& store, std::string_view network, const MotionConfig& motion) {
  constexpr std::string_view kInput = "temporal_transformer.proj_in.weight";
  if (!motion.position_encoding) return;
  for (const params::StoredParam& param : store.params()) {
    const std::string& name = param.info.name;
    if (!name.starts_with(network) || !name.ends_with(kInput)) continue;
    const std::string module = name.substr(0, name.size() - std::string_view("proj_in.weight").size());
    const AttentionShape shape = attention_shape(param.info.shape[0], motion);
    if (shape.pairs == 0) continue;
    leave_free(store, module + "proj_in.", shape.free_channels());
    for (int64_t b = 0; b < motion.num_blocks; ++b) {
      for (int64_t a = 0; a < motion.num_attentions; ++a) {
        const std::string attention =
            fmt::format("{}transformer_blocks.{}.attention_blocks.{}.", module, b, a);
        const Projections start = lagged_projections(shape, a * shape.heads);
        store.assign(attention + "to_q.weight", start.query_IC);
        store.assign(attention + "to_k.weight", start.key_IC);
        leave_free(store, attention + "to_out.0.", shape.free_channels());
      }
    }
  }
}

}  // namespace zt::models
