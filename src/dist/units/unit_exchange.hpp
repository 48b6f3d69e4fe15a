// SPDX-License-Identifier: Apache-2.0
// Brings each unit's weights when its work begins and takes its gradients away when it ends: ZeRO stages 2
// and 3 (Rajbhandari et al. 2020) over units. Ranks keep their part of a shared unit
// (params::ParamStore::Options::residency); its whole values are gathered into one of two slots before a
// visit, the next unit's while this one works, and its whole gradients live in one of two other slots until
// they are summed into the ranks' parts. Memory: two of the largest unit each, whatever the network's depth.
//
// A walk is one forward and backward pass in the planned order. A rank may leave visits out (a lane without
// reference does not work on ReferenceNet): it takes part in their exchange all the same, with zero
// gradients.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "dist/communicator.hpp"
#include "dist/units/unit_walk.hpp"
#include "params/param_store.hpp"

namespace zt::dist {

/// What the gate's calls throw, through autograd: an exchange failed.
class ExchangeFailed : public std::exception {
 public:
  explicit ExchangeFailed(Error error) : error_(std::move(error)), text_(error_.text()) {}
  const Error& error() const { return error_; }
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  Error error_;
  std::string text_;
};

/// Who exchanges what of a unit.
struct SharingRanks {
  Communicator& all;
  /// Those of all that share one copy of the state with this rank, neighbours; null: all do.
  Communicator* copy = nullptr;
  /// Requires: the segment is shared, by all or by a copy's ranks.
  Communicator& of(const params::Segment& segment) const {
    return copy && segment.shard.count == copy->size() ? *copy : all;
  }
};

class UnitExchange final : public params::UnitGate {
 public:
  /// Becomes the gate of the store; both and the groups must outlive it. `timeout`: of each wait.
  UnitExchange(params::ParamStore& store, SharingRanks ranks, const std::vector<Visit>& walk,
               std::chrono::seconds timeout);
  ~UnitExchange() override;
  UnitExchange(const UnitExchange&) = delete;
  UnitExchange& operator=(const UnitExchange&) = delete;

  /// Whether any unit's values, or gradients, are shared.
  bool shares_values() const { return shares_.values; }
  bool shares_gradients() const { return shares_.gradients; }

  /// Runs `pass`, one forward and backward pass over the units in the planned order, and completes what it
  /// left out; the gradients are then in the parts (Segment::gradients_S), in the place of what was there or,
  /// if it `adds`, on top of it. Every rank must do so, with its own pass or, having nothing to compute, with
  /// an empty one. The first time the ranks' plans are compared.
  /// Errors: those of Communicator; Internal if a rank has another plan. Throws what `pass` throws, and
  /// ContractError for a unit out of order.
  Status walk(const std::function<void()>& pass, bool adds = false);

  /// Runs `work` on rank 0, where it may visit units in any order, forward only; the others, which all call
  /// it too, bring their parts until it is done. Returns the work's status there, and the exchange's
  /// elsewhere.
  Status lead(const std::function<Status()>& work);

  void before_forward(const std::string& unit) override { enter({unit, Pass::Forward}); }
  void after_forward(const std::string& unit) override { leave({unit, Pass::Forward}); }
  void before_backward(const std::string& unit) override { enter({unit, Pass::Backward}); }
  void after_backward(const std::string& unit) override { leave({unit, Pass::Backward}); }

 private:
  enum class Mode { Idle, Walking, Leading };
  /// A shared segment and where it lies in a slot.
  struct Place {
    size_t segment = 0;
    size_t offset = 0;  ///< bytes
  };
  struct UnitState {
    std::string name;
    std::vector<Place> values, gradients;
  };
  struct Slot {
    at::Tensor bytes;
    std::optional<size_t> unit;  ///< whose values it holds, or are on their way to it
    std::vector<Pending> pending;
  };
  /// A sum over ranks that is to be added to a part.
  struct Addend {
    size_t segment = 0;
    at::Tensor sum_S;
  };
  struct GradientSlot : Slot {
    std::vector<Addend> addends;
  };

  void lay_out();
  void plan(const std::vector<Visit>& walk);
  Status compare_plans();
  void enter(const Visit& visit);
  void leave(const Visit& visit);
  void enter_leading(size_t unit);
  /// Exchange of visit number `at`, with or without work on it between the two.
  void begin(size_t at, bool is_at_work);
  void end(size_t at, bool is_at_work);
  void end_open();
  void gather(size_t unit, size_t slot);
  void reduce(const UnitState& unit, GradientSlot& slot);
  void finish(GradientSlot& slot);
  void wait(std::vector<Pending>& pending) const;
  clock::Deadline deadline() const { return clock::in(timeout_); }
  at::TensorOptions words() const;  ///< of numbers that ranks tell each other
  at::Tensor in_slot(const Slot& slot, const Place& place) const;
  void lend_values(const UnitState& unit, const Slot& slot) const;
  void take_values_back(const UnitState& unit) const;
  void forget_values();
  Status serve();
  /// Whether the first rank gathers from this one, not from a copy of its part.
  bool serves(const UnitState& unit) const;

  params::ParamStore& store_;
  const SharingRanks ranks_;
  const std::chrono::seconds timeout_;
  std::vector<UnitState> units_;
  std::map<std::string, size_t, std::less<>> by_name_;
  Shared shares_;
  std::vector<PlannedVisit> plan_;
  std::vector<size_t> plan_units_;  ///< of each visit
  bool is_compared_ = false;
  std::array<Slot, kValueSlots> values_;
  std::array<GradientSlot, 2> gradients_;
  size_t next_gradients_ = 0;
  bool adds_ = false;  ///< this walk
  Mode mode_ = Mode::Idle;
  size_t next_ = 0;             ///< visit; while leading, the slot to fill next
  std::optional<size_t> open_;  ///< visit at work; while leading, the unit
};

}  // namespace zt::dist
