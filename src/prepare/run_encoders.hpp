// SPDX-License-Identifier: Apache-2.0
// The frozen encoders of a run. A run that has no codec or image encoder of its own to read makes them (a
// codec fitted to its data, random weights) and keeps them in its folder, so that resuming, stage 2 and
// generation meet the same ones.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "base/error.hpp"
#include "config/job/data_job.hpp"
#include "config/job/model_job.hpp"
#include "data/clip_index.hpp"
#include "prepare/sample_encoder.hpp"

namespace zt::prepare {

struct EncoderSource {
  std::filesystem::path run;  ///< takes and gives codec/ and image_encoder/; empty: nothing is kept
  config::ModelJob model;
  config::DataJob data;  ///< what a linear codec is fitted to
  uint64_t seed = 0;
  at::Device device = at::kCPU;
  size_t num_threads = 1;
};

/// Opens each encoder where models::locate_encoders finds it; else makes it and saves it in the run's folder.
/// `clips` is read only where a codec must be fitted. Errors: those of locate_encoders, of
/// config::require_encoders and of the readers; NotFound or Corrupt if pictures to fit to can't be read.
Result<Encoders> open_run_encoders(const EncoderSource& source, const data::ClipIndex& clips);

/// How many pictures a linear codec is fitted to.
int64_t num_fit_pictures(const config::ModelJob& model, size_t num_clips);

/// The image embedding of a step without condition (D): zero, or what the encoder makes of an all-zero
/// picture tensor.
at::Tensor null_embedding(const Encoders& encoders, bool of_zero_pixels);

}  // namespace zt::prepare
