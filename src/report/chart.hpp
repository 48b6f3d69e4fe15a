// SPDX-License-Identifier: Apache-2.0
// Line charts as inline SVG: no script, no outside file, readable in print and in both colour schemes (the
// page's CSS variables give the colours).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace zt::report {

struct Point {
  double x = 0;
  double y = 0;
};

struct Line {
  std::string name;
  std::vector<Point> points;  ///< by rising x; points that are not finite break the line
  bool is_faint = false;      ///< drawn thin and pale: the raw values behind a smoothed line
};

/// Curves over the training steps.
struct Chart {
  std::string title;
  std::string unit;  ///< of y; may be empty
  std::vector<Line> lines;
  bool is_logarithmic = false;  ///< y; values that are not positive are left out
};

/// A <figure> with the chart, its legend (folded away when it is long) and the last value of every line. Long
/// lines are thinned to about 600 points, of which each run keeps its lowest and highest value, so that
/// spikes stay visible. Without any point it says so.
std::string to_svg(const Chart& chart);

/// Round numbers that cover [low, high] in about `count` steps: 1, 2 or 5 times a power of ten. Requires low
/// < high.
std::vector<double> ticks(double low, double high, int count);

/// At most about `limit` points, first and last kept.
std::vector<Point> thinned(const std::vector<Point>& points, size_t limit);

}  // namespace zt::report
