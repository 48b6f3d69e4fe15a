// SPDX-License-Identifier: Apache-2.0
// Flat storage of all networks of a run. Each unit's parameters lie in segments: contiguous runs of one type,
// all trainable or all frozen, of one decay group, optimizer kind and gradient group. Every parameter starts
// on a 256-element border, so that 8-bit blocks, the gradient norm's tree and shard cuts never straddle two
// parameters; the padding is zero and stays zero. Parameters are views of their segment and their gradients
// views of its flat gradient, each its own leaf: backward adds in place and nothing is copied. What touches
// state (optimizer, EMA, checkpoint, checksum) walks segments.
//
// Ranks that share a unit are each responsible for an equal part of its segments, their shard; which ranks
// share which unit is a residency rule's to say. Where it says so, too, a rank keeps no more of a unit's
// gradients, or of its values, than its part; the whole is then there only while somebody lends memory for it
// (params/lent_memory.hpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "params/param_source.hpp"
#include "params/param_table.hpp"
#include "params/shard.hpp"
#include "params/unit_gate.hpp"

namespace zt::params {

/// Elements that parameters are aligned to inside a segment.
inline constexpr int64_t kBlockElements = 256;

/// Where a parameter goes. Frozen parameters have no gradient.
struct Placement {
  at::ScalarType dtype = at::ScalarType::Float;
  bool trainable = true;
  int decay_group = 0;     ///< the optimizer's: 0 = decays
  int optimizer_kind = 0;  ///< the optimizer's: which form of state
};
/// Asked once per parameter (not for buffers, which are frozen fp32).
using PlacementRule = std::function<Placement(const ParamInfo&)>;

/// What of a unit is kept whole between its uses; of the rest a rank has its part only.
struct Residency {
  bool whole_values = true;
  bool whole_gradients = true;
  Shard shard = {};  ///< the part that is this rank's
};
using ResidencyRule = std::function<Residency(const std::string& unit)>;

/// One parameter's place. `value` is the leaf that layers use.
struct StoredParam {
  ParamInfo info;
  size_t segment = 0;
  int64_t offset = 0;  ///< in elements, a multiple of kBlockElements
  at::Tensor value;
  /// The elements that are its own in its segment.
  Range place() const { return {offset, offset + info.numel()}; }
};

struct Segment {
  std::string unit;
  std::string group;  ///< gradient group
  Placement placement;
  std::vector<size_t> params;  ///< indices into ParamStore::params(), by offset
  bool keeps_values = true;    ///< the whole of them
  bool keeps_gradients = true;
  Shard shard;             ///< this rank's, of those that share the unit
  Range part;              ///< of the elements: the shard's
  at::Tensor values_P;     ///< flat, P a multiple of kBlockElements * shard.count
  at::Tensor gradients_P;  ///< same shape and type; undefined if frozen
  at::Tensor values_S;     ///< this rank's part: of values_P, or all that is kept
  at::Tensor gradients_S;
  /// What has memory of its own.
  const at::Tensor& kept_values() const { return keeps_values ? values_P : values_S; }
  const at::Tensor& kept_gradients() const { return keeps_gradients ? gradients_P : gradients_S; }
  /// Set by touch(): this step's backward reached the group. The optimizer leaves untouched segments alone,
  /// as the reference's skips parameters whose gradient is None.
  bool touched = false;
};

class ParamStore {
 public:
  struct Options {
    PlacementRule placement;  ///< default: trainable fp32
    uint64_t seed = 0;
    bool initialize = true;  ///< false leaves zeros: every parameter will be loaded
    at::Device device = at::kCPU;
    ResidencyRule residency = {};  ///< default: all whole
  };
  ParamStore(const ParamTable& table, const Options& options);
  ParamStore(const ParamStore&) = delete;
  ParamStore& operator=(const ParamStore&) = delete;

  /// A store over the same values with gradients of its own (zero, untouched): networks bound to it can run
  /// backward beside those bound to this one. Values stay shared whichever store lives longer.
  std::unique_ptr<ParamStore> with_own_gradients() const;

  /// A store of the same parameters whose fp32 ones, buffers apart, are in `dtype`, with memory that nobody
  /// has written yet; the others are shared. Backward leaves each parameter's gradient at its leaf: there are
  /// no flat ones. params/compute_copy.hpp keeps the two together.
  std::unique_ptr<ParamStore> with_values_in(at::ScalarType dtype) const;

  /// Of the unit that is divided into the most parts.
  int64_t most_shards() const;

  /// Told about the work of every unit bound to this store or to one made of it by with_*() later;
  /// null: nobody. Must outlive the layers' calls.
  void set_gate(UnitGate* gate) { gate_ = gate; }
  UnitGate* gate() const { return gate_; }

  /// For constructing a network whose parameters were declared under `network`.
  ParamSource source(std::string_view network) const { return ParamSource(*this, network); }

  std::span<const StoredParam> params() const { return params_; }
  std::span<Segment> segments() { return segments_; }
  std::span<const Segment> segments() const { return segments_; }
  /// Null if there is none of that name.
  const StoredParam* find(std::string_view name) const;

  /// Marks the trainable segments of a gradient group. Call for each group that a backward pass reaches.
  void touch(std::string_view group);
  /// Fills the gradients of touched segments with zero and clears the flags.
  void zero_gradients();

  /// Copies values (any float type, any layout) over a parameter, or what this rank has of it. Throws
  /// ContractError on another shape or unknown name.
  void assign(std::string_view name, const at::Tensor& value);
  /// The same for the parameter's first rows (of its first dimension).
  void assign_rows(std::string_view name, const at::Tensor& rows);

  /// Start values, as with Options::initialize, for the parameters that `wanted` picks.
  void initialize(uint64_t seed, const std::function<bool(const ParamInfo&)>& wanted);
  /// The start values that initialize() gives `other`, of the same shape.
  void initialize_like(std::string_view name, const ParamInfo& other, uint64_t seed);

  /// XXH3-128 over names, shapes and logical values of what starts with `prefix`; 32 hex digits.
  std::string digest(std::string_view prefix = "") const;
  /// Whether any parameter of the unit is trainable.
  bool trains(std::string_view unit) const;
  /// Elements of all parameters and buffers.
  int64_t num_elements() const;
  /// Elements of trainable parameters.
  int64_t num_trainable() const;
  /// Bytes of values and of gradients that are kept, padding included.
  int64_t num_bytes() const;

 private:
  ParamStore() = default;
  /// Over the same values and gradients, with the same gate.
  std::unique_ptr<ParamStore> clone() const;
  void lay_out(const ParamTable& table, const Options& options);
  void bind_views();
  /// Draws the start values that are kept here.
  void start(const StoredParam& param, uint64_t seed) const;
  /// Over the parameter's first elements.
  void put(const StoredParam& param, const at::Tensor& front) const;
  UnitGate* gate_ = nullptr;
  std::vector<StoredParam> params_;
  std::vector<Segment> segments_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

}  // namespace zt::params
