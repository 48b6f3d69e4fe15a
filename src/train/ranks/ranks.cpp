// SPDX-License-Identifier: Apache-2.0
// See ranks.hpp.
#include "train/ranks/ranks.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tensor/require.hpp"
#include "train/ranks/store_meeting.hpp"
#include "train/ranks/unit_order.hpp"

namespace zt::train {
namespace {

constexpr std::string_view kFirstsWork = "what the first rank prepares";

}  // namespace

Ranks::Ranks(RankGroups groups, std::unique_ptr<rendezvous::Client> saves, config::ParallelJob job)
    : groups_(std::move(groups)),
      meeting_(
          std::make_shared<StoreMeeting>(std::move(saves), groups_.world->rank(), groups_.world->size())),
      job_(job) {}

void Ranks::abandon() {
  for (dist::Communicator* group : groups())
    if (group) group->abort();
  for (dist::Communicator* link : {groups_.to_holder.get(), groups_.from_ward.get()})
    if (link) link->abort();
  if (meeting_) meeting_->abort();
  if (words_) words_->judge_silence({});
}

void Ranks::watch(std::shared_ptr<RankWords> words, FlightDump& flight) {
  words_ = std::move(words);
  if (!groups_.world) return;
  words_->judge_silence({static_cast<double>(job_.hang_s), static_cast<double>(job_.timeout_s)});
  for (dist::Communicator* group : groups()) {
    if (!group) continue;
    group->observe(words_.get());
    flight.follow(*group);
  }
}

int64_t Ranks::on_this_host() const {
  if (!groups_.world) return 1;
  const dist::GroupIdentity& identity = groups_.world->identity();
  return std::ranges::count(identity.members, identity.members[static_cast<size_t>(identity.rank)].host,
                            &dist::Member::host);
}

bool Ranks::is_first_here() const {
  if (!groups_.world) return true;
  const dist::GroupIdentity& identity = groups_.world->identity();
  const auto own = identity.members.begin() + identity.rank;
  return std::ranges::find(identity.members, own->host, &dist::Member::host) == own;
}

PeerRule Ranks::peers() const {
  if (!groups_.to_holder) return {.ranks = size()};
  return peer_rule(groups_.world->identity().members, job_);
}

params::Range Ranks::lanes(int64_t num_lanes) const {
  return {num_lanes * rank() / size(), num_lanes * (rank() + 1) / size()};
}

std::shared_ptr<checkpoint::Meeting> Ranks::meeting() const { return meeting_; }

Status Ranks::check_meeting() const { return meeting_ ? meeting_->check() : Status(); }

Status Ranks::wait_all(std::vector<dist::Pending> operations) const {
  const clock::Deadline until = deadline();
  for (dist::Pending& operation : operations) ZT_TRY(operation.wait(until));
  return {};
}

Result<std::vector<std::vector<double>>> Ranks::gather(const std::vector<double>& mine, size_t longest,
                                                       std::string_view what) {
  if (!groups_.world) return std::vector<std::vector<double>>{mine};
  ZT_REQUIRE(mine.size() <= longest, "wanted at most ", longest, " numbers, got ", mine.size());
  const auto width = static_cast<int64_t>(longest) + 1;  // a row: how many, then they
  const at::Tensor all_RW = at::zeros({size(), width}, at::kDouble);
  const at::Tensor own_W = all_RW[rank()];
  auto* row = own_W.data_ptr<double>();
  row[0] = static_cast<double>(mine.size());
  std::copy(mine.begin(), mine.end(), row + 1);
  ZT_TRY(groups_.world->all_gather_into(all_RW.view(-1), own_W, what).wait(deadline()));
  std::vector<std::vector<double>> out;
  for (int64_t r = 0; r < size(); ++r) {
    const auto* numbers = all_RW[r].const_data_ptr<double>();
    out.emplace_back(numbers + 1, numbers + 1 + static_cast<int64_t>(numbers[0]));
  }
  return out;
}

Result<bool> Ranks::all_agree(bool mine, std::string_view what) {
  ZT_TRY_ASSIGN(const auto all, gather({mine ? 1.0 : 0.0}, /*longest=*/1, what));
  return std::ranges::all_of(all, [](const auto& of_rank) { return of_rank.front() != 0; });
}

Result<std::vector<double>> Ranks::from_first(std::vector<double> mine, std::string_view what) {
  if (!groups_.world) return mine;
  const at::Tensor view = at::from_blob(mine.data(), {static_cast<int64_t>(mine.size())}, at::kDouble);
  ZT_TRY(groups_.world->broadcast(view, /*root=*/0, what).wait(deadline()));
  return mine;
}

Status Ranks::barrier(std::string_view what) {
  return groups_.world ? groups_.world->barrier(what).wait(deadline()) : Status();
}

Status Ranks::await_first() {
  for (;;) {
    ZT_TRY_ASSIGN(const auto is_there, from_first({1.0}, kFirstsWork));
    if (is_there.front() != 0) return {};
  }
}

Status Ranks::keep_waiting() {
  if (since_told_.seconds() < static_cast<double>(job_.timeout_s) / 4) return {};
  since_told_ = clock::Stopwatch();
  ZT_TRY(from_first({0.0}, kFirstsWork));
  return {};
}

void Ranks::share_units(params::ParamStore& store, StepShape step) {
  if (!groups_.world) return;
  // Compared later: ranks that live on come here long before those that are started again.
  schedule_ = std::make_unique<ScheduleCheck>(store, step);
  units_ = std::make_unique<dist::UnitExchange>(store, sharing(), unit_order(store),
                                                std::chrono::seconds(job_.timeout_s));
  if (!units_->shares_values() && !units_->shares_gradients()) units_.reset();
  if (words_) unit_watch_ = std::make_unique<UnitWatch>(store, *words_);
}

Status Ranks::compare_schedules() const {
  return schedule_ ? schedule_->compare(*groups_.world, deadline()) : Status();
}

Status Ranks::walk(const std::function<void()>& pass, bool adds) {
  ZT_TRY(compare_schedules());
  if (units_) return units_->walk(pass, adds);
  pass();
  return {};
}

Status Ranks::on_first(const std::function<Status()>& work) {
  // What fails or is thrown ends the group: the others would meet this rank in another exchange.
  struct Leaving {
    Ranks* rank;
    ~Leaving() {
      if (rank) rank->abandon();
    }
  } leaving{is_first() ? this : nullptr};
  ZT_TRY(lead_or_wait(work));
  leaving.rank = nullptr;
  return {};
}

Status Ranks::lead_or_wait(const std::function<Status()>& work) {
  if (shares_values()) {
    ZT_TRY(compare_schedules());
    return units_->lead(work);
  }
  if (is_first()) ZT_TRY(work());
  return await_first();
}

dist::Traffic Ranks::traffic() const {
  dist::Traffic sum;
  for (const dist::Communicator* group : groups())
    if (group) sum += group->traffic();
  for (const dist::Communicator* link : {groups_.to_holder.get(), groups_.from_ward.get()})
    if (link) sum += link->traffic();
  return sum;
}

Result<double> Ranks::measure_bandwidth(int64_t elements, int times) {
  const at::TensorOptions options(copy().device_type());
  const at::Tensor mine_P = at::ones({elements}, options),
                   all_P = at::empty({elements * copy().size()}, options);
  const auto gather = [&] { return copy().all_gather_into(all_P, mine_P, "bandwidth").wait(deadline()); };
  ZT_TRY(gather());  // warm, and all begin together
  const clock::Stopwatch watch;
  for (int i = 0; i < times; ++i) ZT_TRY(gather());
  const auto received = static_cast<double>(all_P.nbytes() - mine_P.nbytes());
  return received * times / watch.seconds();
}

Status Ranks::sum_gradients(params::ParamStore& store) {
  if (!groups_.world) return {};
  ZT_TRY(compare_schedules());
  std::vector<dist::Pending> started;
  for (const params::Segment& segment : store.segments()) {
    if (!segment.touched || !segment.keeps_gradients) continue;
    const std::string what = segment.unit + " gradients";
    started.push_back(
        segment.shard.count == 1
            ? all().all_reduce(segment.gradients_P, dist::Reduction::Sum, what)
            : sharing().of(segment).reduce_scatter_into(segment.gradients_S, segment.gradients_P, what));
  }
  ZT_TRY(wait_all(std::move(started)));
  std::vector<dist::Pending> among_copies;
  for (const params::Segment& segment : store.segments()) {
    const bool has_copies = segment.shard.count > 1 && segment.shard.count < size();
    if (!segment.touched || !has_copies) continue;
    among_copies.push_back(groups_.replicas->all_reduce(segment.gradients_S, dist::Reduction::Sum,
                                                        segment.unit + " gradients of copies"));
  }
  return wait_all(std::move(among_copies));
}

Status Ranks::gather_values(params::ParamStore& store) {
  if (!groups_.world) return {};
  ZT_TRY(compare_schedules());
  std::vector<dist::Pending> started;
  for (const params::Segment& segment : store.segments()) {
    if (!segment.placement.trainable || !segment.keeps_values || segment.shard.count == 1) continue;
    started.push_back(
        sharing().of(segment).all_gather_into(segment.values_P, segment.values_S, segment.unit + " values"));
  }
  return wait_all(std::move(started));
}

}  // namespace zt::train
