// SPDX-License-Identifier: Apache-2.0
// What a generation takes from the training of its networks, where nobody said otherwise: pictures of the
// size, sampled and guided in the way that they were trained for. Other ones cost time or quality without an
// error: networks that were trained for one step without guidance are worse for thirty with it. What somebody
// wrote counts, and what compat: moore asks for. Each returns lines for people about what changed. For the
// windows see meaning/run_context.hpp.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/load.hpp"
#include "config/meaning/trained.hpp"

namespace zt::config {

/// Width and height of the training; of one of them alone, the other in proportion, and where that is no
/// whole number, the nearest even one. Errors: InvalidConfig if that is out of range.
Result<std::vector<std::string>> take_size(const Trained& trained, Resolved<GenerateJob>& resolved);

/// For a GenerateJob or EvalJob: steps, guidance_scale, same_noise_per_frame, timestep_spacing and
/// beta_schedule of the training's validation.
template <class Job>
Result<std::vector<std::string>> take_sampling(const Trained& trained, Resolved<Job>& resolved);

/// The noise schedule: of weights of no run, which have their own.
Status take_schedule(const Trained& trained, Resolved<GenerateJob>& resolved);

/// How poses are drawn (PoseDrawing).
Result<std::vector<std::string>> take_drawing(const Trained& trained, Resolved<GenerateJob>& resolved);

}  // namespace zt::config
