// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/align.hpp"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "data/keypoints/pose_align.hpp"
#include "data/pose/blazepose/blazepose.hpp"
#include "data/pose/estimate_clip.hpp"

namespace zt::generate {
namespace {

Result<data::Keypoints> people_of(const config::GenerateJob& job, const image::Image& reference) {
  if (!job.reference_keypoints.empty()) {
    ZT_TRY_ASSIGN(data::KeypointClip clip, data::read_keypoints(job.reference_keypoints));
    return clip.frames.empty() ? data::Keypoints{} : std::move(clip.frames.front());
  }
  ZT_TRY_ASSIGN(const data::BlazePoseFiles files, data::find_blazepose());
  ZT_TRY_ASSIGN(const data::FrameEstimatorFactory factory, data::blazepose_factory(files, {}));
  ZT_TRY_ASSIGN(const auto estimator, factory(1));
  ZT_TRY_ASSIGN(std::vector<data::TrackedPerson> people, estimator->next(reference));
  return std::move(data::keep_people({std::move(people)}, {}).front());
}

}  // namespace

Result<PoseSource> align_to_reference(const config::GenerateJob& job, const PoseSource& poses,
                                      const image::Image& reference, const data::DrawOptions& draw) {
  const data::KeypointClip* driving = poses.keypoints();
  if (driving == nullptr)
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format(
            "align needs key-points, but {} is a video of drawn poses, which hold none: make them from the "
            "footage behind it with `zoetrope data pose FOOTAGE.mp4`, then give "
            "--pose FOOTAGE_keypoints.jsonl",
            job.pose));
  ZT_TRY_ASSIGN(const data::Keypoints found, people_of(job, reference));
  if (found.people.empty())
    return fail(ErrorCode::InvalidArgument,
                fmt::format("nobody was found in {}, so there is nothing to align to", job.reference_image));
  ZT_TRY_ASSIGN(data::KeypointClip clip,
                data::align_poses(found.people.front(), reference.width, reference.height, *driving));
  return PoseSource::of(std::move(clip), draw);
}

}  // namespace zt::generate
