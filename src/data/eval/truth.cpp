// SPDX-License-Identifier: Apache-2.0
#include "data/eval/truth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "data/eval/report.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/puppet/labels.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/crop.hpp"
#include "image/file.hpp"

namespace zt::data {
namespace {

using image::Image;

/// Where a part is, and how it is labelled.
struct Joint {
  BodyPart part;
  PartLabel label;
};
constexpr std::array<Joint, 5> kJoints = {{{BodyPart::RWrist, PartLabel::Hands},
                                           {BodyPart::LWrist, PartLabel::Hands},
                                           {BodyPart::RAnkle, PartLabel::Shoes},
                                           {BodyPart::LAnkle, PartLabel::Shoes},
                                           {BodyPart::Nose, PartLabel::Head}}};

/// The largest centred part of a picture with the aspect of width : height.
NormBox centred(const ClipRecord& clip, int width, int height) {
  const double ratio = static_cast<double>(clip.width) * height / (static_cast<double>(clip.height) * width);
  const double share_x = std::min(1.0, 1.0 / ratio), share_y = std::min(1.0, ratio);
  return {(1 - share_x) / 2, (1 - share_y) / 2, (1 + share_x) / 2, (1 + share_y) / 2};
}

Result<std::vector<Image>> read_stream(const ClipIndex& index, const ClipRecord& clip,
                                       const std::string& file, const std::vector<int64_t>& frames) {
  std::vector<int64_t> numbers = frames;
  for (int64_t& number : numbers) number += clip.first_frame;
  return ClipFile(index.path(file), {}).frames(numbers);
}

/// The label of a pixel of a label video: the nearest step, since the codec blurs.
int label_at(const Image& labels, int x, int y) { return (*labels.at(x, y) + kLabelStep / 2) / kLabelStep; }

Image label_mask(const Image& labels, PartLabel label) {
  Image mask(labels.width, labels.height, 1);
  for (int y = 0; y < labels.height; ++y)
    for (int x = 0; x < labels.width; ++x)
      if (label_at(labels, x, y) == static_cast<int>(label)) *mask.at(x, y) = 255;
  return mask;
}

/// Median colour of the pixels under a label near a place; nothing if there are too few.
std::optional<image::Rgb> colour_near(const Image& picture, const Image& labels, PartLabel label, double x,
                                      double y) {
  const quality::JointSearch search;
  std::array<std::vector<uint8_t>, 3> values;
  for (int row = 0; row < picture.height; ++row) {
    for (int column = 0; column < picture.width; ++column) {
      if (std::hypot(column - x, row - y) > search.radius_px ||
          label_at(labels, column, row) != static_cast<int>(label))
        continue;
      for (size_t c = 0; c < values.size(); ++c) values[c].push_back(picture.at(column, row)[c]);
    }
  }
  if (values[0].size() < static_cast<size_t>(search.min_pixels)) return std::nullopt;
  image::Rgb colour{};
  for (size_t c = 0; c < values.size(); ++c) {
    const auto middle = values[c].begin() + static_cast<std::ptrdiff_t>(values[c].size() / 2);
    std::nth_element(values[c].begin(), middle, values[c].end());
    colour[c] = *middle;
  }
  return colour;
}

/// `crop` of a label picture at another size. Labels are numbers, which a mean would mix: each pixel has the
/// one at its centre.
Image crop_labels(const Image& labels, const NormBox& crop, int width, int height) {
  Image out(width, height, labels.channels);
  const auto place = [](double low, double high, int i, int count, int size) {
    return std::clamp(static_cast<int>((low + (high - low) * (i + 0.5) / count) * size), 0, size - 1);
  };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      *out.at(x, y) = *labels.at(place(crop.left, crop.right, x, width, labels.width),
                                 place(crop.top, crop.bottom, y, height, labels.height));
  return out;
}

/// Of a picture that shows `crop`. Those outside of it have no label there, and none is found.
std::vector<quality::ColouredJoint> joints_of(const Image& picture, const Image& labels,
                                              const Keypoints& keypoints, const NormBox& crop) {
  std::vector<quality::ColouredJoint> joints;
  if (keypoints.people.empty()) return joints;
  for (const Joint& joint : kJoints) {
    const Keypoint& point = keypoints.people.front().at(joint.part);
    if (!point.present()) continue;
    // Pixel centres are at integers here, at halves in normalised coordinates.
    const double x = (point.x - crop.left) / (crop.right - crop.left) * picture.width - 0.5;
    const double y = (point.y - crop.top) / (crop.bottom - crop.top) * picture.height - 0.5;
    if (const auto colour = colour_near(picture, labels, joint.label, x, y))
      joints.push_back({x, y, *colour});
  }
  return joints;
}

Status load_labelled(const ClipIndex& index, const ClipRecord& clip, const LoadSampleOptions& options,
                     ClipTruth& truth) {
  if (clip.labels.empty()) return {};
  const std::vector<int64_t>& frames = truth.sample.plan.target_frames;
  const NormBox& crop = truth.sample.plan.crop;
  ZT_TRY_ASSIGN(std::vector<Image> labels, read_stream(index, clip, clip.labels, frames));
  for (Image& picture : labels) {
    picture = crop_labels(picture, crop, options.width, options.height);
    truth.tail_masks.push_back(label_mask(picture, PartLabel::Tail));
  }
  if (clip.keypoints.empty()) return {};
  const auto file = index.path(clip.keypoints);
  ZT_TRY_ASSIGN(const KeypointClip keypoints, blamed(read_keypoints(file), file));
  for (size_t f = 0; f < frames.size(); ++f) {
    const auto number = static_cast<size_t>(clip.first_frame + frames[f]);
    if (number >= keypoints.frames.size())
      return fail(ErrorCode::Corrupt, fmt::format("{} ends before frame {}", clip.keypoints, number));
    truth.joints.push_back(joints_of(truth.sample.targets[f], labels[f], keypoints.frames[number], crop));
  }
  return {};
}

}  // namespace

Result<ClipTruth> load_truth(const ClipIndex& index, size_t clip, const LoadSampleOptions& options,
                             int64_t num_frames) {
  const ClipRecord& record = index.clips.at(clip);
  const int64_t count = std::min(num_frames, record.num_frames - 1);
  if (count < 1)
    return fail(ErrorCode::InvalidArgument,
                fmt::format("clip {} has {} frame, but one is the reference and another must be judged",
                            record.id, record.num_frames));
  SamplePlan plan;
  plan.clip = clip;
  plan.target_frames.resize(static_cast<size_t>(count));
  std::iota(plan.target_frames.begin(), plan.target_frames.end(), 1);
  plan.crop = plan.pose_crop = centred(record, options.width, options.height);

  LoadSampleOptions load = options;
  load.parts = {.reference = true,
                .reference_whole = true,
                .targets = true,
                .poses = true,
                .masks = !record.mask.empty()};
  ClipTruth truth;
  ZT_TRY_ASSIGN(truth.sample, load_sample(index, plan, load));
  if (!record.background.empty()) {
    const auto file = index.path(record.background);
    ZT_TRY_ASSIGN(const Image background, blamed(image::read(file), file));
    truth.background = crop_picture(background, plan.crop, options.width, options.height);
  }
  ZT_TRY(load_labelled(index, record, options, truth));
  return truth;
}

quality::ClipPair pair_with(const ClipTruth& truth, std::span<const Image> generated, double mask_threshold) {
  quality::ClipPair pair{.generated = generated,
                         .truth = truth.sample.targets,
                         .truth_masks = truth.sample.masks,
                         .tail_masks = truth.tail_masks,
                         .joints = truth.joints};
  if (truth.background) pair.background = {*truth.background, mask_threshold_levels(mask_threshold)};
  return pair;
}

}  // namespace zt::data
