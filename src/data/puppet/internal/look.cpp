// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/internal/look.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <vector>

#include "base/counter_rng.hpp"
#include "data/puppet/internal/streams.hpp"

namespace zt::data::puppet {
namespace {

using image::Rgb;

// Hue in turns; saturation and value in [0,1].
Rgb from_hsv(double hue, double saturation, double value) {
  const auto channel = [&](double offset) {
    const double k = std::fmod(offset + hue * 6, 6.0);
    const double dip = std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * value * (1 - saturation * dip)));
  };
  return {channel(5), channel(3), channel(1)};
}

template <size_t N>
Rgb pick(CounterRng& rng, const std::array<Rgb, N>& colours) {
  return colours[static_cast<size_t>(rng.below(N))];
}

int nearest_distance(Rgb colour, const std::vector<Rgb>& others) {
  int nearest = 255;
  for (const Rgb other : others) nearest = std::min(nearest, colour_distance(colour, other));
  return nearest;
}

// The first of a few draws that stands out from `others`, or else the best of them. Not always the best: that
// would make the same few colours win everywhere.
template <class Draw>
Rgb distinct(const std::vector<Rgb>& others, Draw draw) {
  constexpr int kTries = 16, kEnough = 70;
  Rgb best{};
  int best_distance = -1;
  for (int i = 0; i < kTries && best_distance < kEnough; ++i) {
    const Rgb candidate = draw();
    const int distance = nearest_distance(candidate, others);
    if (distance <= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

void draw_body(Look& look, CounterRng& rng) {
  look.torso_length = rng.uniform(0.92, 1.08);
  look.arm_length = rng.uniform(0.9, 1.1);
  look.leg_length = rng.uniform(0.9, 1.08);
  look.head_size = rng.uniform(0.92, 1.1);
  look.body_width = rng.uniform(0.95, 1.3);
  look.shoulder_width = rng.uniform(0.85, 1.3);
  look.right_arm_behind = rng.uniform() < 0.3;
  look.left_arm_behind = rng.uniform() < 0.3;
  look.left_leg_in_front = rng.uniform() < 0.5;
}

void draw_colours(Look& look, CounterRng& rng) {
  constexpr std::array<Rgb, 2> kSkinRange{Rgb{250, 216, 186}, Rgb{112, 70, 46}};
  constexpr std::array<Rgb, 8> kHair{Rgb{38, 28, 26},   Rgb{82, 50, 30},  Rgb{150, 84, 36},
                                     Rgb{226, 186, 92}, Rgb{196, 74, 30}, Rgb{208, 206, 204},
                                     Rgb{60, 84, 168},  Rgb{214, 92, 148}};
  look.skin = mixed(kSkinRange[0], kSkinRange[1], rng.uniform());
  look.hair = distinct(std::vector{look.skin}, [&] { return pick(rng, kHair); });
  look.eyes = Rgb{24, 22, 30};
  look.top = distinct(std::vector{look.skin}, [&] {
    return from_hsv(rng.uniform(), rng.uniform(0.55, 0.95), rng.uniform(0.55, 0.95));
  });
  look.stripe = distinct(std::vector{look.top}, [&] {
    return from_hsv(rng.uniform(), rng.uniform(0.0, 0.9), rng.uniform(0.3, 1.0));
  });
  look.trousers = distinct(std::vector{look.top, look.skin}, [&] {
    return from_hsv(rng.uniform(), rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.6));
  });
  look.shoes = distinct(std::vector{look.trousers, look.skin}, [&] {
    return from_hsv(rng.uniform(), rng.uniform(0.0, 0.9), rng.uniform(0.15, 1.0));
  });
}

// Behind everything that moves: far enough from every colour of the puppet that its outline can be seen.
void draw_background(Look& look, CounterRng& rng) {
  const std::vector puppet{look.skin, look.hair, look.top, look.stripe, look.trousers, look.shoes};
  const bool is_dark = rng.uniform() < 0.3;
  const auto draw = [&] {
    return from_hsv(rng.uniform(), rng.uniform(0.1, 0.5),
                    is_dark ? rng.uniform(0.18, 0.4) : rng.uniform(0.6, 0.98));
  };
  look.background_from = distinct(puppet, draw);
  look.background_to = distinct(puppet, draw);
  look.background_angle = rng.uniform(0, 2 * std::numbers::pi);
}

void draw_tail(Look& look, CounterRng& rng) {
  look.tail_kind = rng.uniform() < 0.5 ? TailKind::Scarf : TailKind::PonyTail;
  look.tail_side = rng.uniform() < 0.5 ? -1 : 1;
  if (look.tail_kind == TailKind::PonyTail) {
    look.tail = look.hair;
    return;
  }
  const std::vector around{look.top,  look.stripe,          look.skin,
                           look.hair, look.background_from, look.background_to};
  look.tail =
      distinct(around, [&] { return from_hsv(rng.uniform(), rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.0)); });
}

}  // namespace

Rgb mixed(Rgb a, Rgb b, double share_of_b) {
  Rgb out;
  for (size_t c = 0; c < 3; ++c)
    out[c] = static_cast<uint8_t>(std::lround((1 - share_of_b) * a[c] + share_of_b * b[c]));
  return out;
}

int colour_distance(Rgb a, Rgb b) {
  int largest = 0;
  for (size_t c = 0; c < 3; ++c) largest = std::max(largest, std::abs(int{a[c]} - int{b[c]}));
  return largest;
}

Look draw_look(const PuppetOptions& options, uint64_t character) {
  CounterRng rng(options.seed, kCharacterStream, character);
  Look look;
  // A narrow picture limits the size too: outstretched arms span about as much as the body is tall.
  look.height =
      options.size * rng.uniform(0.92, 1.08) * std::min<double>(options.height, 1.1 * options.width);
  draw_body(look, rng);
  draw_colours(look, rng);
  draw_background(look, rng);
  const bool is_striped = rng.uniform() < options.striped_share;
  const bool is_across = rng.uniform() < 0.6;
  if (is_striped) look.pattern = is_across ? Pattern::Across : Pattern::Along;
  constexpr std::array kSleeves{0.6, 1.5, 1.9};
  look.sleeve = kSleeves[static_cast<size_t>(rng.below(kSleeves.size()))];
  look.hair_style = static_cast<HairStyle>(rng.below(3));
  if (options.tail) draw_tail(look, rng);
  return look;
}

}  // namespace zt::data::puppet
