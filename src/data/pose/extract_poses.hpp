// SPDX-License-Identifier: Apache-2.0
// `zoetrope data pose`: the key-points of videos and of folders full of them, as files beside them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/data_tools_job.hpp"
#include "data/pose/blazepose/blazepose.hpp"
#include "data/pose/estimate_clip.hpp"

namespace zt::data {

/// What becomes of one input video.
struct PoseTask {
  std::filesystem::path video;      ///< a file, or a folder of pictures
  std::filesystem::path keypoints;  ///< docs/formats/keypoints.md
  std::filesystem::path preview;    ///< pose mp4
  bool operator==(const PoseTask&) const = default;
};

/// The videos of the inputs, in the order of inputs and names. A folder with videos somewhere in it, ROOT,
/// gives ROOT_keypoints/REST.jsonl and ROOT_dwpose/REST.mp4 for each ROOT/REST.mp4, the layout that ingest
/// reads; a video or a folder of pictures, NAME, gives NAME_keypoints.jsonl and NAME_dwpose.mp4. They lie
/// beside the input, or in the job's output_dir. Hidden files and folders are passed over, and so are below a
/// folder a film's pose video beside it (NAME_dwpose, NAME_kps) and what lies beside folders of films for
/// their sake (ROOT_dwpose, ROOT_mask, ROOT_labels); links to folders are followed, into every folder once.
/// Errors: those of listing a folder; NotFound for an input that is not there or holds neither videos nor
/// pictures; InvalidArgument if two videos would share a result.
Result<std::vector<PoseTask>> plan_poses(const config::PoseJob& job);

struct PoseFailure {
  std::filesystem::path video;
  Error error;
};

struct PoseReport {
  int64_t videos = 0;
  int64_t kept = 0;                ///< had complete key-points already
  int64_t made_again = 0;          ///< had those of other settings or of another video
  int64_t frames = 0;              ///< looked at in this call
  int64_t frames_with_person = 0;  ///< of those, with the primary person
  std::vector<PoseFailure> failures;
  double seconds = 0;
};

struct PoseProgress {
  int64_t videos_done = 0;
  int64_t videos = 0;
  int64_t frames_done = 0;  ///< in this call, all videos
};
/// Called after every picture, from any thread, never concurrently.
using PoseProgressCall = std::function<void(const PoseProgress&)>;

/// How ingest's extractor must look: where the job limits the number of people, for one more than it allows,
/// as nobody could tell otherwise that there are too many. ingest() keeps job.pose.max_people of them.
config::PoseSearch pose_search(const config::IngestJob& job);

ClipPoseOptions clip_pose_options(const config::PoseSearch& search);
/// More people are followed than are kept, so that the largest can be told; small ones are looked for if
/// several are wanted.
BlazePoseOptions blazepose_options(const config::PoseSearch& search);

/// Works on several videos at a time, each on its own thread. A video that can't be used, also one that ends
/// early or has damaged frames, is reported and passed over (job.strict: ends the work). Each result appears
/// whole or not at all, and what is complete is kept (unless the job says resume: false), so that an
/// interrupted call can be repeated. Key-points that say they were made with other settings, or from a video
/// that has changed, are made again; those that don't say (KeypointClip::made_from), because somebody else
/// made them, are kept. Errors: those of plan_poses(); Exhausted where this process
/// has too little of memory, descriptors or disk; Cancelled once a stop is requested (base/signals.hpp);
/// every failure, with the code of the first, if no video could be used or the job is strict.
Result<PoseReport> extract_poses(const config::PoseJob& job, const FrameEstimatorFactory& factory,
                                 const PoseProgressCall& progress = {});

}  // namespace zt::data
