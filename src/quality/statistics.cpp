// SPDX-License-Identifier: Apache-2.0
#include "quality/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "base/counter_rng.hpp"

namespace zt::quality {
namespace {

constexpr double kLevel = 0.95;
constexpr uint64_t kBootstrapPurpose = 0x626f6f74;  // "boot"

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> differences(std::span<const double> a, std::span<const double> b) {
  if (a.size() != b.size()) throw std::invalid_argument("paired values must be equally many");
  std::vector<double> result(a.size());
  std::transform(a.begin(), a.end(), b.begin(), result.begin(), std::minus<>());
  return result;
}

// Continued fraction of the incomplete beta function (Numerical Recipes 6.4, modified Lentz).
double beta_fraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr int kMaxSteps = 1000;
  const auto nonzero = [](double v) { return std::abs(v) < kTiny ? kTiny : v; };
  double c = 1, d = 1 / nonzero(1 - (a + b) * x / (a + 1)), result = d;
  for (int m = 1; m <= kMaxSteps; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonzero(1 + even * d);
    c = nonzero(1 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonzero(1 + odd * d);
    c = nonzero(1 + odd / c);
    result *= d * c;
    if (std::abs(d * c - 1) < 1e-15) break;
  }
  return result;
}

double regularized_beta(double a, double b, double x) {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log(1 - x));
  return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                   : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

}  // namespace

double student_t_bound(double level, int64_t freedom) {
  if (freedom < 1 || level <= 0 || level >= 1)
    throw std::invalid_argument("student_t_bound: no such distribution");
  const double n = static_cast<double>(freedom);
  const auto inside = [&](double t) { return 1 - regularized_beta(n / 2, 0.5, n / (n + t * t)); };
  double low = 0, high = 1;
  while (inside(high) < level) high *= 2;
  for (int i = 0; i < 200 && high - low > 1e-12 * high; ++i) {
    const double middle = (low + high) / 2;
    (inside(middle) < level ? low : high) = middle;
  }
  return (low + high) / 2;
}

Interval mean_interval(std::span<const double> values) {
  const auto count = static_cast<int64_t>(values.size());
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (count == 0) return {std::numeric_limits<double>::quiet_NaN(), -kInfinity, kInfinity, 0};
  const double mean = mean_of(values);
  if (count == 1) return {mean, -kInfinity, kInfinity, 1};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double n = static_cast<double>(count);
  const double half = student_t_bound(kLevel, count - 1) * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half, count};
}

Interval paired_t(std::span<const double> a, std::span<const double> b) {
  return mean_interval(differences(a, b));
}

Interval paired_bootstrap(std::span<const double> a, std::span<const double> b, int resamples,
                          uint64_t seed) {
  const std::vector<double> pairs = differences(a, b);
  if (pairs.size() < 2 || resamples < 1) return mean_interval(pairs);
  CounterRng rng(seed, kBootstrapPurpose, pairs.size());
  std::vector<double> means(static_cast<size_t>(resamples));
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < pairs.size(); ++i) sum += pairs[rng.below(pairs.size())];
    mean = sum / static_cast<double>(pairs.size());
  }
  std::sort(means.begin(), means.end());
  const auto quantile = [&](double q) {
    const double position = q * static_cast<double>(means.size() - 1);
    const auto below = static_cast<size_t>(position);
    const size_t above = std::min(below + 1, means.size() - 1);
    return means[below] + (position - static_cast<double>(below)) * (means[above] - means[below]);
  };
  return {mean_of(pairs), quantile((1 - kLevel) / 2), quantile((1 + kLevel) / 2),
          static_cast<int64_t>(pairs.size())};
}

}  // namespace zt::quality
