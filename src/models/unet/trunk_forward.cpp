// SPDX-License-Identifier: Apache-2.0
// The walk through the trunk: down with skips, middle, up.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <functional>

#include "models/unet/trunk.hpp"
#include "nn/recompute.hpp"
#include "nn/resample.hpp"
#include "tensor/require.hpp"

namespace zt::models {

/// What a walk carries from unit to unit.
struct UNetTrunk::Walk {
  const Input& input;
  at::Tensor time_silu_BE;
  at::Tensor h_NCHW;
  std::vector<at::Tensor> skips_NCHW;
  ReferenceBank written;
};

namespace {

/// All that a layer reads from other units; undefined where there is none.
struct LayerInput {
  at::Tensor h_NCHW, time_silu_BE, context_BLD, skip_NCHW, bank_RSC, key_RSC, value_RSC;
  std::array<at::Tensor*, 7> all() {
    return {&h_NCHW, &time_silu_BE, &context_BLD, &skip_NCHW, &bank_RSC, &key_RSC, &value_RSC};
  }
};

at::Tensor resnet_of(const UNetLayer& layer, const LayerInput& in, int64_t frames) {
  const at::Tensor x_NCHW = in.skip_NCHW.defined() ? at::cat({in.h_NCHW, in.skip_NCHW}, 1) : in.h_NCHW;
  return layer.resnet.forward(x_NCHW, in.time_silu_BE, frames);
}

/// -> {h}
std::vector<at::Tensor> read_layer(const UNetLayer& layer, const LayerInput& in,
                                   const nn::ReferenceRows& rows, int64_t frames) {
  at::Tensor h_NCHW = resnet_of(layer, in, frames);
  if (layer.attention) {
    const nn::ReferenceKeys keys = in.bank_RSC.defined() ? layer.attention->project(in.bank_RSC)
                                                         : nn::ReferenceKeys{in.key_RSC, in.value_RSC};
    h_NCHW = layer.attention->forward(h_NCHW, in.context_BLD, keys, rows, frames);
  }
  if (layer.motion) h_NCHW = layer.motion->forward(h_NCHW, frames);
  return {h_NCHW};
}

/// -> {h, norm1}, {norm1} for the last attention, {h} without attention
std::vector<at::Tensor> write_layer(const UNetLayer& layer, const LayerInput& in, bool is_last) {
  const at::Tensor h_NCHW = resnet_of(layer, in, /*frames=*/1);
  if (!layer.attention) return {h_NCHW};
  if (is_last) return {layer.attention->norm1_only(h_NCHW)};
  const auto written = layer.attention->forward_writing(h_NCHW, in.context_BLD);
  return {written.x_NCHW, written.norm1_NSC};
}

using LayerCall = std::function<std::vector<at::Tensor>(const LayerInput&)>;

/// Runs `call` with activations kept. Each input passes an identity node first, where the gradients of its
/// uses inside the layer are summed before they meet those of other layers: the order in which recomputation
/// sums them, so that both forms give the same bits.
std::vector<at::Tensor> plain_layer(const LayerCall& call, LayerInput in) {
  for (at::Tensor* tensor : in.all()) {
    if (tensor->defined() && tensor->requires_grad()) *tensor = tensor->view_as(*tensor);
  }
  return call(in);
}

/// Runs `call` without keeping activations: undefined inputs are left out of what autograd sees.
std::vector<at::Tensor> recompute_layer(const LayerCall& call, LayerInput in) {
  std::vector<at::Tensor> defined;
  std::vector<size_t> places;
  for (size_t i = 0; i < in.all().size(); ++i) {
    if (!in.all()[i]->defined()) continue;
    defined.push_back(*in.all()[i]);
    places.push_back(i);
  }
  return nn::recompute(
      [call, places](const std::vector<at::Tensor>& given) {
        LayerInput again;
        for (size_t i = 0; i < places.size(); ++i) *again.all()[places[i]] = given[i];
        return call(again);
      },
      defined);
}

}  // namespace

at::Tensor UNetTrunk::enter(const Input& input) const {
  const at::Tensor h_NCHW = conv_in_(input.x_NCHW);
  if (!input.pose_NCHW.defined()) return h_NCHW;
  ZT_REQUIRE(input.pose_NCHW.sizes() == h_NCHW.sizes(), "wanted pose features like ", h_NCHW, ", got ",
             input.pose_NCHW);
  return h_NCHW + input.pose_NCHW;
}

bool UNetTrunk::run_layer(Walk& walk, const UNetLayer& layer, const at::Tensor& skip_NCHW) const {
  const Input& input = walk.input;
  LayerInput in{walk.h_NCHW, walk.time_silu_BE, {}, skip_NCHW, {}, {}, {}};
  LayerCall call;
  if (layer.attention) in.context_BLD = input.context_BLD;
  const bool is_last = layer.attention && layer.bank_index + 1 == num_attentions_;
  if (role_ == Role::Writer) {
    call = [&layer, is_last](const LayerInput& given) { return write_layer(layer, given, is_last); };
  } else {
    if (layer.attention && input.rows.any()) {
      if (input.bank) in.bank_RSC = input.bank->norm1_RSC[layer.bank_index];
      if (input.projected) {
        in.key_RSC = input.projected->key_RSC[layer.bank_index];
        in.value_RSC = input.projected->value_RSC[layer.bank_index];
      }
    }
    call = [&layer, rows = input.rows, frames = input.frames](const LayerInput& given) {
      return read_layer(layer, given, rows, frames);
    };
  }
  const std::vector<at::Tensor> out = input.recompute ? recompute_layer(call, in) : plain_layer(call, in);
  if (role_ == Role::Writer && layer.attention) walk.written.norm1_RSC.push_back(out.back());
  walk.h_NCHW = out.front();
  return role_ == Role::Reader || !is_last;
}

bool UNetTrunk::run_level_up(Walk& walk, const UNetLevel& level) const {
  for (const UNetLayer& layer : level.layers) {
    const at::Tensor skip_NCHW = std::move(walk.skips_NCHW.back());
    walk.skips_NCHW.pop_back();
    if (!run_layer(walk, layer, skip_NCHW)) return false;
  }
  if (level.resample) {
    // The next skip has the size that the matching downsampler halved, odd sizes included.
    const at::Tensor& next_NCHW = walk.skips_NCHW.back();
    walk.h_NCHW = nn::upsample(walk.h_NCHW, next_NCHW.size(2), next_NCHW.size(3), *level.resample);
  }
  return true;
}

void UNetTrunk::run(Walk& walk) const {
  walk.time_silu_BE = time_embedding_(walk.input.timestep_B);
  walk.h_NCHW = enter(walk.input);
  walk.skips_NCHW.push_back(walk.h_NCHW);
  for (const UNetLevel& level : down_) {
    for (const UNetLayer& layer : level.layers) {
      if (!run_layer(walk, layer, {})) return;
      walk.skips_NCHW.push_back(walk.h_NCHW);
    }
    if (!level.resample) continue;
    walk.h_NCHW = (*level.resample)(walk.h_NCHW);
    walk.skips_NCHW.push_back(walk.h_NCHW);
  }
  if (!run_layer(walk, middle_, {})) return;
  walk.h_NCHW = middle_end_.forward(walk.h_NCHW, walk.time_silu_BE, walk.input.frames);
  for (const UNetLevel& level : up_) {
    if (!run_level_up(walk, level)) return;
  }
}

at::Tensor UNetTrunk::read(const Input& input) const {
  Walk walk{input, {}, {}, {}, {}};
  run(walk);
  return walk.h_NCHW;
}

ReferenceBank UNetTrunk::write(const Input& input) const {
  Walk walk{input, {}, {}, {}, {}};
  run(walk);
  return walk.written;
}

ProjectedBank UNetTrunk::project(const ReferenceBank& bank) const {
  ZT_REQUIRE(bank.norm1_RSC.size() == num_attentions_, "wanted a bank of ", num_attentions_, " entries, got ",
             bank.norm1_RSC.size());
  ProjectedBank out;
  out.key_RSC.resize(num_attentions_);
  out.value_RSC.resize(num_attentions_);
  const auto project_layer = [&](const UNetLayer& layer) {
    if (!layer.attention) return;
    auto keys = layer.attention->project(bank.norm1_RSC[layer.bank_index]);
    out.key_RSC[layer.bank_index] = std::move(keys.key_RTC);
    out.value_RSC[layer.bank_index] = std::move(keys.value_RTC);
  };
  for (const UNetLevel& level : down_) std::for_each(level.layers.begin(), level.layers.end(), project_layer);
  project_layer(middle_);
  for (const UNetLevel& level : up_) std::for_each(level.layers.begin(), level.layers.end(), project_layer);
  return out;
}

}  // namespace zt::models
