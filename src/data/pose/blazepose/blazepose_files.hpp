// SPDX-License-Identifier: Apache-2.0
// Where BlazePose's networks and their runtime are. scripts/setup puts them into .deps/pose, out of the PyPI
// packages mediapipe and ai-edge-litert (Apache-2.0 both).
#pragma once

#include <filesystem>
#include <string>

#include "base/error.hpp"

namespace zt::data {

/// The files of one folder.
struct BlazePoseFiles {
  std::filesystem::path library;    ///< libLiteRt.so
  std::filesystem::path detector;   ///< pose_detection.tflite
  std::filesystem::path landmarks;  ///< pose_landmark_heavy.tflite, else _full, else _lite
  std::string size;                 ///< "heavy", "full" or "lite"
  std::filesystem::path hand;       ///< hand_landmark_full.tflite; empty if it is not there
  std::filesystem::path face;       ///< face_landmark.tflite; empty if it is not there
};

/// Looks in `folder`; if that is empty, where an installed tree has them, in .deps/pose of the running
/// program's folder and of all folders above it, and of the working folder. Errors: NotFound, with the
/// command that gets the files.
Result<BlazePoseFiles> find_blazepose(const std::filesystem::path& folder = {});

/// Errors: Corrupt if a network is not, byte for byte, one of those that the packages ship; those of reading.
Status verify(const BlazePoseFiles& files);

}  // namespace zt::data
