// SPDX-License-Identifier: Apache-2.0
// Noise schedules, loss weights, timesteps and DDIM trajectories.
#include <ATen/ATen.h>

#include "checks.hpp"
#include "diffusion/ddim.hpp"
#include "diffusion/loss.hpp"

namespace zt::parity {
namespace {

using diffusion::NoiseSchedule;
using diffusion::Prediction;

constexpr const char* kDdimFile = "g_ddim";

NoiseSchedule without_rescaling(const NoiseSchedule& schedule) {
  diffusion::NoiseScheduleConfig config = schedule.config();
  config.zero_terminal_snr = false;
  return unwrap(NoiseSchedule::make(config));
}

at::Tensor table(const NoiseSchedule& schedule) {
  const auto values = schedule.alphas_cumprod();
  return at::tensor(at::ArrayRef<float>(values.data(), values.size()));
}

void check_tables(const FixtureFolder& folder, const NoiseSchedule& train, const NoiseSchedule& infer,
                  Report& report) {
  Check check("noise schedules and loss weights");
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    check.close(name, found, folder.get(kDdimFile, name), folder.tolerance(kDdimFile, name));
  };
  compare("alphas_cumprod_train", table(train));
  compare("alphas_cumprod_infer", table(infer));
  compare("alphas_cumprod_scaled_plain", table(without_rescaling(train)));
  compare("alphas_cumprod_linear_plain", table(without_rescaling(infer)));
  compare("moore_weights_gamma5", diffusion::loss_weights(train, {.gamma = 5}, Prediction::VPrediction,
                                                          at::arange(train.num_timesteps())));
  report.add(check);
}

void check_timesteps(const FixtureFolder& folder, int64_t num_timesteps, Report& report) {
  Check check("DDIM timesteps");
  for (const std::string& name : folder.names(kDdimFile, "timesteps_")) {
    const at::Tensor wanted = folder.get(kDdimFile, name);
    const std::vector<int64_t> found = diffusion::ddim_timesteps(
        config::TimestepSpacing::Trailing, num_timesteps, wanted.size(0), /*steps_offset=*/1);
    check.require(name, at::tensor(found).equal(wanted));
  }
  report.add(check);
}

void check_trajectories(const FixtureFolder& folder, const NoiseSchedule& infer, Report& report) {
  const at::Tensor outputs = folder.input(kDdimFile, "traj_model_outputs");
  const at::Tensor noises = folder.input(kDdimFile, "traj_variance_noise");
  Check check("DDIM trajectories");
  for (const Prediction prediction : {Prediction::VPrediction, Prediction::Epsilon}) {
    for (const double eta : {0.0, 0.6}) {
      const bool is_v = prediction == Prediction::VPrediction;
      const std::string name =
          std::string(is_v ? "traj_v_prediction" : "traj_epsilon") + (eta > 0 ? "_eta0.6" : "_eta0.0");
      // Epsilon says nothing where no signal is left, so its trajectory uses the plain schedule.
      const auto sampler = unwrap(diffusion::DdimSampler::make(
          is_v ? infer : without_rescaling(infer), {.prediction = prediction, .eta = eta}, outputs.size(0)));
      const at::Tensor wanted = folder.get(kDdimFile, name);
      at::Tensor x = folder.input(kDdimFile, "traj_x0");
      for (int64_t i = 0; i < outputs.size(0); ++i) {
        x = sampler.step(static_cast<size_t>(i), outputs[i], x, noises[i]).previous;
        check.close(name + " step " + std::to_string(i), x, wanted[i], folder.tolerance(kDdimFile, name));
      }
    }
  }
  report.add(check);
}

}  // namespace

void check_diffusion(const FixtureFolder& folder, Report& report) {
  if (!folder.has(kDdimFile)) return report.add_absent("noise schedules and DDIM");
  const NoiseSchedule train = folder.schedule("scheduler_train"), infer = folder.schedule("scheduler_infer");
  check_tables(folder, train, infer, report);
  check_timesteps(folder, infer.num_timesteps(), report);
  check_trajectories(folder, infer, report);
}

}  // namespace zt::parity
