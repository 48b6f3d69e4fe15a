// SPDX-License-Identifier: Apache-2.0
// Start values for motion modules that train from nothing: each head of temporal attention begins by looking
// at one neighbouring frame. With torch's start values a head averages over all frames, and telling frames
// apart is the last thing that training finds.
//
// How: the position encoding's fastest P sine and cosine pairs are kept apart from the features (proj_in and
// the attentions' outputs start with zero rows there). A query reads the pairs at t, a key at t', turned by
// the head's lag d, so that a logit is s^2 sum_j cos(w_j (t - d - t')): largest at t' = t - d, whatever the
// picture shows. Values, the feed-forward and the zero proj_out are left as they are, and so are names and
// shapes.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/unet/config.hpp"
#include "params/param_store.hpp"

namespace zt::models {

/// The frame that a head looks at first: frames into the past; negative: to come. Over the heads of a
/// module's attentions, in order: 1, 2, -1, 3, -2, 4, ...
int64_t frame_lag(int64_t head);

/// Overwrites the motion modules of `network`. A module whose heads are narrower than two channels, or that
/// has no position encoding, keeps its start values.
void start_with_frame_lags(params::ParamStore& store, std::string_view network, const MotionConfig& motion);

}  // namespace zt::models
