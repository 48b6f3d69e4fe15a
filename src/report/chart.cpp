// SPDX-License-Identifier: Apache-2.0
#include "report/chart.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/html.hpp"

namespace zt::report {
namespace {

constexpr double kWidth = 560, kHeight = 240;
constexpr double kLeft = 56, kRight = 20, kTop = 12, kBottom = 42;
constexpr size_t kMaxPoints = 600;
constexpr size_t kMaxDots = 40;    // a line of so few points shows each
constexpr size_t kNumColours = 8;  // --line-0 ... of the page's style; further lines are dashed
constexpr size_t kMaxOpenLegend = 12;

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  // A range with a width, for dividing by.
  Range widened(double margin) const {
    if (high > low) return {low - margin * (high - low), high + margin * (high - low)};
    const double half = std::max(std::abs(low) * 0.1, 1e-12);
    return {low - half, high + half};
  }
};

// Where numbers go on the paper; y is the logarithm on a logarithmic chart.
struct Scale {
  Range x, y;
  bool is_logarithmic = false;

  bool shows(const Point& p) const {
    return std::isfinite(p.x) && std::isfinite(p.y) && (!is_logarithmic || p.y > 0);
  }
  double height(double value) const { return is_logarithmic ? std::log10(value) : value; }
  double px(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kWidth - kLeft - kRight);
  }
  double py(double value) const {
    return kHeight - kBottom - (height(value) - y.low) / (y.high - y.low) * (kHeight - kTop - kBottom);
  }
};

// Nothing if no point can be shown.
bool fit(const Chart& chart, Scale& scale) {
  scale.is_logarithmic = chart.is_logarithmic;
  Range x, y;
  for (const Line& line : chart.lines) {
    for (const Point& p : line.points) {
      if (!scale.shows(p)) continue;
      x.add(p.x);
      y.add(scale.height(p.y));
    }
  }
  if (x.empty()) return false;
  scale.x = x.widened(0);
  scale.y = y.widened(0.05);
  return true;
}

std::string number(double value) { return fmt::format("{:.4g}", value == 0 ? 0.0 : value); }  // no "-0"

std::string grid(const Scale& scale) {
  std::string out;
  for (const double tick : ticks(scale.y.low, scale.y.high, 5)) {
    const double value = scale.is_logarithmic ? std::pow(10.0, tick) : tick;
    const double y = scale.py(value);
    out += fmt::format(R"(<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>)", kLeft,
                       kWidth - kRight, y, y);
    out += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{}</text>)", kLeft - 6, y + 4,
                       number(value));
  }
  for (const double tick : ticks(scale.x.low, scale.x.high, 6)) {
    out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", scale.px(tick),
                       kHeight - kBottom + 16, number(tick));
  }
  return out + fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">step</text>)",
                           (kLeft + kWidth - kRight) / 2, kHeight - 6);
}

std::string path(const Line& line, size_t colour, const Scale& scale) {
  std::string d, dots;
  bool pen_is_down = false;
  for (const Point& p : thinned(line.points, kMaxPoints)) {
    if (!scale.shows(p)) {
      pen_is_down = false;
      continue;
    }
    const double x = scale.px(p.x), y = scale.py(p.y);
    d += fmt::format("{}{:.1f} {:.1f}", pen_is_down ? "L" : "M", x, y);
    pen_is_down = true;
    if (line.points.size() <= kMaxDots)
      dots += fmt::format(R"svg(<circle cx="{:.1f}" cy="{:.1f}" r="2.5" style="fill:var(--line-{})"/>)svg", x,
                          y, colour % kNumColours);
  }
  return fmt::format(
             R"svg(<path class="{}" style="stroke:var(--line-{}){}" d="{}"><title>{}</title></path>)svg",
             line.is_faint ? "faint" : "line", colour % kNumColours,
             colour < kNumColours ? "" : ";stroke-dasharray:5 3", d, escaped(line.name)) +
         dots;
}

std::string legend(const Chart& chart) {
  std::string out = "<ul class=\"legend\">";
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const Line& line = chart.lines[i];
    if (line.points.empty()) continue;
    out += fmt::format(R"svg(<li><i style="background:var(--line-{})"></i>{} <b>{}</b></li>)svg",
                       i % kNumColours, escaped(line.name), number(line.points.back().y));
  }
  out += "</ul>";
  if (chart.lines.size() <= kMaxOpenLegend) return out;
  return fmt::format("<details><summary>{} lines</summary>{}</details>", chart.lines.size(), out);
}

}  // namespace

std::vector<double> ticks(double low, double high, int count) {
  const double raw = (high - low) / std::max(count, 1);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = power;
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    step = factor * power;
    if (step >= raw) break;
  }
  std::vector<double> out;
  const double first = std::ceil(low / step - 1e-9);
  for (double k = first; k * step <= high + 1e-9 * step && out.size() < 100; ++k) out.push_back(k * step);
  return out;
}

std::vector<Point> thinned(const std::vector<Point>& points, size_t limit) {
  if (points.size() <= limit || limit < 4) return points;
  const size_t runs = limit / 2;
  std::vector<Point> out{points.front()};
  for (size_t r = 0; r < runs; ++r) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(r * points.size() / runs);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>((r + 1) * points.size() / runs);
    const auto less = [](const Point& a, const Point& b) { return a.y < b.y; };
    auto first = std::min_element(begin, end, less), second = std::max_element(begin, end, less);
    if (second < first) std::swap(first, second);
    out.push_back(*first);
    if (first != second) out.push_back(*second);
  }
  out.push_back(points.back());
  return out;
}

std::string to_svg(const Chart& chart) {
  const std::string caption =
      escaped(chart.title) +
      (chart.unit.empty() ? "" : fmt::format(" <small>{}</small>", escaped(chart.unit)));
  Scale scale;
  if (!fit(chart, scale))
    return fmt::format("<figure><figcaption>{}</figcaption><p class=\"none\">no values</p></figure>\n",
                       caption);
  std::string out = fmt::format(
      R"(<figure><figcaption>{}</figcaption><svg viewBox="0 0 {} {}" role="img" aria-label="{}">)", caption,
      kWidth, kHeight, escaped(chart.title));
  out += grid(scale);
  for (size_t i = 0; i < chart.lines.size(); ++i) out += path(chart.lines[i], i, scale);
  return out + "</svg>" + legend(chart) + "</figure>\n";
}

}  // namespace zt::report
