// SPDX-License-Identifier: Apache-2.0
// See model_state.hpp.
#include "train/model_state.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "train/run_rules.hpp"

namespace zt::train {
namespace {

constexpr std::string_view kParam = "param/";

/// Parameters, trainable or frozen ones; of each what is kept here, or of the trainable ones no more than
/// this rank's part of it.
enum class Extent { Kept, Part };
std::vector<params::StateTensor> param_tensors(const params::ParamStore& store, bool trainable,
                                               Extent extent) {
  std::vector<params::StateTensor> tensors;
  const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
  for (const params::StoredParam& param : store.params()) {
    const params::Segment& segment = store.segments()[param.segment];
    if (segment.placement.trainable != trainable) continue;
    const bool is_whole = extent == Extent::Kept && segment.keeps_values;
    const params::Range held = is_whole ? params::Range{0, segment.values_P.numel()} : segment.part;
    params::visit_held(add, std::string(kParam) + param.info.name,
                       is_whole ? segment.values_P : segment.values_S, held, param.place(), param.info.shape);
  }
  return tensors;
}

/// Moments and averages.
void add_moments(const ModelState& state, std::vector<params::StateTensor>& tensors) {
  const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
  state.optimizer->visit_state(add);
  if (state.ema) state.ema->visit_state(add);
}

std::vector<params::StateTensor> frozen_tensors(const params::ParamStore& store, Saves saves) {
  std::vector<params::StateTensor> tensors = param_tensors(store, /*trainable=*/false, Extent::Kept);
  std::erase_if(tensors, [&](const params::StateTensor& tensor) {
    const params::StoredParam* param = store.find(tensor.name.substr(kParam.size()));
    return !(store.segments()[param->segment].keeps_values ? saves.whole : saves.part);
  });
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

std::vector<params::StateTensor> state_tensors(const ModelState& state) {
  std::vector<params::StateTensor> tensors =
      param_tensors(*state.networks.store, /*trainable=*/true, Extent::Part);
  add_moments(state, tensors);
  return tensors;
}

checkpoint::Snapshot snapshot_of(const ModelState& state, const Cursor& cursor, Saves saves) {
  checkpoint::Snapshot snapshot;
  snapshot.step = cursor.step;
  const params::ParamStore& store = *state.networks.store;
  if (store.shard().count == 1 ? saves.whole : saves.part) snapshot.tensors = state_tensors(state);
  snapshot.frozen = frozen_tensors(store, saves);
  snapshot.scalars = state_scalars(state, cursor);
  return snapshot;
}

std::vector<params::StateScalar> state_scalars(const ModelState& state, const Cursor& cursor) {
  std::vector<params::StateScalar> scalars = state.optimizer->scalars();
  const auto append = [&](const std::vector<params::StateScalar>& more) {
    scalars.insert(scalars.end(), more.begin(), more.end());
  };
  if (state.ema) append(state.ema->scalars());
  if (state.scaler) append(state.scaler->scalars());
  append(to_scalars(cursor));
  return scalars;
}

Status set_scalars(ModelState& state, const std::vector<params::StateScalar>& scalars) {
  ZT_TRY(state.optimizer->set_scalars(scalars));
  if (state.ema) ZT_TRY(state.ema->set_scalars(scalars));
  if (state.scaler) ZT_TRY(state.scaler->set_scalars(scalars));
  return {};
}

Status restore_frozen(ModelState& state, const checkpoint::Reader& reader) {
  const params::ParamStore& store = *state.networks.store;
  for (const params::StateTensor& tensor : param_tensors(store, /*trainable=*/false, Extent::Kept))
    ZT_TRY(reader.copy_into(tensor));
  return {};
}

Status restore(ModelState& state, const checkpoint::Reader& reader) {
  const params::ParamStore& store = *state.networks.store;
  std::vector<params::StateTensor> tensors = param_tensors(store, /*trainable=*/true, Extent::Kept);
  add_moments(state, tensors);
  for (const params::StateTensor& tensor : tensors) ZT_TRY(reader.copy_into(tensor));
  ZT_TRY(restore_frozen(state, reader));
  ZT_TRY_ASSIGN(const std::vector<params::StateScalar> scalars, reader.scalars());
  return set_scalars(state, scalars);
}

}  // namespace zt::train
