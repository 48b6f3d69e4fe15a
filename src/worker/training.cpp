// SPDX-License-Identifier: Apache-2.0
// See training.hpp.
#include "worker/training.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "base/error_policy.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "config/meaning/unit_sharing.hpp"
#include "config/paths.hpp"
#include "contract/exit_codes.hpp"
#include "tensor/device.hpp"
#include "tensor/parallel.hpp"
#include "train/launch/left_out.hpp"
#include "train/loop.hpp"
#include "train/pass/run_rules.hpp"
#include "worker/attempt_events.hpp"
#include "worker/guard.hpp"

namespace zt::worker {
namespace {

/// The launcher decides at once when a process has ended; this is for one that hangs.
constexpr std::chrono::seconds kNewsLimit{60};
/// For who was told of a newer generation: the launcher's is in the store by then, or it is another
/// launcher's.
constexpr std::chrono::seconds kOldNewsLimit{1};
constexpr std::chrono::seconds kConnectLimit{30};
/// For a save in flight: of a rank that others wait for, so that all are gone or restarted within a second,
/// and of one that waits itself, or is alone.
constexpr std::chrono::milliseconds kLeaveLimit{300};
constexpr std::chrono::minutes kRejoinLimit{1};

void say_ready(const train::Setup& setup, double seconds, train::Journal& journal) {
  const params::ParamStore& store = *setup.state.networks.store;
  int64_t total = 0;
  for (const params::StoredParam& param : store.params()) total += param.info.numel();
  journal.event(contract::AttemptReady{seconds, store.num_trainable(), total - store.num_trainable()});
  log::info("train", fmt::format("ready after {:.1f} s: step {}, {} trainable parameters", seconds,
                                 setup.cursor.step, store.num_trainable()));
}

}  // namespace

Status Training::open() {
  if (memory_) return {};
  if (launch_.rank == 0) ZT_TRY(run_.check_import());  // another host may see an old listing
  ZT_TRY_ASSIGN(const auto file, run_.config_file(launch_.attempt.generation));
  ZT_TRY_ASSIGN(job_, config::thaw_run(file, run_.places()));
  ZT_TRY_ASSIGN(auto own, checkpoint::MemoryTier::open(static_cast<int>(call_.memory_fd)));
  ZT_TRY_ASSIGN(auto held, checkpoint::MemoryTier::open(static_cast<int>(call_.peer_fd)));
  memory_.emplace(checkpoint::Memory{std::move(own), std::move(held)});
  return {};
}

// The launcher takes a rank that it can't reach for lost.
Status Training::check_still_wanted() {
  ZT_TRY_ASSIGN(const std::string started, news_->get(contract::kStartedRanks, clock::in(kConnectLimit)));
  is_replaced_ = started.find(" " + std::to_string(launch_.rank) + " ") != std::string::npos;
  if (!is_replaced_) return {};
  return fail(ErrorCode::Superseded, "this rank was started anew: the launcher could not reach this process");
}

Result<train::Ranks> Training::join() {
  has_joined_ = false;
  if (launch_.ranks > 1) {
    news_.reset();
    ZT_TRY_ASSIGN(news_, rendezvous::Client::connect(launch_.store, clock::in(kConnectLimit)));
    if (lives_on_) ZT_TRY(check_still_wanted());
    if (!launch_.saves) {
      ZT_TRY_ASSIGN(launch_.saves, connect_for_saves(launch_.store, clock::in(kConnectLimit)));
    }
  }
  const bool keeps_memory = memory_->own.is_open();
  ZT_TRY_ASSIGN(train::Ranks ranks,
                join_ranks(launch_, job_,
                           {.keeps_memory = keeps_memory, .ends_on_stop = !keeps_memory || !is_restart_}));
  if (job_.threads == 0) job_.threads = launch_.threads;
  has_joined_ = true;
  return ranks;
}

Status Training::set_up(train::Ranks ranks, train::Journal& journal) {
  ZT_TRY_ASSIGN(const train::Origin origin,
                train::agree_on_origin(ranks, *memory_, run_.checkpoints(), is_restart_));
  // With stages 2 and 3 a unit may have been under way when the ranks were lost: its weights are loaded
  // again.
  const bool is_settled = setup_ && config::highest_stage(job_.parallel) <= 1;
  if (is_settled && origin.memory_step) {
    ZT_TRY(train::set_up_again(*setup_, std::move(ranks), origin, journal));
  } else {
    setup_.reset();  // before there are two of them
    if (!launch_.device.is_cpu()) tensor::set_gpu_math(train::gpu_math(job_.precision));
    ZT_TRY_ASSIGN(setup_, train::set_up(job_, run_, launch_.device, std::move(ranks), origin, journal));
  }
  memory_->drop_after(origin.memory_step.value_or(-1));
  tensor::set_num_threads(setup_->num_threads);
  return {};
}

Result<int> Training::run(train::Journal& journal, train::FlightDump& flight) {
  const clock::Stopwatch watch;
  ZT_TRY(open());
  // While it waits for the others nothing but a stop is a hang.
  if (launch_.ranks > 1) journal.words()->judge_silence({static_cast<double>(job_.parallel.hang_s), 0});
  ZT_TRY_ASSIGN(train::Ranks ranks, join());
  ranks.watch(journal.words(), flight);
  ZT_TRY(set_up(std::move(ranks), journal));
  ZT_TRY(train::leave_out_deadly_clips(*setup_, run_));
  journal.event(started(*setup_));
  say_ready(*setup_, watch.seconds(), journal);
  train::Loop loop(setup_, run_, *memory_, launch_.attempt.generation, journal,
                   [] { return signals::stop() != signals::Stop::None; });
  const Result<int> code = guarded([&]() -> Result<int> {
    ZT_TRY_ASSIGN(const train::LoopEnd outcome, loop.run());
    return outcome == train::LoopEnd::Completed ? contract::kExitOk : kExitResumable;
  });
  if (code) return code;
  if (!is_cause(code.error())) {
    loop.end_saves(kRejoinLimit);
    return code;
  }
  // The others have just ended, and the launcher takes the cause from the rank that has said one.
  exit_code_ = say_error(code.error());
  // Ranks that are started again from disk are worth a wait: the save in flight may be what they start from.
  const bool is_restarted_from_disk = memory_->own.is_open() && job_.checkpoint.memory_every_steps == 0;
  loop.end_saves(is_restarted_from_disk ? kRejoinLimit : kLeaveLimit);
  return code;
}

bool Training::is_cause(const Error& error) const {
  return launch_.ranks > 1 && error.code != ErrorCode::Cancelled && !is_of_the_group(error);
}

bool Training::is_of_the_group(const Error& error) const {
  // A group ends as cancelled when a newer generation begins though no rank of it has ended.
  if (error.code == ErrorCode::Cancelled) return signals::stop() == signals::Stop::None;
  return error.code == ErrorCode::PeerLost || error.code == ErrorCode::Superseded ||
         (!has_joined_ && error.code == ErrorCode::Unavailable);
}

bool Training::goes_on_after(const Error& error) {
  if (!memory_ || !memory_->own.is_open() || launch_.ranks == 1 || is_replaced_ || !is_of_the_group(error))
    return false;
  log::info("train", "waiting for the lost rank: " + error.text());
  // Nobody sets the key unless it is over; the next generation ends the wait.
  if (news_) {
    const auto limit = error.code == ErrorCode::Superseded ? kOldNewsLimit : kNewsLimit;
    const auto heard = news_->get(contract::kNoRestart, clock::in(limit));
    if (heard || heard.error().code != ErrorCode::Superseded) return false;
  }
  const auto attempts = run_.attempts();
  if (!attempts || attempts->empty()) return false;
  contract::Attempt newest = attempts->back();
  if (newest.generation <= launch_.attempt.generation) return false;
  launch_.store.generation = newest.generation;
  launch_.attempt = std::move(newest);
  launch_.saves.reset();
  is_restart_ = lives_on_ = true;
  return true;
}

}  // namespace zt::worker
