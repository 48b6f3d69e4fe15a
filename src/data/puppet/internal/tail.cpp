// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/internal/tail.hpp"

namespace zt::data::puppet {
namespace {

// In heights and frames. A chain of 0.38 heights then swings freely with a period of about 15 frames and
// comes to rest within about 10: it answers the sway (one to three cycles in 16 frames) late and widely.
constexpr double kGravity = 0.06;
constexpr double kDrag = 0.30;
constexpr int kSteps = 8;   // of the integration, per frame
constexpr int kSweeps = 6;  // over the length constraints, per step
// Until the start is forgotten: what is left decays with exp(-kDrag / 2) per frame.
constexpr int kWarmFrames = 64;

// Pulls neighbours back to their distance; the root does not give way.
void keep_lengths(Chain& chain, double link) {
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t i = 1; i < chain.size(); ++i) {
      const Vec between = chain[i] - chain[i - 1];
      const Vec excess = (1 - link / std::max(length(between), 1e-9)) * between;
      const double share = i == 1 ? 0 : 0.5;
      chain[i - 1] = chain[i - 1] + share * excess;
      chain[i] = chain[i] - (1 - share) * excess;
    }
  }
}

}  // namespace

std::vector<Chain> swing(const std::function<Vec(double t)>& root_at, int period_frames, double length,
                         double height) {
  const double step = 1.0 / kSteps;
  const double link = length / (kTailPoints - 1);
  std::vector<Vec> roots;
  for (int i = 0; i < period_frames * kSteps; ++i)
    roots.push_back(root_at(i / static_cast<double>(period_frames * kSteps)));
  Chain chain, velocity{};
  for (size_t i = 0; i < chain.size(); ++i) chain[i] = roots[0] + Vec{0, link * static_cast<double>(i)};

  std::vector<Chain> frames;
  const int warm_periods = (kWarmFrames + period_frames - 1) / period_frames;
  for (int period = 0; period <= warm_periods; ++period) {
    for (size_t at = 0; at < roots.size(); ++at) {
      if (period == warm_periods && at % kSteps == 0) frames.push_back(chain);
      const Chain before = chain;
      for (size_t i = 1; i < chain.size(); ++i) {
        const Vec pull = Vec{0, kGravity * height} - kDrag * velocity[i];
        chain[i] = chain[i] + step * (velocity[i] + step * pull);
      }
      chain[0] = roots[(at + 1) % roots.size()];
      keep_lengths(chain, link);
      for (size_t i = 1; i < chain.size(); ++i) velocity[i] = kSteps * (chain[i] - before[i]);
    }
  }
  return frames;
}

}  // namespace zt::data::puppet
