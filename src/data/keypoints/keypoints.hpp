// SPDX-License-Identifier: Apache-2.0
// Key-points of people as data: OpenPose-18 body, two hands of 21, 68 face points. Coordinates are normalised
// to the picture (x right, y down, [0,1] inside it, outside allowed), so they survive any crop or resize. The
// file format is docs/formats/keypoints.md; draw_pose.hpp makes the pose picture that the networks see.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::data {

/// A normalised region of a picture, {0,0,1,1} = all of it.
struct NormBox {
  double left = 0;
  double top = 0;
  double right = 1;
  double bottom = 1;
  bool operator==(const NormBox&) const = default;
};

/// A point with confidence in [0,1]; confidence 0 means absent, and x and y are then 0.
struct Keypoint {
  float x = 0;
  float y = 0;
  float confidence = 0;
  bool present() const { return confidence > 0; }
  bool operator==(const Keypoint&) const = default;
};

/// OpenPose-18 order of Person::body. "Right" is the person's right.
enum class BodyPart : int {
  Nose,
  Neck,
  RShoulder,
  RElbow,
  RWrist,
  LShoulder,
  LElbow,
  LWrist,
  RHip,
  RKnee,
  RAnkle,
  LHip,
  LKnee,
  LAnkle,
  REye,
  LEye,
  REar,
  LEar,
};

inline constexpr size_t kNumBody = 18;
inline constexpr size_t kNumHand = 21;
inline constexpr size_t kNumFace = 68;

/// One person in one frame. Hands and face are either empty (not looked for) or of their full size.
struct Person {
  std::array<Keypoint, kNumBody> body{};
  std::vector<Keypoint> left_hand;
  std::vector<Keypoint> right_hand;
  std::vector<Keypoint> face;

  const Keypoint& at(BodyPart part) const { return body[static_cast<size_t>(part)]; }
  Keypoint& at(BodyPart part) { return body[static_cast<size_t>(part)]; }
  bool operator==(const Person&) const = default;
};

/// Everybody in one frame, the primary person first. Nobody found = empty.
struct Keypoints {
  std::vector<Person> people;
  bool operator==(const Keypoints&) const = default;
};

/// The key-points of a clip, frame by frame, with the size and rate of the pictures they were found in.
struct KeypointClip {
  int width = 0;
  int height = 0;
  int64_t fps_num = 0;
  int64_t fps_den = 1;
  std::string source;  ///< who made them, e.g. "blazepose-heavy 0.5"; for people
  std::vector<Keypoints> frames;
  std::string made_from = {};  ///< digest of the video and of how it was searched; "" = not known

  double aspect() const { return height > 0 ? static_cast<double>(width) / height : 1.0; }
  bool operator==(const KeypointClip&) const = default;
};

/// Limits of what a reader accepts: far above any real file, far below what could exhaust memory.
inline constexpr size_t kMaxKeypointFrames = 1'000'000;
inline constexpr size_t kMaxPeople = 64;

/// The file's text (JSON Lines). Coordinates keep 5 decimals. Requires: finite coordinates.
std::string format_keypoints(const KeypointClip& clip);
/// Errors: Corrupt with the line number for anything that docs/formats/keypoints.md does not allow, a missing
/// frame included. Cost: linear in the text; allocates only what the text can justify.
Result<KeypointClip> parse_keypoints(std::string_view text);

/// Only some frames, in the order asked for; repeats are allowed. Lines in between are passed over unread, so
/// that a few frames of a long clip are cheap. Errors: InvalidArgument if there is no such frame; Corrupt for
/// what it does read.
Result<std::vector<Keypoints>> parse_keypoint_frames(std::string_view text, std::span<const int64_t> frames);

Result<KeypointClip> read_keypoints(const std::filesystem::path& path);
Result<std::vector<Keypoints>> read_keypoint_frames(const std::filesystem::path& path,
                                                    std::span<const int64_t> frames);
/// How many frames a file has: as its header says, if its last frame is there and sound. The lines before are
/// not looked at. Errors: as read_keypoints().
Result<int64_t> count_keypoint_frames(const std::filesystem::path& path);
/// KeypointClip::made_from of a file of which no more is looked at. Errors: as read_keypoints(), as far as
/// its header goes.
Result<std::string> read_made_from(const std::filesystem::path& path);
Status write_keypoints(const std::filesystem::path& path, const KeypointClip& clip);

/// The smallest box around the present points of a person, normalised {left, top, right, bottom}; {0,0,0,0}
/// if none.
std::array<double, 4> bounding_box(const Person& person);

/// Whether any point of the body is present: a Person without one holds the place of somebody who is absent.
bool is_seen(const Person& person);

/// Key-points as seen in the crop: (x - left) / (right - left), and the same for y. Requires a box with area.
Keypoints crop_keypoints(const Keypoints& keypoints, const NormBox& box);

}  // namespace zt::data
