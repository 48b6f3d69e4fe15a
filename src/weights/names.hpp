// SPDX-License-Identifier: Apache-2.0
// Tensor names of published files -> ours (the reference's state-dict keys). Pure functions over names; the
// bytes are not touched, so the results view the same memory as their input.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "weights/tensor_file.hpp"

namespace zt::weights {

/// Our name for a file's name; nothing when the tensor does not belong to the network (or is recomputed) and
/// is left out.
using NameRule = std::function<std::optional<std::string>(std::string_view)>;

/// Takes off what training programs wrap around a state dict: where some names begin with "state_dict." only
/// those stay, without it; then a "module." that every name begins with goes (DistributedDataParallel).
std::vector<TensorEntry> unwrap(std::span<const TensorEntry> entries);

/// Applies the rule. Errors: Corrupt when two tensors get one name.
Result<std::vector<TensorEntry>> rename(std::span<const TensorEntry> entries, const NameRule& rule);

/// VAE: attention names of diffusers before 0.18 (query, key, value, proj_attn) -> to_q, to_k, to_v,
/// to_out.0. Their shapes agree. Other names pass unchanged.
std::optional<std::string> vae_name(std::string_view name);

/// Motion modules: AnimateDiff v1, v2, v3 and Moore (already our names) and diffusers' MotionAdapter -> ours.
/// Tensors that are not motion modules are left out, and so is diffusers' position table (recomputed;
/// AnimateDiff's `pe` stays).
std::optional<std::string> motion_name(std::string_view name);

/// Our motion names -> diffusers' MotionAdapter; `pos_encoder.pe` is left out, as there.
std::optional<std::string> motion_adapter_name(std::string_view name);

/// PoseGuider: of a ControlNet (told by its "controlnet_cond_embedding.*", after unwrap) only these, without
/// that prefix and without their `conv_out` (it stays zero-initialised, as in the reference). A PoseGuider's
/// own names pass.
NameRule pose_guider_rule(std::span<const TensorEntry> entries);

/// CLIP image encoder: "vision_model.*" and "visual_projection.weight" pass, the text half and position_ids
/// are left out.
std::optional<std::string> clip_vision_name(std::string_view name);

}  // namespace zt::weights
