// SPDX-License-Identifier: Apache-2.0
// See unit_exchange.hpp.
#include "dist/units/unit_exchange.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "params/lent_memory.hpp"
#include "tensor/require.hpp"

namespace zt::dist {
namespace {

constexpr size_t kAlign = 64;
/// What the first rank says instead of a unit's number when it needs no more.
constexpr int64_t kEnd = -1;
constexpr const char* kWanted = "which unit the first rank works on";

size_t aligned(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

void check(Status status) {
  if (!status) throw ExchangeFailed(std::move(status).error());
}

}  // namespace

UnitExchange::UnitExchange(params::ParamStore& store, SharingRanks ranks, const std::vector<Visit>& walk,
                           std::chrono::seconds timeout)
    : store_(store), ranks_(ranks), timeout_(timeout) {
  lay_out();
  plan(walk);
  store_.set_gate(this);
}

UnitExchange::~UnitExchange() { store_.set_gate(nullptr); }

void UnitExchange::lay_out() {
  std::vector<size_t> value_bytes, gradient_bytes;
  const auto segments = store_.segments();
  for (size_t s = 0; s < segments.size(); ++s) {
    const params::Segment& segment = segments[s];
    const auto [found, is_new] = by_name_.emplace(segment.unit, units_.size());
    if (is_new) {
      units_.push_back({segment.unit, {}, {}});
      value_bytes.push_back(0);
      gradient_bytes.push_back(0);
    }
    const size_t unit = found->second;
    const auto place = [&](std::vector<Place>& places, size_t& bytes) {
      places.push_back({s, bytes});
      bytes += aligned(segment.values_P.nbytes());
    };
    if (!segment.keeps_values) place(units_[unit].values, value_bytes[unit]);
    if (segment.placement.trainable && !segment.keeps_gradients)
      place(units_[unit].gradients, gradient_bytes[unit]);
  }
  const auto allocate = [&](auto& slots, const std::vector<size_t>& bytes) {
    const auto largest = static_cast<int64_t>(*std::max_element(bytes.begin(), bytes.end()));
    const auto options = segments.front().values_S.options().dtype(at::kByte);
    if (largest > 0)
      for (Slot& slot : slots) slot.bytes = at::empty({largest}, options);
    return largest > 0;
  };
  shares_ = {allocate(values_, value_bytes), allocate(gradients_, gradient_bytes)};
}

void UnitExchange::plan(const std::vector<Visit>& walk) {
  std::vector<Shared> shared;
  for (const Visit& visit : walk) {
    const auto found = by_name_.find(visit.unit);
    ZT_REQUIRE(found != by_name_.end(), "the store has no unit ", visit.unit);
    const UnitState& unit = units_[found->second];
    shared.push_back({!unit.values.empty(), !unit.gradients.empty()});
    plan_units_.push_back(found->second);
  }
  plan_ = plan_walk(walk, shared);
}

Status UnitExchange::compare_plans() {
  if (std::exchange(is_compared_, true)) return {};
  const at::Tensor all_R = at::zeros({ranks_.all.size()}, words());
  all_R[ranks_.all.rank()] = static_cast<int64_t>(digest(plan_));
  ZT_TRY(ranks_.all.all_gather_into(all_R, all_R.narrow(0, ranks_.all.rank(), 1), "plan of the units")
             .wait(deadline()));
  for (int64_t rank = 1; rank < all_R.numel(); ++rank) {
    if (all_R[rank].item<int64_t>() != all_R[0].item<int64_t>())
      return fail(ErrorCode::Internal,
                  fmt::format("rank {} plans other exchanges than rank 0: do all ranks run the same program "
                              "with the same configuration?",
                              rank));
  }
  return {};
}

Status UnitExchange::walk(const std::function<void()>& pass, bool adds) {
  ZT_TRY(compare_plans());
  forget_values();
  adds_ = adds;
  next_ = 0;
  open_.reset();
  mode_ = Mode::Walking;
  try {
    pass();
    end_open();
    while (next_ < plan_.size()) {
      begin(next_, /*is_at_work=*/false);
      end(next_, /*is_at_work=*/false);
    }
    for (GradientSlot& slot : gradients_) finish(slot);
  } catch (const ExchangeFailed& failed) {
    mode_ = Mode::Idle;
    return fail(failed.error());
  } catch (...) {
    mode_ = Mode::Idle;
    throw;
  }
  mode_ = Mode::Idle;
  return {};
}

Status UnitExchange::lead(const std::function<Status()>& work) {
  const bool is_first = ranks_.all.rank() == 0;
  if (!shares_.values) return is_first ? work() : Status();
  forget_values();
  if (!is_first) return serve();
  mode_ = Mode::Leading;
  next_ = 0;
  open_.reset();
  Status done;
  try {
    done = work();
  } catch (const ExchangeFailed& failed) {
    mode_ = Mode::Idle;
    return fail(failed.error());
  } catch (...) {
    mode_ = Mode::Idle;
    throw;
  }
  mode_ = Mode::Idle;
  ZT_TRY(ranks_.all.broadcast(at::full({1}, kEnd, words()), /*root=*/0, kWanted).wait(deadline()));
  return done;
}

Status UnitExchange::serve() {
  try {
    for (size_t slot = 0;; slot = (slot + 1) % kValueSlots) {
      const at::Tensor wanted = at::zeros({1}, words());
      ZT_TRY(ranks_.all.broadcast(wanted, /*root=*/0, kWanted).wait(deadline()));
      const auto unit = wanted.item<int64_t>();
      if (unit == kEnd) return {};
      if (!serves(units_[static_cast<size_t>(unit)])) continue;
      gather(static_cast<size_t>(unit), slot);
      wait(values_[slot].pending);
    }
  } catch (const ExchangeFailed& failed) {
    return fail(failed.error());
  }
}

bool UnitExchange::serves(const UnitState& unit) const {
  return std::ranges::any_of(unit.values, [&](const Place& place) {
    return ranks_.all.rank() < store_.segments()[place.segment].shard.count;
  });
}

void UnitExchange::enter(const Visit& visit) {
  const auto found = by_name_.find(visit.unit);
  ZT_REQUIRE(found != by_name_.end(), "the store has no unit ", visit.unit);
  if (mode_ == Mode::Leading) return enter_leading(found->second);
  if (mode_ == Mode::Idle) {
    ZT_REQUIRE(units_[found->second].values.empty(), visit.unit, " is at work outside a walk");
    return;
  }
  end_open();
  size_t at = next_;
  while (at < plan_.size() && !(plan_[at].visit == visit)) ++at;
  ZT_REQUIRE(at < plan_.size(), visit.unit, " is at work out of the planned order, ",
             visit.pass == Pass::Forward ? "forward" : "backward");
  while (next_ < at) {
    begin(next_, /*is_at_work=*/false);
    end(next_, /*is_at_work=*/false);
  }
  begin(at, /*is_at_work=*/true);
  open_ = at;
}

void UnitExchange::leave(const Visit& visit) {
  if (mode_ == Mode::Idle) return;
  if (mode_ == Mode::Leading) {
    if (open_) take_values_back(units_[*open_]);
    open_.reset();
    return;
  }
  ZT_REQUIRE(open_ && plan_[*open_].visit == visit, visit.unit, " ends without having begun");
  end_open();
}

void UnitExchange::end_open() {
  if (!open_) return;
  end(*open_, /*is_at_work=*/true);
  open_.reset();
}

void UnitExchange::enter_leading(size_t unit) {
  size_t slot = 0;
  while (slot < kValueSlots && values_[slot].unit != unit) ++slot;
  if (slot == kValueSlots) {
    slot = next_;
    next_ = (next_ + 1) % kValueSlots;
    const at::Tensor wanted = at::full({1}, static_cast<int64_t>(unit), words());
    check(ranks_.all.broadcast(wanted, /*root=*/0, kWanted).wait(deadline()));
    gather(unit, slot);
    wait(values_[slot].pending);
  }
  lend_values(units_[unit], values_[slot]);
  open_ = unit;
}

void UnitExchange::begin(size_t at, bool is_at_work) {
  const PlannedVisit& visit = plan_[at];
  const UnitState& unit = units_[plan_units_[at]];
  if (visit.shared.values) {
    Slot& slot = values_[visit.slot];
    if (slot.unit != plan_units_[at]) gather(plan_units_[at], visit.slot);
    wait(slot.pending);
    if (is_at_work) lend_values(unit, slot);
  }
  const size_t next_slot = plan_[visit.next].slot;
  if (visit.next != at && values_[next_slot].unit != plan_units_[visit.next])
    gather(plan_units_[visit.next], next_slot);
  if (!visit.shared.gradients) return;
  GradientSlot& slot = gradients_[next_gradients_];
  finish(slot);
  for (const Place& place : unit.gradients) {
    const at::Tensor memory = in_slot(slot, place);
    memory.zero_();
    if (is_at_work) params::lend(store_.segments()[place.segment].gradients_P, memory);
  }
}

void UnitExchange::end(size_t at, bool is_at_work) {
  const PlannedVisit& visit = plan_[at];
  const UnitState& unit = units_[plan_units_[at]];
  if (is_at_work && visit.shared.values) take_values_back(unit);
  if (visit.shared.gradients) {
    for (const Place& place : unit.gradients) {
      const params::Segment& segment = store_.segments()[place.segment];
      if (is_at_work) params::take_back(segment.gradients_P, "the gradients of " + unit.name);
    }
    reduce(unit, gradients_[next_gradients_]);
    next_gradients_ = (next_gradients_ + 1) % gradients_.size();
  }
  next_ = at + 1;
}

void UnitExchange::gather(size_t unit, size_t slot) {
  Slot& into = values_[slot];
  into.unit = unit;
  for (const Place& place : units_[unit].values) {
    const params::Segment& segment = store_.segments()[place.segment];
    into.pending.push_back(ranks_.of(segment).all_gather_into(in_slot(into, place), segment.values_S,
                                                              units_[unit].name + " values"));
  }
}

void UnitExchange::reduce(const UnitState& unit, GradientSlot& slot) {
  for (const Place& place : unit.gradients) {
    const params::Segment& segment = store_.segments()[place.segment];
    at::Tensor into_S = segment.gradients_S;
    if (adds_) {
      into_S = at::empty_like(into_S);
      slot.addends.push_back({place.segment, into_S});
    }
    slot.pending.push_back(
        ranks_.of(segment).reduce_scatter_into(into_S, in_slot(slot, place), unit.name + " gradients"));
  }
}

void UnitExchange::finish(GradientSlot& slot) {
  const at::NoGradGuard no_grad;
  wait(slot.pending);
  for (const Addend& addend : slot.addends) store_.segments()[addend.segment].gradients_S.add_(addend.sum_S);
  slot.addends.clear();
}

void UnitExchange::wait(std::vector<Pending>& pending) const {
  for (Pending& operation : pending) check(operation.wait(deadline()));
  pending.clear();
}

at::TensorOptions UnitExchange::words() const {
  return at::TensorOptions(at::kLong).device(ranks_.all.device_type());
}

at::Tensor UnitExchange::in_slot(const Slot& slot, const Place& place) const {
  const at::Tensor& whole_P = store_.segments()[place.segment].values_P;
  return slot.bytes.narrow(0, static_cast<int64_t>(place.offset), static_cast<int64_t>(whole_P.nbytes()))
      .view(whole_P.scalar_type());
}

void UnitExchange::lend_values(const UnitState& unit, const Slot& slot) const {
  for (const Place& place : unit.values)
    params::lend(store_.segments()[place.segment].values_P, in_slot(slot, place));
}

void UnitExchange::take_values_back(const UnitState& unit) const {
  for (const Place& place : unit.values)
    params::take_back(store_.segments()[place.segment].values_P, "the weights of " + unit.name);
}

void UnitExchange::forget_values() {
  for (Slot& slot : values_) slot.unit.reset();
}

}  // namespace zt::dist
