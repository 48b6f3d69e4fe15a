// SPDX-License-Identifier: Apache-2.0
// See validator.hpp.
#include "train/validator.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/clock.hpp"
#include "optim/ema.hpp"
#include "tensor/parallel.hpp"
#include "train/pass/lanes.hpp"
#include "train/ranks/others_wait.hpp"
#include "train/validation_clips.hpp"

namespace zt::train {
namespace {

/// A lane's on any number of ranks, so that the best checkpoint is the same one.
int64_t threads_of_lane(const Setup& setup) {
  return divide_threads(setup.ranks.lanes(setup.job.lanes).size(), static_cast<int64_t>(setup.num_threads))
      .per_lane;
}

}  // namespace

Result<Validator> Validator::open(Setup& setup, const ForwardRules& rules, std::filesystem::path samples,
                                  Journal& journal, const std::function<bool()>& should_stop) {
  Validator validator(setup, rules, std::move(samples), journal);
  const config::ValidationJob& job = setup.job.validation;
  if (job.every_steps == 0 || job.num_loss_samples == 0) return validator;
  if (setup.ranks.is_first()) ZT_TRY(validator.open_set(should_stop));
  return validator;
}

Status Validator::open_set(const std::function<bool()>& should_stop) {
  journal_.progress(contract::Phase::Loading, "validation samples");
  const tensor::ThreadCount threads(threads_of_lane(setup_));
  OthersWait others(setup_.ranks);
  const auto ends = [&] { return !others.tell() || should_stop(); };
  auto set = ValidationSet::open(*setup_.validation_encoder, setup_.job, ends);
  ZT_TRY(others.status());
  if (!set) return fail(set.error());
  if (set->num_unreadable() > 0)
    journal_.event(contract::Warning{
        "validation", fmt::format("{} of {} samples can't be read: the loss is of the others",
                                  set->num_unreadable(), setup_.job.validation.num_loss_samples)});
  if (setup_.validates_on_training_clips)
    journal_.event(contract::Warning{
        "validation",
        fmt::format("no clips of the split '{}': the validation loss, and the best checkpoint by "
                    "it, are of training clips",
                    setup_.job.validation.split)});
  if (!set->is_empty()) set_ = *std::move(set);
  return {};
}

std::optional<double> Validator::loss_at(int64_t step) const {
  return loss_step_ == step ? std::optional(loss_) : std::nullopt;
}

Status Validator::run(bool with_clips) {
  const int64_t step = setup_.cursor.step;
  const bool is_first = setup_.ranks.is_first();
  const bool wants_loss = set_ && loss_step_ != step;
  const bool wants_clips =
      is_first && with_clips && setup_.job.validation.every_steps > 0 && clips_step_ != step;
  ZT_TRY_ASSIGN(const auto wanted,
                setup_.ranks.from_first({wants_loss || wants_clips ? 1.0 : 0.0}, "whether to validate"));
  if (wanted.front() == 0) return {};
  journal_.progress(contract::Phase::Validating, "averages");
  Status shared, measured;
  const auto share = [&] {  // also at the scope's end, which can't return an error
    if (shared && measured) shared = setup_.ranks.gather_values(*setup_.state.networks.store);
  };
  {
    const optim::EmaScope averages(setup_.state.ema.get(), share);
    if (shared) measured = setup_.ranks.on_first([&] { return measure(wants_loss, wants_clips); });
  }
  ZT_TRY(measured);
  ZT_TRY(shared);
  // A first rank that is lost may go on from another's cursor.
  ZT_TRY_ASSIGN(const auto best, setup_.ranks.from_first({setup_.cursor.best_loss}, "the lowest loss"));
  setup_.cursor.best_loss = best.front();
  return {};
}

Status Validator::measure(bool wants_loss, bool wants_clips) {
  const int64_t step = setup_.cursor.step;
  const clock::Stopwatch watch;
  const models::NetworkSet& set = setup_.state.networks;
  const StepNetworks nets{*set.reference_net, *set.denoising_unet, *set.pose_guider};
  if (wants_loss) {
    journal_.progress(contract::Phase::Validating, "loss");
    measure_loss(nets);
  }
  if (wants_clips) {
    journal_.progress(contract::Phase::Validating, "clips");
    ZT_TRY(write_validation_clips(nets, rules_, setup_, samples_, journal_));
    clips_step_ = step;
    clips_s_ = watch.seconds();
  }
  journal_.metrics(step, {{"time/validation_s", watch.seconds()}});
  return {};
}

void Validator::measure_loss(const StepNetworks& nets) {
  const clock::Stopwatch watch;
  const tensor::ThreadCount threads(threads_of_lane(setup_));
  Cursor& cursor = setup_.cursor;
  loss_ = set_->loss(nets, setup_.schedule, rules_, setup_.batch_rules, [&] { setup_.ranks.say_alive(); });
  loss_step_ = cursor.step;
  const bool is_best = loss_ < cursor.best_loss;
  if (is_best) cursor.best_loss = loss_;
  journal_.event(contract::ValidationDone{cursor.step, loss_, is_best, watch.seconds()});
  journal_.metrics(cursor.step, {{"val/loss", loss_}});
}

}  // namespace zt::train
