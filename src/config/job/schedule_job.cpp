// SPDX-License-Identifier: Apache-2.0
#include "config/job/schedule_job.hpp"

#include "config/listing.hpp"

namespace zt::config {

void describe(Listing& l, ScheduleJob& s) {
  l.field("num_train_timesteps", s.num_train_timesteps,
          {.help = "length of the noise schedule", .unit = "steps", .min = 2, .max = 100000});
  l.field("beta_start", s.beta_start, {.help = "first beta", .min = 0, .max = 1});
  l.field("beta_end", s.beta_end, {.help = "last beta", .min = 0, .max = 1});
  l.field("beta_schedule", s.beta_schedule,
          {.help = "betas between them; scaled_linear is linear in sqrt(beta)"});
  l.field("enable_zero_snr", s.enable_zero_snr, {.help = "rescale so that the last timestep is pure noise"});
  l.field("prediction_type", s.prediction_type, {.help = "what the network predicts"});
  l.field("timestep_distribution", s.timestep_distribution,
          {.help = "of training; uniform, or power: t = T (1 - u^timestep_power)"});
  l.field("timestep_power", s.timestep_power,
          {.help = "for power; above 1 prefers noisy timesteps", .min = 0.01, .max = 100});
  l.field("noise_offset", s.noise_offset,
          {.help = "share of noise that is equal over a whole picture or clip", .min = 0});
  l.field("snr_gamma", s.snr_gamma, {.help = "min-SNR loss weight; 0 = plain mean square", .min = 0});
  l.field("min_snr_variant", s.min_snr_variant,
          {.help = "weight for v_prediction; moore: min(snr + 1, gamma) / (snr + 1), standard: min(snr, "
                   "gamma) / (snr + 1). For sample both are min(snr, gamma), which vanishes where sampling "
                   "starts: none is better there"});
}

}  // namespace zt::config
