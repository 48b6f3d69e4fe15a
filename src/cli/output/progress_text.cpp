// SPDX-License-Identifier: Apache-2.0
#include "cli/output/progress_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/terminal.hpp"
#include "base/text/text.hpp"

namespace zt::cli {

std::string progress_text(const contract::Progress& p, int width) {
  constexpr int kMinBar = 10, kMaxBar = 40;
  const std::string head(contract::name(p.phase));
  std::string tail;
  if (p.total_steps > 0) {
    tail += fmt::format(" {}/{}", p.step, p.total_steps);
  } else if (p.step > 0) {
    tail += fmt::format(" {}", p.step);
  }
  if (std::isfinite(p.loss)) tail += fmt::format("  loss {:.4f}", p.loss);
  if (std::isfinite(p.samples_per_s) && p.samples_per_s > 0)
    tail += fmt::format("  {:.3g}/s", p.samples_per_s);
  if (std::isfinite(p.eta_s) && p.eta_s > 0)
    tail += "  " + text::duration(std::chrono::duration<double>(p.eta_s)) + " left";
  if (!p.action.empty()) tail += "  " + p.action;
  if (p.total_steps <= 0) return head + tail;
  const int room = std::min(width - terminal::columns(head) - terminal::columns(tail) - 2, kMaxBar);
  if (room < kMinBar) return head + tail;
  const double fraction = static_cast<double>(p.step) / static_cast<double>(p.total_steps);
  return head + " " + terminal::bar(fraction, room) + tail;
}

}  // namespace zt::cli
