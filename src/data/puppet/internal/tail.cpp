// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/internal/tail.hpp"

namespace zt::data::puppet {
namespace {

// In heights and frames. Drag outweighs inertia: the chain hangs where its root was a frame or two ago. With
// its root in the same place the tip of a 64 px high picture hangs 4.4 px apart on average, depending on what
// came before: a short memory is enough, none is not.
constexpr double kGravity = 0.3;
constexpr double kDrag = 1.0;
constexpr int kSteps = 8;   // of the integration, per frame
constexpr int kSweeps = 6;  // over the length constraints, per step
// Until the start is forgotten, many times over.
constexpr int kWarmFrames = 32;

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
