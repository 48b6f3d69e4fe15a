// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/puppet.hpp"

#include "data/puppet/internal/figure.hpp"
#include "data/puppet/internal/look.hpp"
#include "data/puppet/internal/skeleton.hpp"
#include "data/puppet/internal/tail.hpp"

namespace zt::data {

struct Puppet::State {
  PuppetOptions options;
  puppet::Look look;
  puppet::Motion motion;
  image::Image background;
  std::vector<puppet::Chain> chains;  // one per frame of the period; empty without a tail

  size_t in_period(int64_t frame) const {
    const int64_t rest = frame % options.period_frames;
    return static_cast<size_t>(rest < 0 ? rest + options.period_frames : rest);
  }
  puppet::Skeleton skeleton(double t) const {
    return puppet::skeleton_at(look, motion, options.width, options.height, t);
  }
  puppet::Skeleton skeleton_of(int64_t frame) const {
    return skeleton(static_cast<double>(in_period(frame)) / options.period_frames);
  }
};

Puppet::Puppet(const PuppetOptions& options, uint64_t character, uint64_t motion)
    : state_(std::make_unique<State>()) {
  State& state = *state_;
  state.options = options;
  state.look = puppet::draw_look(options, character);
  state.motion = puppet::draw_motion(options, motion);
  state.background = puppet::draw_backdrop(state.look, options.width, options.height);
  if (state.look.tail_kind == puppet::TailKind::None) return;
  const auto root_at = [&](double t) { return puppet::tail_root(state.look, state.skeleton(t)); };
  state.chains =
      puppet::swing(root_at, options.period_frames, puppet::tail_length(state.look), state.look.height);
}

Puppet::~Puppet() = default;
Puppet::Puppet(Puppet&&) noexcept = default;
Puppet& Puppet::operator=(Puppet&&) noexcept = default;

PuppetFrame Puppet::render(int64_t frame) const {
  const puppet::Chain* chain = state_->chains.empty() ? nullptr : &state_->chains[state_->in_period(frame)];
  return puppet::draw_figure(state_->look, state_->skeleton_of(frame), chain, state_->background);
}

image::Image Puppet::background() const { return state_->background; }

Keypoints Puppet::keypoints(int64_t frame) const {
  const puppet::Skeleton skeleton = state_->skeleton_of(frame);
  Person person;
  for (size_t i = 0; i < kNumBody; ++i) {
    person.body[i] = {static_cast<float>(skeleton.joints[i].x / state_->options.width),
                      static_cast<float>(skeleton.joints[i].y / state_->options.height), 1.0F};
  }
  Keypoints keypoints;
  keypoints.people.push_back(std::move(person));
  return keypoints;
}

std::vector<std::array<double, 2>> Puppet::tail(int64_t frame) const {
  std::vector<std::array<double, 2>> points;
  if (state_->chains.empty()) return points;
  for (const puppet::Vec p : state_->chains[state_->in_period(frame)]) points.push_back({p.x, p.y});
  return points;
}

}  // namespace zt::data
