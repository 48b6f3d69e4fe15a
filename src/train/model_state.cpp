// SPDX-License-Identifier: Apache-2.0
// See model_state.hpp.
#include "train/model_state.hpp"

#include <utility>

#include "train/run_rules.hpp"

namespace zt::train {
namespace {

std::vector<params::StateTensor> param_tensors(const params::ParamStore& store, bool trainable) {
  std::vector<params::StateTensor> tensors;
  for (const params::StoredParam& param : store.params()) {
    if (store.segments()[param.segment].placement.trainable == trainable)
      tensors.push_back({"param/" + param.info.name, param.value.variable_data()});
  }
  return tensors;
}

}  // namespace

ModelState make_model_state(models::NetworkSet networks, const config::TrainJob& job) {
  ModelState state;
  state.networks = std::move(networks);
  params::ParamStore& store = *state.networks.store;
  state.optimizer = std::make_unique<optim::AdamW>(store, adamw_options(job.optimizer));
  if (job.optimizer.ema_decay > 0)
    state.ema = std::make_unique<optim::Ema>(store, ema_options(job.optimizer));
  if (job.precision.mixed_precision == config::MixedPrecision::Fp16)
    state.scaler = std::make_unique<optim::LossScaler>(scaler_options(job.precision));
  return state;
}

std::vector<params::StateTensor> frozen_tensors(const ModelState& state) {
  return param_tensors(*state.networks.store, /*trainable=*/false);
}

std::vector<params::StateTensor> state_tensors(const ModelState& state) {
  std::vector<params::StateTensor> tensors = param_tensors(*state.networks.store, /*trainable=*/true);
  const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
  state.optimizer->visit_state(add);
  if (state.ema) state.ema->visit_state(add);
  return tensors;
}

std::vector<params::StateScalar> state_scalars(const ModelState& state) {
  std::vector<params::StateScalar> scalars = state.optimizer->scalars();
  const auto append = [&](std::vector<params::StateScalar> more) {
    scalars.insert(scalars.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  if (state.ema) append(state.ema->scalars());
  if (state.scaler) append(state.scaler->scalars());
  return scalars;
}

Status restore(ModelState& state, const checkpoint::Reader& reader) {
  for (const params::StateTensor& tensor : state_tensors(state)) ZT_TRY(reader.copy_into(tensor));
  for (const params::StateTensor& tensor : frozen_tensors(state)) ZT_TRY(reader.copy_into(tensor));
  ZT_TRY_ASSIGN(const std::vector<params::StateScalar> scalars, reader.scalars());
  ZT_TRY(state.optimizer->set_scalars(scalars));
  if (state.ema) ZT_TRY(state.ema->set_scalars(scalars));
  if (state.scaler) ZT_TRY(state.scaler->set_scalars(scalars));
  return {};
}

}  // namespace zt::train
