// SPDX-License-Identifier: Apache-2.0
// Is one result better than another? Paired intervals over clips: the same clips scored under two conditions.
#pragma once

#include <cstdint>
#include <span>

namespace zt::quality {

/// A mean with its 95 % interval. With one value the interval is infinite, with none the mean is NaN.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
  int64_t count = 0;
};

/// Student's t interval of the mean.
Interval mean_interval(std::span<const double> values);

/// Student's t interval of the mean of a[i] - b[i]. Requires: equal lengths.
Interval paired_t(std::span<const double> a, std::span<const double> b);

/// Percentile bootstrap (2.5 % to 97.5 %) of the mean of a[i] - b[i]; the same seed gives the same interval.
/// For skewed differences; below about 10 pairs it is too narrow, use paired_t. Requires: equal lengths.
Interval paired_bootstrap(std::span<const double> a, std::span<const double> b, int resamples = 10'000,
                          uint64_t seed = 0);

/// The t for which a t-distributed variable lies within [-t, t] with probability `level`. Requires: freedom
/// >= 1.
double student_t_bound(double level, int64_t freedom);

}  // namespace zt::quality
