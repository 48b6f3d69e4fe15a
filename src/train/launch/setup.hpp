// SPDX-License-Identifier: Apache-2.0
// Everything a launch computes with, made in the order that lets a run that can't work fail early: data,
// encoders, the memory and disk budget, networks, then the newest checkpoint or the start weights.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"
#include "data/cache_store.hpp"
#include "data/clip_index.hpp"
#include "data/sample/load_sample.hpp"
#include "diffusion/noise_schedule.hpp"
#include "optim/lr_schedule.hpp"
#include "prepare/run_encoders.hpp"
#include "prepare/sample_encoder.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/origin.hpp"
#include "train/pass/batch.hpp"
#include "train/ranks/ranks.hpp"
#include "train/state/cursor.hpp"
#include "train/state/model_state.hpp"

namespace zt::train {

/// Members refer to earlier ones: never moved. Shared with threads that read samples and may hang in a dead
/// disk.
struct Setup {
  Setup(const config::TrainJob& train_job, at::Device on_device, Ranks all_ranks,
        diffusion::NoiseSchedule noise_schedule)
      : job(train_job),
        device(on_device),
        ranks(std::move(all_ranks)),
        schedule(std::move(noise_schedule)),
        cursor(job.schedule.num_train_timesteps) {}
  ~Setup() { ranks = Ranks(); }  // before the store whose units they bring
  Setup(const Setup&) = delete;
  Setup& operator=(const Setup&) = delete;

  const config::TrainJob job;
  const at::Device device;
  Ranks ranks;
  const diffusion::NoiseSchedule schedule;
  size_t num_threads = 1;
  optim::LrSchedule lr;
  data::SamplePlanOptions plan;
  data::LoadSampleOptions load;  ///< of all that reads pictures: one memory bound
  data::ClipIndex clips, validation_clips;
  bool validates_on_training_clips = false;  ///< the data set has no clips of the validation split
  std::unique_ptr<data::CacheStore> cache;   ///< null: no cache
  prepare::Encoders encoders;
  std::unique_ptr<prepare::SampleEncoder> encoder, validation_encoder;
  BatchRules batch_rules;
  ModelState state;
  Cursor cursor;
  std::string checkpoint;        ///< name of the one it went on from; else empty
  bool is_from_memory = false;   ///< it went on from the ranks' memory
  bool keeps_snapshots = false;  ///< in memory, for a rank that is started again
};

/// Errors: Exhausted if memory or disk can't hold the run, with the arithmetic; those of the configuration
/// and of every file read. `journal` is told what takes long and which checkpoints were refused.
/// Every rank calls it; what is written (the run's encoders, the cache) the first writes before the others
/// read.
Result<std::shared_ptr<Setup>> set_up(const config::TrainJob& job, const contract::RunFolder& run,
                                      at::Device device, Ranks ranks, const Origin& origin, Journal& journal);

/// The same for a rank that lived on when others were lost: it keeps what it has loaded, takes part in the
/// waits of those that set up from the start, and goes back to origin.memory_step. Errors: as set_up(); the
/// state is then of no use.
Status set_up_again(Setup& setup, Ranks ranks, const Origin& origin, Journal& journal);

/// Back to the newest checkpoint, in a launch that has made steps since: state and cursor. The ranks must
/// have no save in flight. Errors: NotFound if there is no checkpoint of an earlier step; those of reading.
Status go_back(Setup& setup, const contract::RunFolder& run, Journal& journal);

}  // namespace zt::train
