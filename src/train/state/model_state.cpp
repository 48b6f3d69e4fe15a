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

/// "optimizer.exp_avg/NAME" -> NAME.
std::string_view param_of(std::string_view tensor) { return tensor.substr(tensor.find('/') + 1); }

/// Removes what an earlier rank has, too: all parts are with the first of those that share a unit, what is
/// whole with rank 0.
void leave_to_earlier_ranks(int64_t saver, const params::ParamStore& store, bool are_parts,
                            std::vector<params::StateTensor>& tensors) {
  std::erase_if(tensors, [&](const params::StateTensor& tensor) {
    const params::Segment& segment = store.segments()[store.find(param_of(tensor.name))->segment];
    const bool is_whole = !are_parts && segment.keeps_values;
    return saver >= (is_whole ? 1 : segment.shard.count);
  });
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

checkpoint::Snapshot snapshot_of(const ModelState& state, const Cursor& cursor,
                                 std::optional<int64_t> saver) {
  checkpoint::Snapshot snapshot;
  snapshot.step = cursor.step;
  snapshot.tensors = state_tensors(state);
  snapshot.frozen = param_tensors(state, /*trainable=*/false, Extent::Kept);
  snapshot.scalars = state_scalars(state, cursor);
  if (!saver) return snapshot;
  const params::ParamStore& store = *state.networks.store;
  leave_to_earlier_ranks(*saver, store, /*are_parts=*/true, snapshot.tensors);
  leave_to_earlier_ranks(*saver, store, /*are_parts=*/false, snapshot.frozen);
  return snapshot;
}

checkpoint::SaverOptions saver_options(const config::TrainJob& job, const contract::RunFolder& run,
                                       int64_t generation, std::shared_ptr<checkpoint::Meeting> meeting) {
  return {.folder = run.checkpoints(),
          .run_id = run.identity().run_id,
          .config_digest = run.identity().config_digest,
          .generation = generation,
          .retention = {.keep_last = job.checkpoint.keep_last,
                        .keep_best = job.checkpoint.keep_best,
                        .keep_epochs = job.checkpoint.keep_epochs},
          .meeting = std::move(meeting)};
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
