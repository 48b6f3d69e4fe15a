// SPDX-License-Identifier: Apache-2.0
// AdamW and 8-bit AdamW on stored gradients, and the learning-rate curves.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>

#include "checks.hpp"
#include "config/job/optim_job.hpp"
#include "optim/adamw.hpp"
#include "optim/lr_schedule.hpp"
#include "params/param_store.hpp"

namespace zt::parity {
namespace {

constexpr double kLearningRate = 1e-3;
constexpr int64_t kWarmupSteps = 5, kTotalSteps = 40;
constexpr double kRelative = 1e-6, kAbsolute = 1e-9;
/// Largest relative distance of two neighbouring fp32 numbers.
constexpr double kOneUlp = 0x1p-23;

/// One network of parameters that start at the file's "NAME.p0", stepped by hand.
class Stepper {
 public:
  Stepper(const std::map<std::string, at::Tensor>& start, bool is_8bit, at::Device device)
      : store_(table_of(start), {.placement = placement(is_8bit), .device = device}), adamw_(store_, {}) {
    for (const auto& [name, value] : start) store_.assign("net." + name, value);
    adamw_.visit_state([&](const auto& state) { state_.emplace(state.name, state.value); });
  }

  void step(const std::map<std::string, at::Tensor>& gradients) {
    for (const auto& [name, gradient] : gradients)
      store_.find("net." + name)->value.mutable_grad().copy_(gradient);
    store_.touch("net");
    adamw_.step({.lr = kLearningRate});
  }
  at::Tensor value(const std::string& name) const { return store_.find("net." + name)->value.detach(); }
  /// kind: "exp_avg", "exp_avg_sq_code", ...
  at::Tensor state(const std::string& kind, const std::string& name) const {
    return state_.at("optimizer." + kind + "/net." + name);
  }

 private:
  static params::ParamTable table_of(const std::map<std::string, at::Tensor>& start) {
    params::ParamTable table;
    const params::ParamSource source(table, "net");
    for (const auto& [name, value] : start) source.parameter(name, value.sizes(), params::Init::zeros());
    return table;
  }
  static params::PlacementRule placement(bool is_8bit) {
    if (!is_8bit) return {};
    return [](const params::ParamInfo& info) {
      return params::Placement{.optimizer_kind = static_cast<int>(optim::state_kind_8bit(info.numel()))};
    };
  }
  params::ParamStore store_;
  optim::AdamW adamw_;
  std::map<std::string, at::Tensor> state_;
};

void check_adamw(const FixtureFolder& folder, Report& report) {
  const std::string file = "k_adamw";
  const at::Tensor gradients = folder.get(file, "grads");
  Stepper stepper({{"p", folder.get(file, "p0")}}, /*is_8bit=*/false, folder.device());
  for (int64_t i = 0; i < gradients.size(0); ++i) stepper.step({{"p", gradients[i]}});
  Check check("AdamW");
  check.close("p5", stepper.value("p"), folder.get(file, "p5"), kAbsolute, kRelative);
  check.close("exp_avg5", stepper.state("exp_avg", "p"), folder.get(file, "exp_avg5"), kAbsolute, kRelative);
  check.close("exp_avg_sq5", stepper.state("exp_avg_sq", "p"), folder.get(file, "exp_avg_sq5"), kAbsolute,
              kRelative);
  report.add(check);
}

/// Equal, but for at most one in a thousand that is one step away.
void compare_codes(Check& check, const std::string& name, const at::Tensor& found, const at::Tensor& wanted) {
  const at::Tensor apart = (found.to(at::kCPU, at::kInt) - wanted.to(at::kInt)).abs();
  check.within(name + ", largest distance", apart.max().item<double>(), 1);
  check.within(name + ", share that differs", apart.ne(0).to(at::kDouble).mean().item<double>(), 1e-3);
}

void check_adamw8bit(const FixtureFolder& folder, Report& report) {
  const std::string file = "k_adamw8bit";
  const auto get = [&](const std::string& name) { return folder.get(file, name); };
  const at::Tensor big = get("big.grads"), small = get("small.grads");
  const int64_t steps = big.size(0);
  Stepper stepper({{"big", get("big.p0")}, {"small", get("small.p0")}}, /*is_8bit=*/true, folder.device());
  Check params("8-bit AdamW, parameters"), absmax("8-bit AdamW, absmax"), codes("8-bit AdamW, codes");
  for (int64_t i = 0; i < steps; ++i) {
    stepper.step({{"big", big[i]}, {"small", small[i]}});
    for (const std::string name : {"big", "small"}) {
      params.close(name + " step " + std::to_string(i), stepper.value(name), get(name + ".params")[i],
                   kAbsolute, kRelative);
    }
    const std::string at_step = "_step" + std::to_string(i + 1);
    if (!folder.has(file, "big.state1" + at_step)) continue;
    for (const auto& [kind, number] : {std::pair("exp_avg", "1"), std::pair("exp_avg_sq", "2")}) {
      const std::string moment = kind;
      absmax.close(moment + at_step, stepper.state(moment + "_absmax", "big"),
                   get(std::string("big.absmax") + number + at_step), 0, kOneUlp);
      compare_codes(codes, moment + at_step, stepper.state(moment + "_code", "big"),
                    get(std::string("big.state") + number + at_step));
    }
  }
  report.add(params);
  report.add(absmax);
  report.add(codes);
}

void check_lr_schedules(const FixtureFolder& folder, Report& report) {
  const std::string file = "l_lr_schedules";
  Check check("learning-rate schedules");
  using config::LrScheduler;
  for (const LrScheduler curve :
       {LrScheduler::Constant, LrScheduler::ConstantWithWarmup, LrScheduler::Linear, LrScheduler::Cosine,
        LrScheduler::CosineWithRestarts, LrScheduler::Polynomial}) {
    const std::string name(config::name(curve));
    const at::Tensor wanted = folder.get(file, name).to(at::kDouble);
    const optim::LrSchedule schedule{
        .curve = curve, .base_lr = kLearningRate, .warmup_steps = kWarmupSteps, .total_steps = kTotalSteps};
    for (int64_t step = 0; step < wanted.numel(); ++step) {
      check.within(name, std::abs(optim::learning_rate(schedule, step) - wanted[step].item<double>()), 1e-9);
    }
  }
  report.add(check);
}

}  // namespace

void check_optimizer(const FixtureFolder& folder, Report& report) {
  const at::NoGradGuard no_grad;
  folder.has("k_adamw") ? check_adamw(folder, report) : report.add_absent("AdamW");
  folder.has("k_adamw8bit") ? check_adamw8bit(folder, report) : report.add_absent("8-bit AdamW");
  folder.has("l_lr_schedules") ? check_lr_schedules(folder, report)
                               : report.add_absent("learning-rate schedules");
}

}  // namespace zt::parity
