// SPDX-License-Identifier: Apache-2.0
// See report.hpp.
#include "report.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace zt::parity {

void Check::within(const std::string& name, double error, double tolerance) {
  const bool holds = error <= tolerance;  // false for NaN
  const auto share = [](double e, double t) { return t > 0 ? e / t : (e > 0 ? e : 0); };
  const bool is_worst = row_.compared == 0 || (row_.passed && !holds) ||
                        (row_.passed == holds && share(error, tolerance) > share(row_.error, row_.tolerance));
  if (is_worst) {
    row_.error = error;
    row_.tolerance = tolerance;
    row_.worst = name;
  }
  row_.passed = row_.passed && holds;
  ++row_.compared;
}

void Check::close(const std::string& name, const at::Tensor& found, const at::Tensor& wanted,
                  double absolute) {
  if (found.sizes() != wanted.sizes()) return within(name, std::numeric_limits<double>::infinity(), absolute);
  within(name, (found.to(at::kCPU, at::kDouble) - wanted.to(at::kDouble)).abs().max().item<double>(),
         absolute);
}

void Check::close(const std::string& name, const at::Tensor& found, const at::Tensor& wanted, double absolute,
                  double relative) {
  if (found.sizes() != wanted.sizes()) return within(name, std::numeric_limits<double>::infinity(), 1);
  const at::Tensor f = found.to(at::kCPU, at::kDouble), w = wanted.to(at::kDouble);
  within(name, ((f - w).abs() / (absolute + relative * w.abs())).max().item<double>(), 1);
}

void Report::add(const Check& check) {
  if (check.row().compared == 0) return add_absent(check.row().check);
  rows_.push_back(check.row());
}

void Report::add_broken(std::string check, std::string reason) {
  rows_.push_back({.check = std::move(check), .worst = std::move(reason), .passed = false});
}

size_t Report::num_failed() const {
  return static_cast<size_t>(std::ranges::count_if(rows_, [](const Row& row) { return !row.passed; }));
}

std::string Report::text() const {
  std::string out = fmt::format("{:<46} {:>8} {:>13} {:>10}  {}\n", "check", "compared", "largest error",
                                "tolerance", "verdict");
  for (const Row& row : rows_) {
    out += fmt::format("{:<46} {:>8} {:>13.2e} {:>10.1e}  {}\n", row.check, row.compared, row.error,
                       row.tolerance, row.passed ? "ok" : "FAILED at " + row.worst);
  }
  for (const std::string& check : absent_)
    out += fmt::format("{:<46} {:>8} {:>13} {:>10}  absent\n", check, 0, "-", "-");
  return out + fmt::format("{} checks: {} passed, {} failed, {} absent{}\n", rows_.size() + absent_.size(),
                           rows_.size() - num_failed(), num_failed(), absent_.size(),
                           rows_.empty() ? ": nothing was compared" : "");
}

bool Report::passed() const { return !rows_.empty() && num_failed() == 0; }

}  // namespace zt::parity
