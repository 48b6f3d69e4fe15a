// SPDX-License-Identifier: Apache-2.0
// See model_state.hpp.
#include "train/state/model_state.hpp"

#include <string>
#include <string_view>
#include <utility>

#include "train/pass/run_rules.hpp"

namespace zt::train {
namespace {

constexpr std::string_view kParam = "param/";

/// Of trainable or frozen parameters: what is kept here; this rank's part as it is stored, of bf16 ones the
/// fp32 masters; or the masters alone.
enum class Extent { Kept, Stored, Masters };
std::vector<params::StateTensor> param_tensors(const ModelState& state, bool trainable, Extent extent) {
  const params::ParamStore& store = *state.networks.store;
  std::vector<params::StateTensor> tensors;
  const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
  for (const params::StoredParam& param : store.params()) {
    const params::Segment& segment = store.segments()[param.segment];
    const at::Tensor& master = state.optimizer->master(param.segment);
    if (segment.placement.trainable != trainable || (extent == Extent::Masters && !master.defined()))
      continue;
    const bool is_whole = extent == Extent::Kept && segment.keeps_values;
    const params::Range held = is_whole ? params::Range{0, segment.values_P.numel()} : segment.part;
    const at::Tensor& part = extent != Extent::Kept && master.defined() ? master : segment.values_S;
    params::visit_held(add, std::string(kParam) + param.info.name, is_whole ? segment.values_P : part, held,
                       param.place(), param.info.shape);
  }
  return tensors;
}

/// Moments and averages.
void add_moments(const ModelState& state, std::vector<params::StateTensor>& tensors) {
  const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
  state.optimizer->visit_state(add);
  if (state.ema) state.ema->visit_state(add);
}

std::vector<params::StateTensor> frozen_tensors(const ModelState& state, Saves saves) {
  const params::ParamStore& store = *state.networks.store;
  std::vector<params::StateTensor> tensors = param_tensors(state, /*trainable=*/false, Extent::Kept);
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
  const at::Device device = store.segments().front().kept_values().device();
  state.optimizer = std::make_unique<optim::AdamW>(store, adamw_options(job, device));
  if (job.optimizer.ema_decay > 0)
    state.ema = std::make_unique<optim::Ema>(store, ema_options(job.optimizer, device));
  if (job.precision.mixed_precision == config::MixedPrecision::Fp16)
    state.scaler = std::make_unique<optim::LossScaler>(scaler_options(job.precision));
  return state;
}

std::vector<params::StateTensor> state_tensors(const ModelState& state) {
  std::vector<params::StateTensor> tensors = param_tensors(state, /*trainable=*/true, Extent::Stored);
  add_moments(state, tensors);
  return tensors;
}

checkpoint::Snapshot snapshot_of(const ModelState& state, const Cursor& cursor, Saves saves) {
  checkpoint::Snapshot snapshot;
  snapshot.step = cursor.step;
  const params::ParamStore& store = *state.networks.store;
  if (store.shard().count == 1 ? saves.whole : saves.part) snapshot.tensors = state_tensors(state);
  snapshot.frozen = frozen_tensors(state, saves);
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
  for (const params::StateTensor& tensor : param_tensors(state, /*trainable=*/false, Extent::Kept))
    ZT_TRY(reader.copy_into(tensor));
  return {};
}

Status restore(ModelState& state, const checkpoint::Reader& reader) {
  std::vector<params::StateTensor> tensors = param_tensors(state, /*trainable=*/true, Extent::Kept);
  const auto masters = param_tensors(state, /*trainable=*/true, Extent::Masters);
  tensors.insert(tensors.end(), masters.begin(), masters.end());
  add_moments(state, tensors);
  for (const params::StateTensor& tensor : tensors) ZT_TRY(reader.copy_into(tensor));
  ZT_TRY(restore_frozen(state, reader));
  ZT_TRY_ASSIGN(const std::vector<params::StateScalar> scalars, reader.scalars());
  return set_scalars(state, scalars);
}

}  // namespace zt::train
