// SPDX-License-Identifier: Apache-2.0
// `--align`: the driving key-points in the proportions and at the place of the reference's person.
#pragma once

#include "base/error.hpp"
#include "config/job/generate_job.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "generate/pictures/pose_source.hpp"
#include "image/image.hpp"

namespace zt::generate {

/// The reference's person comes from job.reference_keypoints, else BlazePose finds it in the picture.
/// Errors: InvalidArgument if the poses are a video (pictures can't be aligned), nobody is in the reference,
/// or the two can't be compared; NotFound if BlazePose's files are missing, with the command that gets them.
Result<PoseSource> align_to_reference(const config::GenerateJob& job, const PoseSource& poses,
                                      const image::Image& reference, const data::DrawOptions& draw);

}  // namespace zt::generate
