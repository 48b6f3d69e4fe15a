// SPDX-License-Identifier: Apache-2.0
// Weight files into a store and back. Names in files are mapped to the reference's by a rule of
// weights/names.hpp. Nothing is loaded silently in part.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "params/param_store.hpp"
#include "weights/names.hpp"
#include "weights/tensor_file.hpp"

namespace zt::models {

/// Whether a state-dict name is a motion module's.
bool is_motion(std::string_view name);

/// What a file holds of a network.
enum class Contents {
  Whole,
  WithoutMotion,  ///< everything but the motion modules: SD 1.5, denoising_unet.pth
  MotionOnly,     ///< motion_module.pth, AnimateDiff, MotionAdapter
};

struct LoadRules {
  Contents contents = Contents::Whole;
  bool allow_missing_mid_motion = true;  ///< AnimateDiff v1 and v3 have none: they stay at their start values
  /// Leave the motion modules' proj_out at its start value (mm_zero_proj_out).
  bool zero_motion_output = false;
  /// From the file's names to the reference's (weights::vae_name, motion_name, ...); empty = names stay.
  /// Wrappers such as "module." are always taken off first.
  weights::NameRule rename = {};
  /// Parameters whose absence is no error, by suffix: {"conv_out.weight", "conv_out.bias"} of a ControlNet
  /// guider.
  std::vector<std::string> optional_suffixes = {};
};

struct LoadReport {
  std::string network, file;
  std::vector<std::string> loaded, missing, unexpected, wrong_shape;
  std::vector<std::string> not_finite;  ///< of the loaded
  std::vector<std::string> skipped;     ///< objects of a pickle that are no tensors
  /// One line: "denoising_unet from x.pth: 686 loaded, 0 missing, 2 unexpected (a.weight, a.bias), 0 of
  /// another shape"; names the first three that are unexpected or skipped.
  std::string summary() const;
};

/// Copies a file's tensors over the parameters under `network`. Unexpected names are reported, not refused.
/// Errors: Corrupt if a required parameter is missing, has another shape (but a position table of another
/// length is left alone) or holds a NaN or an infinity, and TensorFile::check_sums(); InvalidConfig if the
/// store has motion modules and the file was to hold them but has none (the message names the config key). On
/// error the store may be partly overwritten.
Result<LoadReport> load_network(params::ParamStore& store, std::string_view network,
                                const weights::TensorFile& file, const LoadRules& rules);

struct NamedTensor {
  std::string name;  ///< the reference's, without the network's prefix
  at::Tensor value;  ///< contiguous, on the CPU
};
/// The parameters and buffers under `network`, in declaration order.
std::vector<NamedTensor> network_tensors(const params::ParamStore& store, std::string_view network,
                                         Contents contents = Contents::Whole);

enum class SaveFormat { Safetensors, TorchZip };
/// Writes the parameters under `network` with the reference's names.
Status save_network(const params::ParamStore& store, std::string_view network,
                    const std::filesystem::path& path, SaveFormat format,
                    Contents contents = Contents::Whole);

}  // namespace zt::models
