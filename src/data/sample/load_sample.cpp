// SPDX-License-Identifier: Apache-2.0
#include "data/sample/load_sample.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "data/keypoints/keypoints.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/crop.hpp"

namespace zt::data {
namespace {

using image::Image;

/// One sample on its way: what every step needs.
struct Loading {
  const ClipIndex& index;
  const ClipRecord& clip;
  const LoadSampleOptions& options;
  Sample sample;
};

// Numbers of frames in the clip's files: the reference's, if wanted, then the targets', if wanted.
std::vector<int64_t> file_frames(const Loading& loading, bool with_reference, bool with_targets) {
  std::vector<int64_t> numbers;
  if (with_reference) numbers.push_back(loading.clip.first_frame + loading.sample.plan.reference_frame);
  if (with_targets) {
    for (const int64_t frame : loading.sample.plan.target_frames)
      numbers.push_back(loading.clip.first_frame + frame);
  }
  return numbers;
}

Result<std::vector<Image>> read_frames(const Loading& loading, const std::string& file,
                                       const std::vector<int64_t>& numbers) {
  if (numbers.empty()) return std::vector<Image>();
  return ClipFile(loading.index.path(file), loading.options.tables).frames(numbers);
}

Image cropped(const Image& picture, const NormBox& region, const LoadSampleOptions& options) {
  return crop_picture(picture, region, options.width, options.height);
}

Status load_pictures(Loading& loading) {
  const SampleParts& parts = loading.options.parts;
  const bool with_reference = parts.reference || parts.reference_whole;
  const NormBox& region = loading.sample.plan.crop;
  ZT_TRY_ASSIGN(
      std::vector<Image> pictures,
      read_frames(loading, loading.clip.video, file_frames(loading, with_reference, parts.targets)));
  for (size_t i = with_reference ? 1 : 0; i < pictures.size(); ++i)
    loading.sample.targets.push_back(cropped(pictures[i], region, loading.options));
  if (parts.reference) loading.sample.reference = cropped(pictures[0], region, loading.options);
  if (parts.reference_whole) loading.sample.reference_whole = std::move(pictures[0]);
  return {};
}

Result<std::vector<Image>> drawn_poses(const Loading& loading, const std::vector<int64_t>& numbers) {
  const auto path = loading.index.path(loading.clip.keypoints);
  ZT_TRY_ASSIGN(const auto frames, blamed(read_keypoint_frames(path, numbers), path));
  std::vector<Image> poses;
  for (const Keypoints& keypoints : frames)
    poses.push_back(draw_pose(crop_keypoints(keypoints, loading.sample.plan.pose_crop), loading.options.width,
                              loading.options.height, loading.options.draw));
  return poses;
}

Result<std::vector<Image>> filmed_poses(const Loading& loading, const std::vector<int64_t>& numbers) {
  ZT_TRY_ASSIGN(std::vector<Image> poses, read_frames(loading, loading.clip.pose_video, numbers));
  for (Image& pose : poses) pose = cropped(pose, loading.sample.plan.pose_crop, loading.options);
  return poses;
}

bool draws_poses(const ClipRecord& clip, const LoadSampleOptions& options) {
  return options.pose == PoseChoice::Keypoints ||
         (options.pose == PoseChoice::Auto && !clip.keypoints.empty());
}

Status load_poses(Loading& loading) {
  const SampleParts& parts = loading.options.parts;
  const auto numbers = file_frames(loading, parts.reference_pose, parts.poses);
  if (numbers.empty()) return {};
  const bool is_drawn = draws_poses(loading.clip, loading.options);
  if ((is_drawn ? loading.clip.keypoints : loading.clip.pose_video).empty())
    return fail(ErrorCode::InvalidArgument,
                is_drawn ? "the clip has no key-points" : "the clip has no pose video");
  ZT_TRY_ASSIGN(std::vector<Image> poses,
                is_drawn ? drawn_poses(loading, numbers) : filmed_poses(loading, numbers));
  const auto first_target = poses.begin() + (parts.reference_pose ? 1 : 0);
  if (parts.reference_pose) loading.sample.reference_pose = std::move(poses.front());
  loading.sample.poses.assign(std::make_move_iterator(first_target), std::make_move_iterator(poses.end()));
  return {};
}

Image first_channel(const Image& picture) {
  if (picture.channels == 1) return picture;
  Image mask(picture.width, picture.height, 1);
  for (size_t i = 0; i < mask.pixels.size(); ++i) mask.pixels[i] = picture.pixels[i * 3];
  return mask;
}

Status load_masks(Loading& loading) {
  if (!loading.options.parts.masks) return {};
  if (loading.clip.mask.empty()) return fail(ErrorCode::InvalidArgument, "the clip has no mask");
  ZT_TRY_ASSIGN(const std::vector<Image> masks,
                read_frames(loading, loading.clip.mask, file_frames(loading, false, true)));
  for (const Image& mask : masks)
    loading.sample.masks.push_back(cropped(first_channel(mask), loading.sample.plan.crop, loading.options));
  return {};
}

Status load_all(Loading& loading) {
  ZT_TRY(load_pictures(loading));
  ZT_TRY(load_poses(loading));
  return load_masks(loading);
}

// Bytes of the source pictures that are held at the peak.
uint64_t decode_bytes(const ClipIndex& index, const SamplePlan& plan, const LoadSampleOptions& options) {
  const ClipRecord& clip = index.clips.at(plan.clip);
  const uint64_t targets = plan.target_frames.size();
  const auto bytes = [](uint64_t frames, int width, int height) {
    return frames * static_cast<uint64_t>(width) * static_cast<uint64_t>(height) * 3;
  };
  const SampleParts& parts = options.parts;
  const bool with_reference = parts.reference || parts.reference_whole;
  const uint64_t pictures =
      bytes((with_reference ? 1 : 0) + (parts.targets ? targets : 0), clip.width, clip.height);
  const uint64_t masks = bytes(parts.masks ? targets : 0, clip.width, clip.height);
  if (draws_poses(clip, options)) return std::max(pictures, masks);
  const uint64_t poses =
      bytes((parts.reference_pose ? 1 : 0) + (parts.poses ? targets : 0), clip.pose_width, clip.pose_height);
  return std::max({pictures, masks, poses});
}

}  // namespace

Result<Sample> load_sample(const ClipIndex& index, const SamplePlan& plan, const LoadSampleOptions& options) {
  Loading loading{index, index.clips.at(plan.clip), options, {}};
  loading.sample.plan = plan;
  std::optional<DecodeBudget::Share> share;
  if (options.budget) {
    ZT_TRY_ASSIGN(auto taken, options.budget->take(decode_bytes(index, plan, options)));
    share.emplace(std::move(taken));
  }
  if (auto status = load_all(loading); !status)
    return fail(std::move(status.error())
                    .with(fmt::format("while loading sample {} from clip {}", plan.sample, loading.clip.id)));
  return std::move(loading.sample);
}

}  // namespace zt::data
