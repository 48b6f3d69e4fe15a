// SPDX-License-Identifier: Apache-2.0
#include "cli/output/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/terminal.hpp"
#include "base/text/text.hpp"

namespace zt::cli {

namespace {

/// For what says no limit of its own (contract/words/progress.hpp).
constexpr double kUsualLimit_s = 30;

std::string pace(const contract::Progress& p) {
  std::string text;
  if (std::isfinite(p.samples_per_s) && p.samples_per_s > 0)
    text += fmt::format("  {:.3g}/s", p.samples_per_s);
  if (std::isfinite(p.eta_s) && p.eta_s > 0)
    text += "  " + text::duration(std::chrono::duration<double>(p.eta_s)) + " left";
  return text;
}

}  // namespace

std::string progress_text(const contract::Progress& p, int width, double silent_s) {
  constexpr int kMinBar = 10, kMaxBar = 40;
  const std::string head(contract::name(p.phase));
  std::string tail;
  if (p.total_steps > 0) {
    tail += fmt::format(" {}/{}", p.step, p.total_steps);
  } else if (p.step > 0) {
    tail += fmt::format(" {}", p.step);
  }
  if (std::isfinite(p.loss)) tail += fmt::format("  loss {:.4f}", p.loss);
  const bool is_late = silent_s > (p.limit_s > 0 ? p.limit_s : kUsualLimit_s);
  tail += is_late ? "  no word for " + text::duration(std::chrono::duration<double>(silent_s)) : pace(p);
  if (!p.action.empty()) tail += "  " + p.action;
  if (p.total_steps <= 0) return head + tail;
  const int room = std::min(width - terminal::columns(head) - terminal::columns(tail) - 2, kMaxBar);
  if (room < kMinBar) return head + tail;
  const double fraction = static_cast<double>(p.step) / static_cast<double>(p.total_steps);
  return head + " " + terminal::bar(fraction, room) + tail;
}

}  // namespace zt::cli
