// SPDX-License-Identifier: Apache-2.0
// Draws a character in a pose over its background.
#pragma once

#include "data/puppet/internal/look.hpp"
#include "data/puppet/internal/skeleton.hpp"
#include "data/puppet/internal/tail.hpp"
#include "data/puppet/puppet.hpp"

namespace zt::data::puppet {

/// Where the chain of a tail hangs on the body, and how long it is in pixels. Requires a look with a tail.
Vec tail_root(const Look& look, const Skeleton& skeleton);
double tail_length(const Look& look);

/// `chain` may be null: no tail.
PuppetFrame draw_figure(const Look& look, const Skeleton& skeleton, const Chain* chain,
                        const image::Image& background);

image::Image draw_backdrop(const Look& look, int width, int height);

}  // namespace zt::data::puppet
