// SPDX-License-Identifier: Apache-2.0
// From what a network saw of one person, picture by picture, to a steady motion: unsure points out, short
// gaps filled, noise smoothed. Pure functions on all points: body, hands and face.
#pragma once

#include <cstdint>
#include <vector>

#include "data/keypoints/keypoints.hpp"

namespace zt::data {

/// One person in every picture of a clip; without present points where not seen.
using PersonTrack = std::vector<Person>;

/// Gives hands and face their full size, of absent points, in all pictures if they have it in any.
void complete_parts(PersonTrack& track);

/// Points below `min_confidence` become absent.
void drop_unsure(Person& person, double min_confidence);

/// Requires, as smooth(): complete_parts() was called. Fills gaps of a point of at most `max_gap_frames`
/// pictures between two sightings along a straight line, as sure as the less sure end. Gaps at the clip's
/// ends stay.
void fill_gaps(PersonTrack& track, int64_t max_gap_frames);

/// Moves each point by `amount` (0..1) of the way to the quadratic that fits it and its three neighbours on
/// both sides best (Savitzky and Golay 1964; two neighbours near the ends of a sighting, none at the ends).
/// Steady and steadily accelerated motion stays exactly as it is; at 1 independent noise has a third of its
/// variance. Confidences stay.
void smooth(PersonTrack& track, double amount);

}  // namespace zt::data
