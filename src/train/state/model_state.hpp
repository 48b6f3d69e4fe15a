// SPDX-License-Identifier: Apache-2.0
// Everything a step changes: parameters, optimizer moments, averages, loss scale; as one value that
// checkpoints save and restore by name.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "models/network_set.hpp"
#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "optim/loss_scaler.hpp"
#include "params/state.hpp"
#include "train/state/cursor.hpp"

namespace zt::train {

struct ModelState {
  models::NetworkSet networks;
  std::unique_ptr<optim::AdamW> optimizer;
  std::unique_ptr<optim::Ema> ema;            ///< null: no averages
  std::unique_ptr<optim::LossScaler> scaler;  ///< null: no loss scale (fp32, bf16)
};

/// Optimizer and averages of the store's shard, and scaler, for loaded networks.
ModelState make_model_state(models::NetworkSet networks, const config::TrainJob& job);

/// Live views of every parameter that trains, of the moments and of the averages: what this rank's shard has
/// of them.
std::vector<params::StateTensor> state_tensors(const ModelState& state);
/// What a checkpoint stores: live views, those of the parameters and buffers that the run leaves as they are
/// too; no metrics. `saver`: a rank that leaves out what an earlier one has, too; nothing: all that is here.
checkpoint::Snapshot snapshot_of(const ModelState& state, const Cursor& cursor,
                                 std::optional<int64_t> saver = {});

/// How a launch of a run saves. `meeting`: with several ranks.
checkpoint::SaverOptions saver_options(const config::TrainJob& job, const contract::RunFolder& run,
                                       int64_t generation, std::shared_ptr<checkpoint::Meeting> meeting = {});

/// The numbers that go with the tensors.
std::vector<params::StateScalar> state_scalars(const ModelState& state, const Cursor& cursor);
/// Sets the counters of optimizer, averages and loss scale. Errors: Corrupt for a missing one.
Status set_scalars(ModelState& state, const std::vector<params::StateScalar>& scalars);

/// Overwrites what the run leaves as it is with a checkpoint's. Errors: those of the reader.
Status restore_frozen(ModelState& state, const checkpoint::Reader& reader);
/// Overwrites all that is kept of the state with a checkpoint's. Errors: those of the reader; Corrupt for a
/// missing counter. The state is then partly overwritten and must not be used.
Status restore(ModelState& state, const checkpoint::Reader& reader);

}  // namespace zt::train
