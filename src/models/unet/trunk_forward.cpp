// SPDX-License-Identifier: Apache-2.0
// The walk through the trunk: down with skips, middle, up.
#include <ATen/ATen.h>

#include <algorithm>
#include <functional>

#include "models/unet/trunk.hpp"
#include "nn/parts.hpp"
#include "nn/resample.hpp"
#include "nn/unit.hpp"
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

/// All that a layer reads from other units, in a unit's inputs in this order; undefined where there is none.
struct LayerInput {
  at::Tensor h_NCHW = {}, skip_NCHW = {};  ///< picture by picture
  at::Tensor time_silu_BE = {}, context_BLD = {}, bank_RSC = {}, key_RSC = {}, value_RSC = {};

  using Tensors = std::vector<at::Tensor>;
  Tensors pictures() const { return {h_NCHW, skip_NCHW}; }
  Tensors shared() const { return {time_silu_BE, context_BLD, bank_RSC, key_RSC, value_RSC}; }
  Tensors all() const { return {h_NCHW, skip_NCHW, time_silu_BE, context_BLD, bank_RSC, key_RSC, value_RSC}; }
  static LayerInput of(const Tensors& all) {
    return {all[0], all[1], all[2], all[3], all[4], all[5], all[6]};
  }
  static LayerInput of(const Tensors& pictures, const Tensors& shared) {
    return {pictures[0], pictures[1], shared[0], shared[1], shared[2], shared[3], shared[4]};
  }
};

at::Tensor resnet_of(const UNetLayer& layer, const LayerInput& in, int64_t frames) {
  const at::Tensor x_NCHW = in.skip_NCHW.defined() ? at::cat({in.h_NCHW, in.skip_NCHW}, 1) : in.h_NCHW;
  return layer.resnet.forward(x_NCHW, in.time_silu_BE, frames);
}

/// What a layer does picture by picture: -> {h}, or {h, tokens for the motion module}
std::vector<at::Tensor> read_pictures(const UNetLayer& layer, const LayerInput& in,
                                      const nn::ReferenceRows& rows, int64_t frames) {
  at::Tensor h_NCHW = resnet_of(layer, in, frames);
  if (layer.attention) {
    const nn::ReferenceKeys keys = in.bank_RSC.defined() ? layer.attention->project(in.bank_RSC)
                                                         : nn::ReferenceKeys{in.key_RSC, in.value_RSC};
    h_NCHW = layer.attention->forward(h_NCHW, in.context_BLD, keys, rows, frames);
  }
  if (!layer.motion) return {h_NCHW};
  return {h_NCHW, layer.motion->enter(h_NCHW)};
}

/// -> {h}. The pictures of one clip are worked on side by side where that pays, then the positions of all.
std::vector<at::Tensor> read_layer(const UNetLayer& layer, const LayerInput& in,
                                   const nn::ReferenceRows& rows, int64_t frames) {
  const auto read_some = [&](const auto& pictures, const auto& shared) {
    return read_pictures(layer, LayerInput::of(pictures, shared), rows, pictures.front().size(0));
  };
  const bool is_one_clip = in.h_NCHW.size(0) == frames, are_apart = !layer.resnet.norm_over_frames;
  const std::vector<at::Tensor> out = is_one_clip && are_apart
                                          ? nn::run_in_parts(nn::worthwhile_parts(in.h_NCHW, frames), 0,
                                                             read_some, in.pictures(), in.shared())
                                          : read_pictures(layer, in, rows, frames);
  if (!layer.motion) return out;
  const at::Tensor tokens_BFSC = out[1].unflatten(0, {-1, frames});
  const auto mix_some = [&](const auto& tokens, const auto&) {
    return std::vector<at::Tensor>{layer.motion->mix(tokens.front())};
  };
  const int64_t parts = nn::worthwhile_parts(tokens_BFSC, tokens_BFSC.size(2));
  return {nn::MotionModule::leave(out[0], nn::run_in_parts(parts, 2, mix_some, {tokens_BFSC}, {}).front())};
}

/// -> {h, norm1}, {norm1} for the last attention, {h} without attention
std::vector<at::Tensor> write_layer(const UNetLayer& layer, const LayerInput& in, bool is_last) {
  const at::Tensor h_NCHW = resnet_of(layer, in, /*frames=*/1);
  if (!layer.attention) return {h_NCHW};
  if (is_last) return {layer.attention->norm1_only(h_NCHW)};
  const auto written = layer.attention->forward_writing(h_NCHW, in.context_BLD);
  return {written.x_NCHW, written.norm1_NSC};
}

/// A unit of one output, activations kept.
at::Tensor run_alone(const nn::Unit& unit, const std::vector<at::Tensor>& inputs,
                     const std::function<at::Tensor(const std::vector<at::Tensor>&)>& layer) {
  return unit
      .run(
          nn::Unit::Form::Kept,
          [layer](const std::vector<at::Tensor>& in) { return std::vector<at::Tensor>{layer(in)}; }, inputs)
      .front();
}

}  // namespace

void UNetTrunk::enter(Walk& walk) const {
  const Input& input = walk.input;
  const std::vector<at::Tensor> out =
      entrance_.run(nn::Unit::Form::Kept,
                    [this](const std::vector<at::Tensor>& in) -> std::vector<at::Tensor> {
                      at::Tensor time_silu_BE = time_embedding_(in[1]);
                      const at::Tensor h_NCHW = conv_in_(in[0]);
                      const at::Tensor& pose_NCHW = in[2];
                      if (!pose_NCHW.defined()) return {time_silu_BE, h_NCHW};
                      ZT_REQUIRE(pose_NCHW.sizes() == h_NCHW.sizes(), "wanted pose features like ", h_NCHW,
                                 ", got ", pose_NCHW);
                      return {time_silu_BE, h_NCHW + pose_NCHW};
                    },
                    {input.x_NCHW, input.timestep_B, input.pose_NCHW});
  walk.time_silu_BE = out[0];
  walk.h_NCHW = out[1];
}

bool UNetTrunk::run_layer(Walk& walk, const UNetLayer& layer, const at::Tensor& skip_NCHW) const {
  const Input& input = walk.input;
  LayerInput given{.h_NCHW = walk.h_NCHW, .skip_NCHW = skip_NCHW, .time_silu_BE = walk.time_silu_BE};
  if (layer.attention) given.context_BLD = input.context_BLD;
  if (layer.attention && input.bank && input.rows.any())
    given.bank_RSC = input.bank->norm1_RSC[layer.bank_index];
  if (layer.attention && input.projected && input.rows.any()) {
    given.key_RSC = input.projected->key_RSC[layer.bank_index];
    given.value_RSC = input.projected->value_RSC[layer.bank_index];
  }
  const bool writes = role_ == Role::Writer;
  const bool is_last = layer.attention && layer.bank_index + 1 == num_attentions_;
  const std::vector<at::Tensor> out = layer.unit.run(
      input.recompute ? nn::Unit::Form::Recomputed : nn::Unit::Form::Kept,
      [&layer, writes, is_last, rows = input.rows, frames = input.frames](const std::vector<at::Tensor>& in) {
        return writes ? write_layer(layer, LayerInput::of(in), is_last)
                      : read_layer(layer, LayerInput::of(in), rows, frames);
      },
      given.all());
  if (writes && layer.attention) walk.written.norm1_RSC.push_back(out.back());
  walk.h_NCHW = out.front();
  return !writes || !is_last;
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
    walk.h_NCHW = run_alone(level.resample_unit, {walk.h_NCHW},
                            [&, height = next_NCHW.size(2), width = next_NCHW.size(3)](const auto& in) {
                              return nn::upsample(in[0], height, width, *level.resample);
                            });
  }
  return true;
}

void UNetTrunk::run(Walk& walk) const {
  enter(walk);
  walk.skips_NCHW.push_back(walk.h_NCHW);
  for (const UNetLevel& level : down_) {
    for (const UNetLayer& layer : level.layers) {
      if (!run_layer(walk, layer, {})) return;
      walk.skips_NCHW.push_back(walk.h_NCHW);
    }
    if (!level.resample) continue;
    walk.h_NCHW = run_alone(level.resample_unit, {walk.h_NCHW},
                            [&](const auto& in) { return (*level.resample)(in[0]); });
    walk.skips_NCHW.push_back(walk.h_NCHW);
  }
  if (!run_layer(walk, middle_, {})) return;
  walk.h_NCHW = run_alone(middle_end_unit_, {walk.h_NCHW, walk.time_silu_BE},
                          [this, frames = walk.input.frames](const auto& in) {
                            return middle_end_.forward(in[0], in[1], frames);
                          });
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
    const auto projected = layer.unit.run(nn::Unit::Form::Kept,
                                          [&](const std::vector<at::Tensor>& in) -> std::vector<at::Tensor> {
                                            const nn::ReferenceKeys keys = layer.attention->project(in[0]);
                                            return {keys.key_RTC, keys.value_RTC};
                                          },
                                          {bank.norm1_RSC[layer.bank_index]});
    out.key_RSC[layer.bank_index] = projected[0];
    out.value_RSC[layer.bank_index] = projected[1];
  };
  for (const UNetLevel& level : down_) std::for_each(level.layers.begin(), level.layers.end(), project_layer);
  project_layer(middle_);
  for (const UNetLevel& level : up_) std::for_each(level.layers.begin(), level.layers.end(), project_layer);
  return out;
}

}  // namespace zt::models
