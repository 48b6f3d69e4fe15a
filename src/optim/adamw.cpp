// SPDX-License-Identifier: Apache-2.0
// See adamw.hpp.
#include "optim/adamw.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>

#include "base/hash.hpp"
#include "optim/ema.hpp"
#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/gpu/gpu_step.hpp"
#include "optim/internal/host_staging.hpp"
#include "optim/internal/resting_sums.hpp"
#include "optim/internal/segment_blocks.hpp"
#include "params/param_store.hpp"
#include "tensor/memory.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

using internal::kBlock;
using params::Range;
using params::Segment;
static_assert(kBlock == params::kBlockElements);

/// Blocks that one thread takes at a time: enough that handing them out costs nothing.
constexpr int64_t kGrainBlocks = 64;

bool is_8bit(const Segment& segment) {
  return segment.placement.optimizer_kind == static_cast<int>(StateKind::Blockwise8Bit);
}

int64_t num_blocks(int64_t elements) { return (elements + kBlock - 1) / kBlock; }

/// The same run counted in blocks; a parameter's last block may be shorter.
Range in_blocks(Range elements) { return {elements.begin / kBlock, num_blocks(elements.end)}; }

internal::Factors factors(const AdamWOptions& options, const AdamWStep& step, int64_t t, bool decays) {
  internal::Factors f;
  f.gradient_scale = static_cast<float>(step.gradient_scale);
  f.decay = decays ? static_cast<float>(1 - step.lr * options.weight_decay) : 1.0f;
  f.beta1 = static_cast<float>(options.beta1);
  f.one_minus_beta1 = static_cast<float>(1 - options.beta1);
  f.beta2 = static_cast<float>(options.beta2);
  f.one_minus_beta2 = static_cast<float>(1 - options.beta2);
  f.minus_lr = static_cast<float>(-step.lr / (1 - std::pow(options.beta1, static_cast<double>(t))));
  f.correction = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(t))));
  f.eps = static_cast<float>(options.eps);
  return f;
}

/// Of a segment's step: the same for every number of ranks, since the segments are.
uint32_t rounding_key(size_t segment, int64_t t) {
  const std::array<int64_t, 2> words{static_cast<int64_t>(segment), t};
  return static_cast<uint32_t>(hash::xxh64(std::as_bytes(std::span(words))));
}

/// What the segment's part has of each of its parameters, counted from the part's begin.
std::vector<Range> held_ranges(const params::ParamStore& store, const Segment& segment) {
  std::vector<Range> out;
  for (const size_t index : segment.params) {
    const Range held = params::intersect(store.params()[index].place(), segment.part);
    if (held.size() > 0) out.push_back({held.begin - segment.part.begin, held.end - segment.part.begin});
  }
  return out;
}

/// Of each block of the part: its elements less one. Blocks that hold no parameter count as full: they stay
/// zero.
at::Tensor last_in_blocks(const params::ParamStore& store, const Segment& segment) {
  const at::Tensor last = at::full({segment.part.size() / kBlock}, kBlock - 1, at::kByte);
  for (const Range held : held_ranges(store, segment)) {
    if (const int64_t rest = held.end % kBlock; rest != 0) last[held.end / kBlock].fill_(rest - 1);
  }
  return last.to(segment.values_S.device());
}

/// Zeroes what lies outside `part`: gradients that other ranks step with.
void clear_outside(const Segment& segment) {
  if (!segment.keeps_gradients) return;
  const at::Tensor& all_P = segment.gradients_P;
  all_P.narrow(0, 0, segment.part.begin).zero_();
  all_P.narrow(0, segment.part.end, all_P.numel() - segment.part.end).zero_();
}

}  // namespace

namespace internal {

/// What surrounds the update of a block while it is in the cache.
struct BlockPass {
  SegmentBlocks numbers;
  float* average;  ///< of the part; null: no EMA
  float weight;
  bool clear;

  /// Calls update(value, gradient, tally).
  template <class Update>
  void operator()(int64_t at, int64_t count, Tally& tally, const Update& update) const {
    SegmentBlocks::Block block;
    Tally of_block;
    numbers.open(at, count, block);
    update(block.value, block.gradient, of_block);
    if (average) move_average(weight, count, block.value, average + at, of_block);
    if (numbers.are_rounded()) of_block.found.values = numbers.bit_sum(at, count);
    numbers.close(at, count, block, clear);
    if (numbers.are_rounded()) of_block.left.values = numbers.bit_sum(at, count);
    tally += of_block;
  }
};

}  // namespace internal

StateKind state_kind_8bit(int64_t num_elements) {
  return num_elements >= 4096 ? StateKind::Blockwise8Bit : StateKind::Float32;
}

AdamW::AdamW(params::ParamStore& store, const AdamWOptions& options) : store_(store), options_(options) {
  int64_t longest = 0;
  for (const Segment& segment : store_.segments()) {
    Moments moments;
    if (segment.placement.trainable) {
      const bool is_bf16 = segment.values_S.scalar_type() == at::kBFloat16;
      ZT_REQUIRE(is_bf16 || segment.values_S.scalar_type() == at::kFloat, segment.unit,
                 ": AdamW trains fp32 and bf16 parameters, got ", segment.placement.dtype);
      const at::Device home = options.is_offloaded ? at::kCPU : segment.values_S.device();
      const auto float32 = at::TensorOptions().dtype(at::kFloat).device(home);
      const int64_t size = segment.part.size();
      longest = std::max(longest, size);
      const auto of_moments = is_8bit(segment) ? float32.dtype(at::kByte) : float32;
      moments.first = tensor::mapped_zeros(size, of_moments);
      moments.second = tensor::mapped_zeros(size, of_moments);
      if (is_8bit(segment)) {
        moments.first_absmax = at::zeros({size / kBlock}, float32);
        moments.second_absmax = at::zeros_like(moments.first_absmax);
        if (!home.is_cpu()) moments.last_in_block = last_in_blocks(store_, segment);
      }
      if (is_bf16 && options.bf16_weights == Bf16Weights::Master)
        moments.master = segment.values_S.to(float32);
      steps_.emplace(segment.group, 0);
      if (!home.is_cpu() && !gpu_) gpu_ = std::make_unique<internal::GpuStep>(home);
    }
    moments_.push_back(std::move(moments));
    const bool is_on_host = segment.placement.trainable && moments_.back().first.device().is_cpu();
    sums_.push_back(is_on_host ? std::make_unique<internal::RestingSums>() : nullptr);
  }
  if (options.is_offloaded && longest > 0)
    staging_ = std::make_unique<internal::HostStaging>(store_.segments().front().values_S.device(),
                                                       std::min(longest, options.piece_elements));
}

AdamW::~AdamW() = default;

AdamW::Moments AdamW::Moments::of_run(Range run) const {
  const auto cut = [](const at::Tensor& flat, Range range) {
    return flat.defined() ? flat.narrow(0, range.begin, range.size()) : at::Tensor();
  };
  Moments out;
  out.first = cut(first, run);
  out.second = cut(second, run);
  out.first_absmax = cut(first_absmax, in_blocks(run));
  out.second_absmax = cut(second_absmax, in_blocks(run));
  out.master = cut(master, run);
  return out;
}

void AdamW::step(const AdamWStep& step) {
  std::set<std::string> touched;
  for (const Segment& segment : store_.segments()) {
    if (segment.touched) touched.insert(segment.group);
  }
  for (const std::string& group : touched) ++steps_.at(group);
  const float ema_weight = step.ema ? step.ema->begin_update() : 0.0f;
  begin_sums();
  if (staging_) update_offloaded(step, ema_weight);

  for (size_t s = 0; s < moments_.size(); ++s) {
    const Segment& segment = store_.segments()[s];
    if (!segment.placement.trainable) continue;
    if (segment.touched) {
      if (!staging_) update(s, step, ema_weight);
    } else if (step.ema) {
      step.ema->move(s, ema_weight);
      if (sums_[s]) sums_[s]->forget_averages();
    }
  }
  end_sums(step.ema != nullptr);
  if (!step.clear_gradients) return;
  for (Segment& segment : store_.segments())
    if (segment.placement.trainable) segment.touched = false;
}

void AdamW::begin_sums() {
  changed_at_rest_.reset();
  for (size_t s = 0; s < sums_.size(); ++s)
    if (sums_[s] && store_.segments()[s].touched) sums_[s]->begin_step();
}

void AdamW::end_sums(bool has_averages) {
  for (size_t s = 0; s < sums_.size(); ++s) {
    const Segment& segment = store_.segments()[s];
    if (!sums_[s] || !segment.touched) continue;
    const char* changed = sums_[s]->end_step(has_averages);
    if (changed && !changed_at_rest_) changed_at_rest_ = fmt::format("{} of {}", changed, segment.unit);
  }
}

void AdamW::update(size_t s, const AdamWStep& step, float ema_weight) {
  const Segment& segment = store_.segments()[s];
  if (step.clear_gradients) clear_outside(segment);
  if (gpu_) return update_on_gpu(s, step, ema_weight);
  const at::Tensor average = step.ema ? step.ema->averages_[s] : at::Tensor();
  update_on_host(s, {segment, moments_[s], average}, step, ema_weight);
}

void AdamW::update_offloaded(const AdamWStep& step, float ema_weight) {
  const std::span<const Segment> segments = store_.segments();
  AdamWStep on_host = step;
  on_host.clear_gradients = false;  // of copies
  staging_->run(
      segments, [&](size_t s) { return !moments_[s].master.defined(); },
      [&](size_t s, const Segment& piece) {
        const int64_t begin = piece.part.begin - segments[s].part.begin;
        const at::Tensor average =
            step.ema ? step.ema->averages_[s].narrow(0, begin, piece.part.size()) : at::Tensor();
        ZT_REQUIRE(!step.ema || average.device().is_cpu(), "averages of offloaded state must be offloaded");
        update_on_host(s, {piece, moments_[s].of_run({begin, begin + piece.part.size()}), average}, on_host,
                       ema_weight);
      });
  if (!step.clear_gradients) return;
  for (const Segment& segment : segments) {
    if (segment.touched) segment.kept_gradients().zero_();
  }
}

void AdamW::update_on_host(size_t s, const HostPart& part, const AdamWStep& step, float ema_weight) {
  const Segment& segment = part.segment;
  const int64_t t = steps_.at(segment.group);
  const internal::Factors f = factors(options_, step, t, segment.placement.decay_group == 0);
  const internal::BlockPass pass{internal::SegmentBlocks(segment, part.moments.master, rounding_key(s, t)),
                                 part.average.defined() ? part.average.data_ptr<float>() : nullptr,
                                 ema_weight, step.clear_gradients};
  if (is_8bit(segment)) return update_8bit(part, f, pass, *sums_[s]);
  float* first = part.moments.first.data_ptr<float>();
  float* second = part.moments.second.data_ptr<float>();
  tensor::parallel_for(0, segment.part.size() / kBlock, kGrainBlocks, [&](int64_t begin, int64_t end) {
    internal::Tally tally;
    for (int64_t at = begin * kBlock; at < end * kBlock; at += kBlock)
      pass(at, kBlock, tally, [&](float* value, const float* gradient, internal::Tally& of_block) {
        internal::adamw(f, kBlock, value, gradient, first + at, second + at, of_block);
      });
    sums_[s]->add(tally);
  });
}

// Parameter by parameter, because elements past a parameter's end have no 8-bit state.
void AdamW::update_8bit(const HostPart& part, const internal::Factors& f, const internal::BlockPass& pass,
                        internal::RestingSums& sums) {
  const Moments& moments = part.moments;
  uint8_t* first = moments.first.data_ptr<uint8_t>();
  uint8_t* second = moments.second.data_ptr<uint8_t>();
  float* first_absmax = moments.first_absmax.data_ptr<float>();
  float* second_absmax = moments.second_absmax.data_ptr<float>();
  for (const Range held : held_ranges(store_, part.segment)) {
    const int64_t first_block = held.begin / kBlock;
    tensor::parallel_for(0, num_blocks(held.size()), kGrainBlocks, [&](int64_t begin, int64_t end) {
      internal::Tally tally;
      for (int64_t block = first_block + begin; block < first_block + end; ++block) {
        const int64_t at = block * kBlock, count = std::min(kBlock, held.end - at);
        const internal::Block8Bit state{first + at, first_absmax + block, second + at, second_absmax + block};
        pass(at, count, tally, [&](float* value, const float* gradient, internal::Tally& of_block) {
          internal::adamw_8bit(f, count, value, gradient, state, of_block);
        });
      }
      sums.add(tally);
    });
  }
}

void AdamW::update_on_gpu(size_t s, const AdamWStep& step, float ema_weight) {
  const Segment& segment = store_.segments()[s];
  const Moments& m = moments_[s];
  const int64_t t = steps_.at(segment.group);
  const internal::Factors f = factors(options_, step, t, segment.placement.decay_group == 0);
  internal::ElementRun run = internal::run_of(segment, m.master);
  run.rounding_key = rounding_key(s, t);
  run.clear = step.clear_gradients;
  run.average = step.ema ? step.ema->averages_[s].data_ptr<float>() : nullptr;
  run.average_weight = ema_weight;
  if (!is_8bit(segment)) return gpu_->step(f, run, m.first, m.second);
  gpu_->step_8bit(f, run, {m.first, m.first_absmax, m.second, m.second_absmax, m.last_in_block});
}

void AdamW::round_masters() {
  const at::NoGradGuard no_grad;
  for (size_t s = 0; s < moments_.size(); ++s)
    if (moments_[s].master.defined()) store_.segments()[s].values_S.copy_(moments_[s].master);
}

void AdamW::visit_state(const params::StateVisitor& visitor) const {
  for (const params::StoredParam& param : store_.params()) {
    const Segment& segment = store_.segments()[param.segment];
    const Moments& moments = moments_[param.segment];
    if (!segment.placement.trainable) continue;
    const auto named = [&](const char* kind) {
      return fmt::format("optimizer.{}/{}", kind, param.info.name);
    };
    const auto visit = [&](const char* kind, const at::Tensor& flat) {
      params::visit_held(visitor, named(kind), flat, segment.part, param.place(), param.info.shape);
    };
    const auto visit_absmax = [&](const char* kind, const at::Tensor& flat) {
      params::visit_held(visitor, named(kind), flat, in_blocks(segment.part), in_blocks(param.place()),
                         {num_blocks(param.info.numel())});
    };
    if (!is_8bit(segment)) {
      visit("exp_avg", moments.first);
      visit("exp_avg_sq", moments.second);
      continue;
    }
    visit("exp_avg_code", moments.first);
    visit_absmax("exp_avg_absmax", moments.first_absmax);
    visit("exp_avg_sq_code", moments.second);
    visit_absmax("exp_avg_sq_absmax", moments.second_absmax);
  }
}

std::vector<params::StateScalar> AdamW::scalars() const {
  std::vector<params::StateScalar> out;
  for (const auto& [group, count] : steps_) out.push_back({"optimizer.step/" + group, count});
  return out;
}

Status AdamW::set_scalars(const std::vector<params::StateScalar>& scalars) {
  std::map<std::string, int64_t> steps;
  for (const auto& [group, count] : steps_) {
    ZT_TRY_ASSIGN(steps[group], params::find_count(scalars, "optimizer.step/" + group));
  }
  steps_ = std::move(steps);
  for (const auto& sums : sums_)
    if (sums) sums->forget();
  return {};
}

int64_t AdamW::num_bytes() const {
  int64_t sum = 0;
  for (const Moments& m : moments_) {
    for (const at::Tensor* t :
         {&m.master, &m.first, &m.second, &m.first_absmax, &m.second_absmax, &m.last_in_block}) {
      if (t->defined()) sum += static_cast<int64_t>(t->nbytes());
    }
  }
  return sum;
}

}  // namespace zt::optim
