// SPDX-License-Identifier: Apache-2.0
// See unit_costs.hpp. What an operation keeps for backward: convolutions, norms, SiLU and GELU their input,
// whatever trains; linear layers their input where the weight trains; a product both factors; attention its
// queries, keys, values, output and one number per row; sums and copies nothing. A CPU's kernels for the
// layers of transformers (nn/rows/projection.hpp, nn/rows/feed_forward.hpp) keep their input alone.
#include "train/plan/unit_costs.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "nn/rows/feed_forward.hpp"
#include "nn/rows/projection.hpp"
#include "nn/tail_group.hpp"
#include "train/pass/run_rules.hpp"

namespace zt::train {
namespace {

bool has(std::string_view name, std::string_view part) { return name.find(part) != std::string_view::npos; }

/// Kept for backward, and the most that backward takes beside what is still kept.
struct Cost {
  double kept = 0;
  double working = 0;
  /// This, then `next`: in backward `next` has given all back when this one's turn comes.
  void follow_with(const Cost& next) {
    working = std::max(working - next.kept, next.working);
    kept += next.kept;
  }
};

/// A layer of a unit, with the widths that its weights show.
struct Layer {
  bool exists = false;
  bool trains = false;
  int64_t in_channels = 0, out_channels = 0;
};

/// What the table says of a unit. What is in a tail's group is never computed with.
struct UnitShape {
  std::string name;
  Layer resnet = {}, attention = {}, motion = {}, convolution = {};
  bool ends_at_norm1 = false;  ///< the rest of the attention is in the tail
  int64_t num_temporal = 0;    ///< temporal attentions of the motion module
  int64_t trained = 0, frozen = 0, idle = 0;
  double trained_bytes = 0, frozen_bytes = 0;
  int64_t weights = 0;  ///< elements of weights that every position passes
  int64_t trained_weights = 0;
  int64_t largest_trained = 0;
  int64_t transformer_weights = 0;  ///< of `weights`, those of attention and motion
};

int64_t stored_elements(const params::ParamInfo& info) {
  return (info.numel() + params::kBlockElements - 1) / params::kBlockElements * params::kBlockElements;
}

/// Counts a parameter or buffer of a unit (UnitShape or UnitCost) as it is kept.
template <class Unit>
void count_stored(Unit& unit, const params::ParamInfo& info, const params::PlacementRule& placement) {
  const params::Placement placed = info.is_buffer ? params::Placement{.trainable = false} : placement(info);
  const int64_t elements = stored_elements(info);
  const double bytes = static_cast<double>(elements) * static_cast<double>(at::elementSize(placed.dtype));
  (placed.trainable ? unit.trained : unit.frozen) += elements;
  (placed.trainable ? unit.trained_bytes : unit.frozen_bytes) += bytes;
  if (placed.trainable && nn::is_tail_group(info.group)) unit.idle += elements;
}

Layer& layer_of(UnitShape& unit, const std::string& name) {
  if (has(name, ".resnets.")) return unit.resnet;
  if (has(name, ".attentions.")) return unit.attention;
  return has(name, ".motion_modules.") ? unit.motion : unit.convolution;
}

void add_param(UnitShape& unit, const params::ParamInfo& info, bool trains) {
  const std::string& name = info.name;
  if (nn::is_tail_group(info.group)) {
    unit.ends_at_norm1 = unit.ends_at_norm1 || has(name, ".attn1.");
    return;
  }
  Layer& layer = layer_of(unit, name);
  layer.exists = true;
  layer.trains = layer.trains || trains;
  const bool is_weight = info.shape.size() >= 2 && !info.is_buffer;
  if (is_weight && (has(name, ".conv1.") || (&layer == &unit.convolution && info.shape.size() == 4)))
    layer.in_channels = info.shape[1], layer.out_channels = info.shape[0];
  if (&layer == &unit.motion && has(name, ".to_q.weight")) ++unit.num_temporal;
  // The single context token and the time step pass theirs once per clip.
  if (!is_weight || has(name, ".attn2.") || has(name, "time_emb")) return;
  unit.weights += info.numel();
  if (&layer != &unit.resnet && &layer != &unit.convolution) unit.transformer_weights += info.numel();
  if (!trains) return;
  unit.trained_weights += info.numel();
  unit.largest_trained = std::max(unit.largest_trained, info.numel());
}

std::vector<UnitShape> shapes_of(const config::TrainJob& job, const params::ParamTable& table,
                                 std::string_view network) {
  const params::PlacementRule placement = placement_rule(job, table);
  std::vector<UnitShape> units;
  std::map<std::string, size_t> place;
  for (const params::ParamInfo& info : table.params()) {
    if (!info.name.starts_with(network)) continue;
    const auto [found, is_new] = place.emplace(info.unit, units.size());
    if (is_new) units.push_back({.name = info.unit});
    count_stored(units[found->second], info, placement);
    add_param(units[found->second], info, !info.is_buffer && is_trainable(job, info.name));
  }
  return units;
}

/// One of the two UNets on its way through a micro batch.
struct Walk {
  const config::TrainJob& job;
  const models::UNetConfig& config;
  int64_t scale_factor = 1;
  double pictures = 1;
  int64_t frames = 1;
  bool writes_bank = false;  ///< ReferenceNet; the other reads it
  bool has_graph = false;    ///< whether backward reaches this far
  double bytes_each = kFloatBytes;
  bool has_half_weights = false;  ///< products take them as they are kept
  bool has_row_kernels = false;   ///< a CPU's, for the layers of transformers
  int64_t channels = 0;           ///< of what the next unit reads

  /// Positions of a level: sides halved, rounded up.
  double pixels(size_t level) const {
    int64_t height = job.data.height / scale_factor, width = job.data.width / scale_factor;
    for (size_t i = 0; i < level; ++i) height = (height + 1) / 2, width = (width + 1) / 2;
    return static_cast<double>(height * width);
  }
};

/// E.g. 2 of "denoising_unet.down_blocks.2.layers.0" behind "down_blocks.".
int64_t index_behind(std::string_view name, std::string_view part) {
  name.remove_prefix(name.find(part) + part.size());
  int64_t index = 0;
  std::from_chars(name.data(), name.data() + name.size(), index);
  return index;
}

/// `e`: elements of the layer's output per channel.
Cost resnet_cost(const Layer& resnet, double e) {
  const double in = e * static_cast<double>(resnet.in_channels);
  const double out = e * static_cast<double>(resnet.out_channels);
  // Inputs of norm1, SiLU, conv1; of norm2, SiLU, conv2.
  return {3 * in + 3 * out, 2 * in + out};
}

/// A transformer's layers: `e` elements of its output; `t`: 1 if it trains, else 0; which of its steps keep
/// their input alone.
struct Transformer {
  double e = 0, t = 0;
  bool projects_in_kernel = false, feeds_in_kernel = false;

  /// Input of the projection to 8 C, its output, the GELU of its half, input of the layer back to C. Backward
  /// holds three tensors of 4 C at once, and the gradients of the sum behind it.
  Cost feed_forward() const {
    if (feeds_in_kernel) return {0, 2 * e};
    return {e * (t + 8 + 4 + 4 * t), e * (13 - 4 * t)};
  }
  /// What the projections read behind the norm, and behind the positions.
  double normed(double tensors) const { return projects_in_kernel ? 0 : e * tensors * t; }
};

Cost attention_cost(const UnitShape& unit, const Transformer& layers, bool reads_bank) {
  const double e = layers.e, t = layers.t;
  // Inputs of norm and norm1; of proj_in.
  Cost cost{e * (2 + t), 2 * e};
  if (unit.ends_at_norm1) return cost;
  // Queries, keys, values (the bank's joined to them), output, input of norm3; of the projections.
  cost.follow_with({e * (reads_bank ? 7 : 5) + layers.normed(1), 4 * e});
  cost.follow_with(layers.feed_forward());
  cost.follow_with({e * t, e});  // input of proj_out
  return cost;
}

Cost motion_cost(const UnitShape& unit, const Transformer& layers) {
  const double e = layers.e, t = layers.t;
  Cost cost{e * (1 + t), 2 * e};  // inputs of norm and proj_in
  // Input of the norm, queries, keys, values, output; of the projections.
  for (int64_t i = 0; i < unit.num_temporal; ++i) cost.follow_with({5 * e + layers.normed(2), 4 * e});
  cost.follow_with({e, 0});  // input of ff_norm
  cost.follow_with(layers.feed_forward());
  cost.follow_with({e * t, e});
  return cost;
}

/// Adds a layer that backward reaches, from itself on if it trains.
void add_layer(Walk& walk, const Layer& layer, Cost& sum, const Cost& cost) {
  walk.has_graph = walk.has_graph || (layer.exists && layer.trains);
  if (layer.exists && walk.has_graph) sum.follow_with(cost);
}

/// A unit at its place in the walk.
struct CostedVisit {
  size_t level = 0;      ///< of the unit's output
  double positions = 0;  ///< of all pictures' outputs
  double output = 0;     ///< elements
  double input = 0;      ///< elements of what the unit before gives it
  bool reads_bank = false;
};

CostedVisit visit_of(const Walk& walk, const UnitShape& unit) {
  CostedVisit visit{.level = static_cast<size_t>(output_level(unit.name, walk.config.num_levels()))};
  const Layer& main = unit.resnet.exists ? unit.resnet : unit.convolution;
  visit.positions = walk.pictures * walk.pixels(visit.level);
  visit.output = visit.positions * static_cast<double>(main.out_channels);
  visit.input = visit.positions * static_cast<double>(walk.channels);
  visit.reads_bank = unit.attention.exists && !walk.writes_bank;
  return visit;
}

/// What a resampler or conv_in reads: a larger picture before a downsampler. The head: h, norm's and SiLU's
/// outputs.
Cost convolution_cost(const Walk& walk, const UnitShape& unit, const CostedVisit& visit) {
  double read = visit.positions * static_cast<double>(unit.convolution.in_channels);
  if (has(unit.name, "downsampler")) read *= walk.pixels(visit.level - 1) / walk.pixels(visit.level);
  return {has(unit.name, "head") ? 3 * read : read, read};
}

bool projects_in_kernel(const Walk& walk, const UnitShape& unit) {
  const int64_t width = unit.resnet.out_channels;
  return walk.has_row_kernels && nn::projection_fits_kernel(width, width);
}

/// Elements kept and worked with; moves the walk's graph on.
Cost layers_cost(Walk& walk, const UnitShape& unit, const CostedVisit& visit) {
  const auto transformer = [&](const Layer& layer) {
    return Transformer{visit.output, layer.trains ? 1.0 : 0.0, projects_in_kernel(walk, unit),
                       walk.has_row_kernels && nn::feed_forward_fits_kernel(unit.resnet.out_channels)};
  };
  Cost sum;
  add_layer(walk, unit.resnet, sum, resnet_cost(unit.resnet, visit.positions));
  add_layer(walk, unit.attention, sum, attention_cost(unit, transformer(unit.attention), visit.reads_bank));
  add_layer(walk, unit.motion, sum, motion_cost(unit, transformer(unit.motion)));
  if (!unit.resnet.exists) add_layer(walk, unit.convolution, sum, convolution_cost(walk, unit, visit));
  return sum;
}

/// fp32 numbers that attention keeps beside its tensors, one per row and head.
double attention_rows(const Walk& walk, const UnitShape& unit, const CostedVisit& visit) {
  const int64_t spatial =
      unit.attention.exists && !unit.ends_at_norm1 ? walk.config.num_heads[visit.level] : 0;
  return visit.positions * static_cast<double>(spatial + unit.num_temporal * walk.config.motion.num_heads);
}

void add_memory(Walk& walk, const UnitShape& unit, const CostedVisit& visit, UnitCost& cost) {
  const Cost layers = layers_cost(walk, unit, visit);
  const double bank = walk.writes_bank && unit.attention.exists ? visit.output : 0;
  cost.is_recomputed =
      walk.job.gradient_checkpointing && (unit.attention.exists || has(unit.name, ".layers."));
  cost.inputs = bank * walk.bytes_each;  // of a network without graph the bank alone
  if (!walk.has_graph) return;
  const double skip =
      unit.resnet.exists ? visit.positions * static_cast<double>(unit.resnet.in_channels) - visit.input : 0;
  cost.kept = (layers.kept + bank) * walk.bytes_each + attention_rows(walk, unit, visit) * kFloatBytes;
  cost.inputs += visit.input * walk.bytes_each;
  // Where a skip is joined to it, the input itself is not what the first layer keeps.
  cost.again = cost.kept - (skip == 0 ? visit.input * walk.bytes_each : 0);
  const bool is_half = walk.bytes_each < kFloatBytes;
  cost.working = layers.working * walk.bytes_each;
  const bool casts = is_half && !walk.has_half_weights;
  cost.weight_gradient = static_cast<double>(unit.largest_trained) * (casts     ? kFloatBytes + kHalfBytes
                                                                      : is_half ? kHalfBytes
                                                                                : kFloatBytes);
  cost.gradients_left = (skip + (visit.reads_bank ? visit.output : 0)) * walk.bytes_each;
  const int64_t uncast = projects_in_kernel(walk, unit) ? unit.transformer_weights : 0;
  cost.copies = casts ? kHalfBytes * static_cast<double>(unit.weights - uncast) : 0;
}

/// `had_graph`: gradients are wanted before the unit too.
void add_flops(const Walk& walk, const UnitShape& unit, const CostedVisit& visit, bool had_graph,
               UnitCost& cost) {
  const bool attends = unit.attention.exists && !unit.ends_at_norm1;
  const double keys = attends ? walk.pixels(visit.level) * (visit.reads_bank ? 2 : 1) : 0;
  const double attention = 4 * visit.output * (keys + static_cast<double>(unit.num_temporal * walk.frames));
  cost.forward_flops = 2 * visit.positions * static_cast<double>(unit.weights) + attention;
  if (!walk.has_graph) return;
  const int64_t weights = (had_graph ? unit.weights : 0) + unit.trained_weights;
  cost.backward_flops = 2 * visit.positions * static_cast<double>(weights) + 2 * attention;
}

UnitCost cost_of(Walk& walk, const UnitShape& unit) {
  const CostedVisit visit = visit_of(walk, unit);
  const bool had_graph = walk.has_graph;
  UnitCost cost{.name = unit.name,
                .trained = unit.trained,
                .frozen = unit.frozen,
                .idle = unit.idle,
                .trained_bytes = unit.trained_bytes,
                .frozen_bytes = unit.frozen_bytes};
  add_memory(walk, unit, visit, cost);
  add_flops(walk, unit, visit, had_graph, cost);
  walk.channels = unit.resnet.exists ? unit.resnet.out_channels : unit.convolution.out_channels;
  return cost;
}

/// Convolutions, each with a SiLU but the last; every second of `blocks` halves the picture.
UnitCost pose_cost(const config::TrainJob& job, const params::ParamTable& table, double pictures,
                   double bytes_each) {
  UnitCost cost{.name = std::string(models::kPoseGuider)};
  const params::PlacementRule placement = placement_rule(job, table);
  double pixels = static_cast<double>(job.data.width * job.data.height);
  for (const params::ParamInfo& info : table.params()) {
    if (info.unit != models::kPoseGuider) continue;
    count_stored(cost, info, placement);
    const bool trains = is_trainable(job, info.name);
    if (info.shape.size() != 4) continue;
    const bool halves = has(info.name, ".blocks.") && index_behind(info.name, ".blocks.") % 2 == 1;
    if (halves) pixels /= 4;
    const double flops = 2 * pictures * pixels * static_cast<double>(info.numel());
    cost.forward_flops += flops;
    if (!trains) continue;
    cost.backward_flops += 2 * flops;
    if (!has(info.name, ".conv_out."))
      cost.kept += 2 * pictures * pixels * static_cast<double>(info.shape[0]) * bytes_each;
  }
  return cost;
}

bool trains(const std::vector<UnitShape>& units) {
  return std::any_of(units.begin(), units.end(), [](const UnitShape& unit) { return unit.trained > 0; });
}

}  // namespace

int64_t output_level(std::string_view unit, int64_t levels) {
  const int64_t resampled = has(unit, "sampler") ? 1 : 0;
  if (has(unit, "down_blocks.")) return index_behind(unit, "down_blocks.") + resampled;
  if (has(unit, "mid_block.")) return levels - 1;
  if (has(unit, "up_blocks.")) return levels - 1 - index_behind(unit, "up_blocks.") - resampled;
  return 0;  // conv_in, head
}

std::vector<UnitCost> unit_costs(const config::TrainJob& job, const params::ParamTable& table,
                                 const models::NetworkConfigs& configs, int64_t scale_factor, Place place) {
  const auto width = [](config::MixedPrecision precision) {
    return precision == config::MixedPrecision::Fp32 ? kFloatBytes : kHalfBytes;
  };
  const double each = width(job.precision.mixed_precision);
  const int64_t frames = job.stage == 2 ? job.data.n_sample_frames : 1;
  const auto items = static_cast<double>(job.data.train_bs);
  std::vector<UnitCost> costs = {pose_cost(job, table, items * static_cast<double>(frames), each)};

  const auto walk_through = [&](std::string_view network, Walk walk) {
    const std::vector<UnitShape> units = shapes_of(job, table, network);
    walk.has_half_weights = trains(units) && job.precision.trained_weights != config::TrainedWeights::Fp32;
    if (!trains(units)) walk.bytes_each = std::min(each, width(job.precision.frozen_dtype));
    const bool has_copies = each < kFloatBytes && !walk.has_half_weights &&
                            (trains(units) || width(job.precision.frozen_dtype) == kFloatBytes);
    for (const UnitShape& unit : units) {
      costs.push_back(cost_of(walk, unit));
      if (has_copies)
        costs.back().standing_copies = kHalfBytes * static_cast<double>(unit.trained + unit.frozen);
    }
    return walk.has_graph;
  };
  const bool has_row_kernels = place == Place::Host && nn::cpu_has_row_kernels() &&
                               job.precision.mixed_precision != config::MixedPrecision::Fp16;
  Walk reference{.job = job, .config = configs.reference_unet, .scale_factor = scale_factor};
  reference.pictures = items;
  reference.writes_bank = true;
  reference.has_row_kernels = has_row_kernels;
  reference.bytes_each = each;
  Walk denoising{.job = job, .config = configs.denoising_unet, .scale_factor = scale_factor};
  denoising.pictures = items * static_cast<double>(frames);
  denoising.frames = frames;
  denoising.has_row_kernels = has_row_kernels;
  denoising.bytes_each = each;
  denoising.has_graph = walk_through(models::kReferenceUNet, reference) || costs.front().backward_flops > 0;
  walk_through(models::kDenoisingUNet, denoising);
  return costs;
}

double peak_activations(const std::vector<UnitCost>& units, bool copies_stand) {
  const auto copies_of = [&](const UnitCost& unit) { return copies_stand ? 0 : unit.copies; };
  const auto own_of = [&](const UnitCost& unit) {
    return unit.is_recomputed ? unit.inputs : unit.kept + copies_of(unit);
  };
  double held = 0;
  for (const UnitCost& unit : units) held += own_of(unit) + (copies_stand ? unit.standing_copies : 0);
  double peak = held;
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    const double again = unit->is_recomputed ? unit->again : 0,
                 copies = unit->is_recomputed ? copies_of(*unit) : 0;
    // The largest weights are those of small pictures, whose activations are nothing beside them.
    peak = std::max(peak, held + copies + std::max(again + unit->working, unit->weight_gradient));
    held += unit->gradients_left - own_of(*unit);
    if (copies_stand) held += kHalfBytes * static_cast<double>(unit->trained);
  }
  return copies_stand ? std::max(peak, held) : peak;
}

}  // namespace zt::train
