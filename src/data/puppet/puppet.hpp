// SPDX-License-Identifier: Apache-2.0
// The synthetic character: a jointed puppet drawn from a character number (its look and proportions), a
// motion number (how it moves) and a seed, with exact key-points, mask and part labels. Its scarf or
// pony-tail is a damped chain that swings behind the neck's motion: at equal pose it hangs differently
// depending on what came before, so only a model that sees time can draw it right.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "data/keypoints/keypoints.hpp"
#include "data/puppet/labels.hpp"
#include "image/image.hpp"

namespace zt::data {

struct PuppetOptions {
  uint64_t seed = 0;
  int width = 64;
  int height = 64;
  int period_frames = 16;  ///< frames after which the motion repeats
  double size = 0.9;       ///< mean height of a character, as a share of the picture's

  double striped_share = 0.35;  ///< characters with a patterned top
  double sway = 1.0;            ///< factor on the sideways motion that drives scarf and pony-tail
  bool tail = true;             ///< scarf or pony-tail
  bool operator==(const PuppetOptions&) const = default;
};

/// One rendered frame. All pictures have the size of the options.
struct PuppetFrame {
  image::Image picture;  ///< RGB
  image::Image mask;     ///< one channel: coverage of the puppet, tail included
  image::Image labels;  ///< one channel: PartLabel of the topmost part that covers at least half of the pixel
};

/// A character in a motion. Frame f and frame f + period_frames are equal. Threads: const methods from any
/// thread.
class Puppet {
 public:
  /// `character` and `motion` are any numbers; equal arguments give equal puppets on every machine of one
  /// kind.
  Puppet(const PuppetOptions& options, uint64_t character, uint64_t motion);
  ~Puppet();
  Puppet(Puppet&&) noexcept;
  Puppet& operator=(Puppet&&) noexcept;

  PuppetFrame render(int64_t frame) const;
  /// The picture without the puppet: what is behind it, known exactly.
  image::Image background() const;
  /// Exact joints; body only.
  Keypoints keypoints(int64_t frame) const;
  /// Chain of the tail from its root to its end, in pixels; empty without a tail.
  std::vector<std::array<double, 2>> tail(int64_t frame) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace zt::data
