// SPDX-License-Identifier: Apache-2.0
// See loop.hpp.
#include "train/loop.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "contract/checkpoint_folder.hpp"
#include "data/from_job.hpp"
#include "train/pass/run_rules.hpp"

namespace zt::train {
namespace {

/// A pace is only believed after this many steps of this launch.
constexpr int64_t kStepsForPace = 5;

prepare::StreamOptions stream_options(const Setup& setup, const Journal& journal,
                                      const std::function<bool()>& should_stop) {
  prepare::StreamOptions options;
  options.in_hand = journal.in_hand();
  options.plan = setup.plan;
  options.num_threads = data::decode_threads(setup.job.data);
  const auto of_step = static_cast<uint64_t>(samples_per_step(setup.job));
  const uint64_t of_lane = of_step / static_cast<uint64_t>(setup.job.lanes);
  const params::Range lanes = setup.ranks.lanes(setup.job.lanes);
  options.share = {of_step, static_cast<uint64_t>(lanes.begin) * of_lane,
                   static_cast<uint64_t>(lanes.size()) * of_lane};
  const models::LatentCodec& codec = *setup.encoders.codec;
  const int64_t bytes_each =
      sample_bytes(setup.job, {.channels = codec.channels(), .scale_factor = codec.scale_factor()});
  options.prefetch = prefetched_samples(setup.job, bytes_each, options.share.size);
  options.left_out = setup.cursor.clips.left_out;
  // Several ranks stop between steps, all at the same one.
  if (setup.ranks.size() == 1) options.should_stop = should_stop;
  return options;
}

}  // namespace

Loop::Loop(std::shared_ptr<Setup> setup, const contract::RunFolder& run, checkpoint::Memory& memory,
           int64_t generation, Journal& journal, std::function<bool()> should_stop)
    : owner_(std::move(setup)),
      setup_(*owner_),
      job_(setup_.job),
      run_(run),
      journal_(journal),
      should_stop_(std::move(should_stop)),
      stepper_(setup_.state, setup_.ranks, setup_.schedule, forward_rules(job_, *setup_.state.networks.store),
               {.max_grad_norm = job_.optimizer.max_grad_norm,
                .num_lanes = job_.lanes,
                .num_threads = static_cast<int64_t>(setup_.num_threads),
                .check_every_steps = job_.parallel.check_every_steps,
                .first_step = setup_.cursor.step,
                .before_update = [this] { await_copies(); }}),
      saver_(saver_options(job_, run, generation, setup_.ranks.meeting())),
      snapshots_(setup_, memory, generation, journal),
      elapsed_before_s_(setup_.cursor.elapsed_s),
      first_step_(setup_.cursor.step),
      saved_step_(setup_.checkpoint.empty() ? -1 : setup_.cursor.step),
      faults_(setup_, journal) {}

void Loop::await_copies() {
  save_stall_s_ += saver_.await_copy();
  snapshots_.await_copy();
}

int64_t Loop::end_step() const {
  const auto& early = setup_.cursor.early_decay;
  return early ? std::min(early->end, job_.max_train_steps) : job_.max_train_steps;
}

int64_t Loop::ended_epochs() const {
  const auto every = static_cast<uint64_t>(job_.checkpoint.every_epochs);
  const uint64_t next = setup_.cursor.next_sample, step = static_cast<uint64_t>(samples_per_step(job_));
  if (every == 0 || next < step) return 0;
  const uint64_t clips = setup_.clips.clips.size(), epochs = next / clips / every * every;
  return epochs > (next - step) / clips ? static_cast<int64_t>(epochs) : 0;
}

double Loop::elapsed_s() const { return elapsed_before_s_ + watch_.seconds(); }

Result<LoopEnd> Loop::run() {
  Result<LoopEnd> end = LoopEnd::Stopped;
  try {
    end = train();
  } catch (...) {  // for the others as any other end of this rank
    setup_.ranks.abandon();
    throw;
  }
  if (!end) setup_.ranks.abandon();
  return end;
}

void Loop::end_saves(std::chrono::milliseconds limit) {
  if (saver_.wait_within(limit)) (void)take_saves(/*is_last=*/false);  // the run has failed already
}

Result<LoopEnd> Loop::train() {
  ZT_TRY_ASSIGN(Validator validator,
                Validator::open(setup_, stepper_.rules(), run_.samples(), journal_, should_stop_));
  validator_.emplace(std::move(validator));
  open_stream();
  ZT_TRY(setup_.ranks.await_first());  // its validator took samples
  journal_.progress_step({.step = setup_.cursor.step, .total_steps = end_step()});
  if (!setup_.is_from_memory) {
    ZT_TRY(snapshots_.keep());
  } else {
    snapshots_.copy_again();
    if (setup_.cursor.step > 0) ZT_TRY(after_step());  // the lost rank may have died before, or amid it
  }
  LoopEnd end = LoopEnd::Completed;
  while (setup_.cursor.step < end_step()) {
    ZT_TRY(setup_.ranks.check_meeting());  // no step is made that could not be saved
    ZT_TRY_ASSIGN(const Course course, next_course());
    if (course == Course::Stop) end = LoopEnd::Stopped;
    if (course != Course::GoOn) break;
    const clock::Stopwatch waiting;
    setup_.ranks.enter(contract::Activity::Data);
    const Result<StepBatches> batches = next_batches();
    if (!batches && batches.error().code == ErrorCode::Cancelled) continue;  // asked to stop meanwhile
    if (!batches) return fail(batches.error());
    ZT_TRY(train_step(*batches, waiting.seconds()));
  }
  if (end == LoopEnd::Completed) ZT_TRY(faults_.check_learned(first_step_));
  ZT_TRY(finish(end));
  return end;
}

Loop::Course Loop::decide() {
  if (should_stop_()) {
    journal_.event(contract::StopRequested{setup_.cursor.step, signals::requested_by()});
    return Course::Stop;
  }
  if (is_over(time_cap(), elapsed_s())) {
    journal_.event(
        contract::ScheduleChanged{setup_.cursor.step, setup_.cursor.step, "the time cap is reached"});
    return Course::End;
  }
  look_at_clock();
  return Course::GoOn;
}

Result<Loop::Course> Loop::next_course() {
  const Course mine = setup_.ranks.is_first() ? decide() : Course::GoOn;
  Cursor& cursor = setup_.cursor;
  const optim::EarlyDecay decay = cursor.early_decay.value_or(optim::EarlyDecay{-1, -1});
  ZT_TRY_ASSIGN(const auto decided,
                setup_.ranks.from_first({static_cast<double>(mine), static_cast<double>(decay.start),
                                         static_cast<double>(decay.end)},
                                        "whether to go on"));
  if (decided[1] >= 0) {
    cursor.early_decay = {static_cast<int64_t>(decided[1]), static_cast<int64_t>(decided[2])};
    cursor.decay_cap_s = job_.time_cap_s;
  }
  return static_cast<Course>(decided[0]);
}

Result<StepBatches> Loop::next_batches() {
  const auto micro_batches = static_cast<size_t>(job_.optimizer.gradient_accumulation_steps);
  StepBatches batches(static_cast<size_t>(setup_.ranks.lanes(job_.lanes).size()));
  for (const contract::SampleInHand& sample : step_samples_) journal_.in_hand()->put_back(sample);
  step_samples_.clear();
  for (std::vector<Batch>& lane : batches) {
    for (size_t m = 0; m < micro_batches; ++m) {
      std::vector<prepare::EncodedSample> samples;
      for (int64_t i = 0; i < job_.data.train_bs; ++i) {
        ZT_TRY_ASSIGN(prepare::EncodedSample sample, stream_->next());
        step_samples_.push_back(
            {sample.plan.sample, static_cast<int64_t>(sample.plan.clip), /*is_in_step=*/true});
        journal_.in_hand()->take(step_samples_.back());
        samples.push_back(std::move(sample));
      }
      lane.push_back(assemble(samples, roll_samples(samples, setup_.batch_rules), setup_.batch_rules));
    }
  }
  return batches;
}

Status Loop::train_step(const StepBatches& batches, double data_s) {
  const clock::Stopwatch watch;
  const double lr = optim::learning_rate(setup_.lr, setup_.cursor.step, setup_.cursor.early_decay);
  const int64_t sent_before = setup_.ranks.traffic().total().bytes_sent;
  const Result<StepReport> made = stepper_.step(batches, lr);
  if (const std::optional<Corruption>& found = stepper_.corruption()) faults_.note(*found);
  if (!made) return fail(made.error());
  const StepReport& report = *made;
  StepCost cost;
  cost.data_s = data_s;
  cost.total_s = data_s + watch.seconds();
  cost.save_s = std::exchange(save_stall_s_, 0.0);
  cost.samples = samples_per_step(job_);
  cost.sent_bytes = setup_.ranks.traffic().total().bytes_sent - sent_before;
  ++setup_.cursor.step;
  setup_.cursor.next_sample += static_cast<uint64_t>(samples_per_step(job_));
  count_losses(setup_.cursor, report);
  setup_.cursor.elapsed_s = elapsed_s();
  note_step(report, cost, lr);
  ZT_TRY(answer(report));
  if (setup_.cursor.step == end_step())
    ZT_TRY(faults_.check_learned(first_step_));  // before its checkpoint ends the run
  if (is_due(job_.checkpoint.memory_every_steps)) ZT_TRY(snapshots_.keep());
  return after_step();
}

Status Loop::after_step() {
  const bool is_last = setup_.cursor.step == end_step();
  const bool wants_clips = is_due(job_.validation.every_steps) || is_last;
  const bool wants_save = is_due(job_.checkpoint.every_steps) || ended_epochs() > 0;
  if (wants_clips || wants_save) {
    await_copies();  // averages stand in for the weights meanwhile
    ZT_TRY(validator_->run(wants_clips));
  }
  if (wants_save) save(is_last);
  return take_saves(/*is_last=*/false);  // what failed is tried again at the end
}

void Loop::note_step(const StepReport& report, const StepCost& cost, double lr) {
  const Cursor& cursor = setup_.cursor;
  if (is_due(job_.log_every_steps) || cursor.step == end_step()) {
    std::map<std::string, double> values = step_metrics(report, cursor, cost, lr);
    values.merge(memory_metrics(setup_.device));
    if (const double blocked_s = snapshots_.take_blocked_s(); blocked_s > 0)
      values["time/snapshot_s"] = blocked_s;
    journal_.metrics(cursor.step, values);
  }
  const double step_s = watch_.seconds() / static_cast<double>(cursor.step - first_step_);
  journal_.progress_step({.step = cursor.step,
                          .total_steps = end_step(),
                          .loss = cursor.loss.average(0).value_or(report.loss),
                          .samples_per_s = static_cast<double>(cost.samples) / step_s,
                          .eta_s = step_s * static_cast<double>(end_step() - cursor.step)});
}

Status Loop::answer(const StepReport& report) {
  ZT_TRY_ASSIGN(const StepFaults::Next next, faults_.judge(report, step_samples_));
  if (next == StepFaults::Next::LeaveClipsOut) open_stream();
  return next == StepFaults::Next::RollBack ? roll_back() : Status();
}

Status Loop::roll_back() {
  const int64_t from = setup_.cursor.step;
  const ClipFaults clips = setup_.cursor.clips;
  if (saver_.wait()) ZT_TRY(take_saves(/*is_last=*/false));
  snapshots_.await_copy();
  if (const Status back = go_back(setup_, run_, journal_); !back) {
    if (back.error().code != ErrorCode::NotFound) return back;  // a lost rank is no fault of the model
    return fail(ErrorCode::Numeric, fmt::format("{} steps in a row had no finite gradient; {}",
                                                faults_.skipped_in_a_row(), back.error().text()));
  }
  setup_.cursor.clips = clips;
  first_step_ -= from - setup_.cursor.step;  // for the pace, steps made twice are two steps
  saved_step_ = setup_.cursor.step;
  snapshots_.drop_later();
  stepper_.went_to(setup_.cursor.step);
  open_stream();
  const std::string reason = fmt::format(
      "steps {} to {} are made again: the last of them had no finite gradient", setup_.cursor.step + 1, from);
  journal_.event(contract::ScheduleChanged{setup_.cursor.step, end_step(), reason});
  log::warn("train", reason);
  return {};
}

void Loop::open_stream() {
  stream_.reset();  // its threads end before others begin
  const std::shared_ptr<const prepare::SampleEncoder> encoder(owner_, setup_.encoder.get());
  stream_ = std::make_unique<prepare::SampleStream>(encoder, stream_options(setup_, journal_, should_stop_),
                                                    setup_.cursor.next_sample);
}

TimeCap Loop::time_cap() const {
  if (job_.time_cap_s <= 0) return {};
  return {std::max(1.0, job_.time_cap_s - validator_->clips_s()), job_.time_cap_decay_start};
}

void Loop::look_at_clock() {
  Cursor& cursor = setup_.cursor;
  const int64_t done_here = cursor.step - first_step_;
  if (cursor.early_decay || done_here < kStepsForPace) return;
  const Pace pace{cursor.step, job_.max_train_steps, elapsed_s(),
                  watch_.seconds() / static_cast<double>(done_here)};
  cursor.early_decay = plan_early_decay(time_cap(), pace);
  if (!cursor.early_decay) return;
  cursor.decay_cap_s = job_.time_cap_s;
  const std::string reason = fmt::format(
      "at this pace the time cap ends the run at step {} of {}: the learning rate decays from here",
      cursor.early_decay->end, job_.max_train_steps);
  journal_.event(contract::ScheduleChanged{cursor.step, cursor.early_decay->end, reason});
  log::info("train", reason);
}

void Loop::save(bool is_last) {
  if (saved_step_ == setup_.cursor.step) return;
  const clock::Stopwatch watch;
  journal_.progress(contract::Phase::Saving);
  checkpoint::Snapshot snapshot = snapshot_of(setup_.state, setup_.cursor, setup_.ranks.rank());
  if (const auto loss = validator_->loss_at(snapshot.step))
    snapshot.metrics[contract::kValidationLoss] = *loss;
  if (const int64_t epochs = ended_epochs(); epochs > 0)
    snapshot.metrics[contract::kEpoch] = static_cast<double>(epochs);
  journal_.sync_later();  // before the copy begins: while its pages are made no other thread can be
  is_last ? saver_.save_in_place(snapshot) : saver_.save(snapshot);
  saved_step_ = setup_.cursor.step;
  save_stall_s_ += watch.seconds();
}

Status Loop::take_saves(bool is_last) {
  for (const checkpoint::SaveResult& done : saver_.take_results()) {
    if (!done.status) {
      journal_.event(
          contract::Warning{"checkpoint", fmt::format("step {}: {}", done.step, done.status.error().text())});
      if (done.step == saved_step_) saved_step_ = -1;
      // A later launch owns the folder, or a newer generation the group.
      if (done.status.error().code == ErrorCode::Superseded) return fail(done.status.error());
      // The run would end without its last weights: the rank that could not save says so, to the others it is
      // lost.
      if (is_last && done.step == setup_.cursor.step) return fail(done.status.error());
      continue;
    }
    journal_.event(checkpoint::event_of(done));
    for (const int64_t step : done.removed_steps)
      journal_.event(contract::CheckpointRemoved{step, contract::checkpoint_name(step)});
  }
  return {};
}

Status Loop::finish(LoopEnd end) {
  stream_.reset();
  if (end == LoopEnd::Completed) {
    await_copies();  // averages stand in for the weights meanwhile
    ZT_TRY(validator_->run(/*with_clips=*/true));
  }
  // A save of this very step may still be under way, or have failed.
  if (saver_.wait()) ZT_TRY(take_saves(/*is_last=*/false));
  save(/*is_last=*/true);
  const Status written = saver_.wait();
  ZT_TRY(take_saves(/*is_last=*/true));
  ZT_TRY(written);
  snapshots_.await();  // a neighbour's copy may need this rank
  journal_.progress(contract::Phase::Finished);
  journal_.sync();
  return {};
}

}  // namespace zt::train
