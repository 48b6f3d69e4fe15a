// SPDX-License-Identifier: Apache-2.0
// See stepper.hpp.
#include "train/stepper.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <span>
#include <utility>

#include "tensor/require.hpp"

namespace zt::train {
namespace {

at::Device device_of(const ModelState& state) {
  return state.networks.store->segments().front().kept_values().device();
}

/// A GPU's launches are what its steps wait for. Weights and gradients that are exchanged by units are not
/// there to be copied as a whole.
LaneGroup::Options lane_options(at::Device device, const Ranks& ranks, const ForwardRules& rules,
                                const StepSettings& settings) {
  const bool shares = ranks.shares_values() || ranks.shares_gradients();
  LaneGroup::Options options;
  options.num_lanes =
      ranks.shares_gradients() ? 1 : static_cast<int64_t>(ranks.lanes(settings.num_lanes).size());
  options.num_threads = settings.num_threads;
  options.one_by_one = ranks.shares_values() || !device.is_cpu();
  if (!device.is_cpu() && rules.autocast.enabled && !shares) options.compute_dtype = rules.autocast.dtype;
  return options;
}

}  // namespace

struct Stepper::LaneReport {
  double loss = 0;  ///< sum over micro batches
  std::vector<SampleLoss> samples;
  double forward_s = 0, backward_s = 0;
  Status status;  ///< of the exchanges meanwhile
};

Stepper::Stepper(ModelState& state, Ranks& ranks, const diffusion::NoiseSchedule& schedule,
                 const ForwardRules& rules, const StepSettings& settings)
    : state_(state),
      ranks_(ranks),
      schedule_(schedule),
      rules_(rules),
      settings_(settings),
      device_(device_of(state)),
      clock_(device_),
      lanes_(state.networks, lane_options(device_, ranks, rules, settings)),
      check_(*state.networks.store, ranks, settings.check_every_steps, settings.first_step) {}

void Stepper::touch(params::ParamStore& store, const Batch& batch) const {
  store.touch(models::kDenoisingUNet);
  if (rules_.trains_pose_guider) store.touch(models::kPoseGuider);
  if (rules_.trains_reference_net && batch.has_references()) store.touch(models::kReferenceUNet);
}

void Stepper::enter(const params::ParamStore& store, contract::Activity activity) const {
  if (&store == state_.networks.store.get()) ranks_.enter(activity);
}

void Stepper::run_lane(size_t lane, const StepNetworks& nets, const std::vector<Batch>& batches,
                       double factor, bool adds, LaneReport& report) {
  for (const Batch& batch : batches) {
    if (!report.status) return;
    report.status = ranks_.walk([&] { run_batch(lane, nets, batch, factor, report); }, adds);
    adds = true;
  }
}

void Stepper::run_batch(size_t lane, const StepNetworks& nets, const Batch& batch, double factor,
                        LaneReport& report) {
  params::ParamStore& store = lanes_.store(lane);
  const auto begin = clock_.mark();
  enter(store, contract::Activity::Forward);
  const diffusion::DiffusionLoss loss = forward_loss(nets, schedule_, batch, rules_);
  const auto middle = clock_.mark();
  enter(store, contract::Activity::Backward);
  (loss.loss * factor).backward();
  lanes_.collect(lane);
  touch(store, batch);
  const auto end = clock_.mark();
  // Numbers are read behind all that a GPU is to do: each wait would leave it idle until it is told more.
  report.loss += loss.loss.item<double>();
  const at::Tensor mse_B = loss.per_sample_mse_B.to(at::kCPU, at::kDouble);
  for (int64_t i = 0; i < batch.size(); ++i)
    report.samples.push_back({batch.timesteps_B[i].item<int64_t>(), mse_B[i].item<double>()});
  report.forward_s += clock_.seconds(begin, middle);
  report.backward_s += clock_.seconds(middle, end);
}

Status Stepper::run_lanes(const StepBatches& batches, double factor, std::vector<LaneReport>& reports) {
  lanes_.run([&](size_t first, const StepNetworks& nets) {
    for (size_t lane = first; lane < batches.size(); lane += lanes_.size())
      run_lane(first, nets, batches[lane], factor, /*adds=*/lane != first, reports[lane]);
  });
  for (const LaneReport& report : reports) ZT_TRY(report.status);
  // Ranks with a lane less bring their shards for the others' last one.
  const auto missing = static_cast<size_t>(ranks_.most_lanes(settings_.num_lanes)) - batches.size();
  for (size_t i = 0; i < missing * batches.front().size(); ++i) ZT_TRY(ranks_.walk([] {}, /*adds=*/true));
  return {};
}

Result<StepReport> Stepper::step(const StepBatches& batches, double lr) {
  const auto num_own = static_cast<size_t>(ranks_.lanes(settings_.num_lanes).size());
  ZT_REQUIRE(batches.size() == num_own && !batches.front().empty(), "wanted micro batches for ", num_own,
             " lanes, got ", batches.size());
  StepReport report;
  report.loss_scale = state_.scaler ? state_.scaler->scale() : 1.0;
  const double parts = static_cast<double>(settings_.num_lanes) * static_cast<double>(batches.front().size());
  std::vector<LaneReport> lane_reports(num_own);
  ZT_TRY(run_lanes(batches, report.loss_scale / parts, lane_reports));
  report.forward_s = lane_reports.front().forward_s;
  report.backward_s = lane_reports.front().backward_s;
  auto passes_done = clock_.mark();
  ranks_.enter(contract::Activity::Optimizer);
  lanes_.reduce();
  ZT_TRY(share(lane_reports));
  for (const LaneReport& lane : lane_reports) {
    report.loss += lane.loss / parts;
    report.samples.insert(report.samples.end(), lane.samples.begin(), lane.samples.end());
  }
  ZT_TRY(update(report, lr));
  report.optimizer_s = time_of_update({std::move(passes_done), clock_.mark()});
  return report;
}

double Stepper::time_of_update(Span update) {
  std::swap(last_update_, update);
  if (device_.is_cpu()) return clock_.seconds(last_update_.begin, last_update_.end);
  // What it takes now is known when the next step has waited for it.
  return update.begin.event ? clock_.seconds(update.begin, update.end) : 0;
}

Status Stepper::share(std::vector<LaneReport>& lanes) {
  if (ranks_.size() == 1) return {};
  const std::span<params::Segment> segments = state_.networks.store->segments();
  const size_t lane_width = 1 + 2 * lanes.front().samples.size();
  std::vector<double> mine;
  for (const params::Segment& segment : segments) mine.push_back(segment.touched ? 1 : 0);
  for (const LaneReport& lane : lanes) {
    mine.push_back(lane.loss);
    for (const SampleLoss& sample : lane.samples) {
      mine.push_back(static_cast<double>(sample.timestep));
      mine.push_back(sample.mse);
    }
  }
  const size_t longest = segments.size() + static_cast<size_t>(settings_.num_lanes) * lane_width;
  ZT_TRY_ASSIGN(const auto by_rank, ranks_.gather(mine, longest, "losses of the lanes"));
  lanes.clear();
  for (const std::vector<double>& row : by_rank) {
    for (size_t s = 0; s < segments.size(); ++s) segments[s].touched = segments[s].touched || row[s] != 0;
    for (size_t at = segments.size(); at < row.size(); at += lane_width) {
      LaneReport& lane = lanes.emplace_back();
      lane.loss = row[at];
      for (size_t i = at + 1; i < at + lane_width; i += 2)
        lane.samples.push_back({static_cast<int64_t>(row[i]), row[i + 1]});
    }
  }
  return {};
}

Result<optim::GradientNorms> Stepper::norms(double scale) {
  const params::ParamStore& store = *state_.networks.store;
  const int64_t shards = store.most_shards();
  if (shards == 1) return optim::gradient_norms(store, scale);
  size_t longest = 0;
  for (int64_t i = 0; i < shards; ++i) longest = std::max(longest, optim::num_partial_sums(store, i));
  ZT_TRY_ASSIGN(const auto by_rank,
                ranks_.gather(optim::partial_square_sums(store), longest, "gradient norms"));
  // Further ranks have copies of the same parts.
  return optim::gradient_norms(store, std::span(by_rank).first(static_cast<size_t>(shards)), scale);
}

Status Stepper::update(StepReport& report, double lr) {
  params::ParamStore& store = *state_.networks.store;
  ZT_TRY(check_.before_update());
  ZT_TRY(ranks_.sum_gradients(store));
  check_.gradients_are_summed();
  ZT_TRY_ASSIGN(report.norms, norms(1.0 / report.loss_scale));
  const bool may_step =
      state_.scaler ? state_.scaler->update(report.norms.is_finite()) : report.norms.is_finite();
  report.is_skipped = !may_step;
  if (!may_step) {
    const std::vector<double> mine{static_cast<double>(optim::count_nonfinite(store, ranks_.rank()))};
    ZT_TRY_ASSIGN(const auto counts, ranks_.gather(mine, 1, "elements that are not finite"));
    for (const std::vector<double>& count : counts)
      report.num_nonfinite += static_cast<int64_t>(count.front());
    store.zero_gradients();
    return {};
  }
  settings_.before_update();
  optim::AdamWStep step;
  step.lr = lr;
  step.gradient_scale =
      optim::clip_coefficient(report.norms.total, settings_.max_grad_norm) / report.loss_scale;
  step.ema = state_.ema.get();
  step.clear_gradients = true;
  state_.optimizer->step(step);
  ZT_TRY(check_.updated(state_.optimizer->changed_at_rest()));
  ZT_TRY(ranks_.gather_values(store));
  return check_.after_update();
}

}  // namespace zt::train
