// SPDX-License-Identifier: Apache-2.0
#include "data/pose/extract_poses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <span>
#include <utility>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "base/process/resources.hpp"
#include "base/signals.hpp"
#include "data/from_job.hpp"
#include "data/internal/folder_walk.hpp"
#include "data/internal/footage_demand.hpp"
#include "data/internal/footage_stamp.hpp"
#include "data/internal/pairs.hpp"
#include "data/internal/shortage.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/keypoints/pose_demand.hpp"
#include "data/sample/frame_source.hpp"
#include "media/video_writer.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

constexpr int kPictureFolderRate = 30;  // of the preview; a folder of pictures has no rate of its own

// Videos under a folder, relative to it, in order of name, but for those that belong to another one of them:
// its pose video, its mask and so on. A link that leads nowhere or round in a circle, a
// pipe, a device, or a folder below that can't be listed counts: opening it makes it a failure with a name.
Result<std::vector<fs::path>> videos_under(const fs::path& root) {
  internal::FolderWalk walk = internal::walk(root);
  std::vector<fs::path> found;
  for (internal::UnreadFolder& unread : walk.unread) {
    if (unread.path == root) return fail(std::move(unread.error));
    found.push_back(unread.path.lexically_relative(root));
  }
  std::vector<fs::path> videos;
  std::set<fs::path> stems;
  for (const fs::directory_entry& entry : walk.entries) {
    std::error_code unreadable;
    if (entry.is_directory(unreadable) || !is_video_name(entry.path())) continue;
    videos.push_back(entry.path());
    stems.insert(fs::path(entry.path()).replace_extension());
  }
  const internal::Roots roots(walk.entries);
  for (const fs::path& video : videos) {
    const auto film = internal::stem_of_film(video);
    if (!roots.is_companion(video) && !(film && stems.contains(*film)))
      found.push_back(video.lexically_relative(root));
  }
  return found;
}

// `stem` is where results go, without "_keypoints" and the like.
Result<std::vector<PoseTask>> tasks_of(const fs::path& input, const fs::path& stem) {
  const fs::path keypoints = stem.string() + "_keypoints", preview = stem.string() + "_dwpose";
  const PoseTask single{input, keypoints.string() + ".jsonl", preview.string() + ".mp4"};
  std::error_code ignored;
  if (!fs::is_directory(input, ignored)) return std::vector{single};
  ZT_TRY_ASSIGN(const auto videos, videos_under(input));
  if (videos.empty()) {
    if (!list_frames(input)) {
      return fail(ErrorCode::NotFound, fmt::format("{} holds neither videos nor pictures", input.string()));
    }
    return std::vector{single};
  }
  std::vector<PoseTask> tasks;
  for (const fs::path& video : videos) {
    tasks.push_back({input / video, (keypoints / video).replace_extension(".jsonl"),
                     (preview / video).replace_extension(".mp4")});
  }
  return tasks;
}

// Of what the key-points of a video depend on. A video that was moved is the same one.
std::string digest_of(const fs::path& video, const config::PoseJob& job) {
  const std::string text =
      fmt::format("{} {} {} {} {} {} {} {}\n", job.models_dir, job.min_confidence, job.max_people,
                  job.max_gap_frames, job.smoothing, job.hands, job.face, job.shot_threshold) +
      internal::stamp_of(video);
  return hash::xxh128_hex(std::as_bytes(std::span(text)));
}

// Key-points that don't say what they were made from are somebody else's, and kept.
bool is_outdated(const std::string& made_from, const std::string& digest) {
  return !made_from.empty() && made_from != digest;
}

// What training draws of these key-points unless it is told otherwise, whatever they were searched with.
Status write_preview(const KeypointClip& clip, const fs::path& path) {
  media::VideoWriterOptions options;
  options.width = clip.width;
  options.height = clip.height;
  options.fps =
      clip.fps_num > 0 ? media::Rational{clip.fps_num, clip.fps_den} : media::Rational{kPictureFolderRate, 1};
  const DrawOptions style = draw_options(config::DataJob());
  ZT_TRY(files::make_folders(path.parent_path()));
  ZT_TRY_ASSIGN(auto writer, media::VideoWriter::open(path, options));
  for (const Keypoints& frame : clip.frames)
    ZT_TRY(writer.write(draw_pose(frame, clip.width, clip.height, style)));
  return writer.finish();
}

// The work on the tasks and what is known about it, shared by the threads.
class Extraction {
 public:
  Extraction(const config::PoseJob& job, const FrameEstimatorFactory& factory,
             const PoseProgressCall& progress, size_t num_videos)
      : job_(job), factory_(factory), progress_(progress) {
    state_.videos = report_.videos = static_cast<int64_t>(num_videos);
  }

  void run(const PoseTask& task, int num_threads) {
    if (signals::stop() != signals::Stop::None || is_over_) return;
    auto status = make(task, num_threads);
    const std::lock_guard lock(mutex_);
    if (!status && status.error().code != ErrorCode::Cancelled) {
      report_.failures.push_back({task.video, std::move(status).error()});
      // What this process lacks would fail the others, too, and is no fault of theirs.
      is_exhausted_ = is_exhausted_ || report_.failures.back().error.code == ErrorCode::Exhausted;
      is_over_ = job_.strict || is_exhausted_;
    }
    state_.videos_done += 1;
    if (progress_) progress_(state_);
  }

  bool is_exhausted() const { return is_exhausted_; }

  /// Its failures by name: threads end in any order.
  PoseReport report() && {
    std::ranges::sort(report_.failures, {}, &PoseFailure::video);
    return std::move(report_);
  }

 private:
  Status make(const PoseTask& task, int num_threads) {
    files::remove_leftovers_of(task.keypoints);
    files::remove_leftovers_of(task.preview);
    const std::string digest = digest_of(task.video, job_);
    KeypointClip clip;
    auto existing = job_.resume ? read_keypoints(task.keypoints) : fail(ErrorCode::NotFound, "not wanted");
    const bool is_made_again = existing && is_outdated(existing->made_from, digest);
    if (is_made_again) existing = fail(ErrorCode::NotFound, "made with other settings");
    if (existing) {
      clip = std::move(*existing);
    } else {
      ZT_TRY(require_places(task));
      ZT_TRY_ASSIGN(clip, estimate(task, num_threads));
      clip.made_from = digest;
      ZT_TRY(files::make_folders(task.keypoints.parent_path()));
      // A preview of other key-points must not outlive a stop between the two.
      std::error_code is_gone;
      fs::remove(task.preview, is_gone);
      ZT_TRY(write_keypoints(task.keypoints, clip));
    }
    count(existing.has_value(), is_made_again);
    std::error_code ignored;
    if (!job_.preview || (existing && fs::exists(task.preview, ignored))) return {};
    return write_preview(clip, task.preview);
  }

  // Said before the search, which may take hours: a folder that is closed, or a name that is too long with
  // what is added to the video's.
  Status require_places(const PoseTask& task) const {
    Status status = files::require_writable(task.keypoints);
    if (status && job_.preview) status = files::require_writable(task.preview);
    if (status) return {};
    return fail(std::move(status).error().with(
        "before looking for people: results are named after the video; rename it if that is too long"));
  }

  void count(bool is_kept, bool is_made_again) {
    const std::lock_guard lock(mutex_);
    report_.kept += is_kept ? 1 : 0;
    report_.made_again += is_made_again ? 1 : 0;
  }

  Result<KeypointClip> estimate(const PoseTask& task, int num_threads) {
    ZT_TRY_ASSIGN(const auto estimator, factory_(num_threads));
    ClipPoseOptions options = clip_pose_options(job_);
    options.shot_threshold = job_.shot_threshold;
    ZT_TRY_ASSIGN(auto clip, estimate_clip(*estimator, {task.video, 0, 0}, options, [&](int64_t) {
                    const std::lock_guard lock(mutex_);
                    state_.frames_done += 1;
                    if (progress_) progress_(state_);
                  }));
    const auto is_seen = [](const Keypoints& frame) { return !frame.people.empty(); };
    const std::lock_guard lock(mutex_);
    report_.frames += static_cast<int64_t>(clip.frames.size());
    report_.frames_with_person += std::count_if(clip.frames.begin(), clip.frames.end(), is_seen);
    return clip;
  }

  const config::PoseJob& job_;
  const FrameEstimatorFactory& factory_;
  const PoseProgressCall& progress_;
  std::atomic<bool> is_over_ = false;
  std::atomic<bool> is_exhausted_ = false;
  std::mutex mutex_;
  PoseProgress state_;
  PoseReport report_;
};

// Those without key-points, or with outdated ones.
std::vector<fs::path> videos_to_search(const std::vector<PoseTask>& tasks, const config::PoseJob& job) {
  std::vector<fs::path> videos;
  for (const PoseTask& task : tasks) {
    const auto made_from = read_made_from(task.keypoints);
    if (!job.resume || !made_from || is_outdated(*made_from, digest_of(task.video, job)))
      videos.push_back(task.video);
  }
  return videos;
}

/// Room for what is still to be made.
Status check_resources(const std::vector<PoseTask>& tasks, const config::PoseJob& job, size_t at_a_time) {
  const std::vector<fs::path> videos = videos_to_search(tasks, job);
  if (videos.empty()) return {};
  const internal::FootageExtents footage = internal::extents_of(videos, at_a_time);
  std::vector<resources::Demand> memory = internal::searching_demands(footage, job.max_people);
  memory.insert(memory.begin(), internal::decoding_demand(footage));
  ZT_TRY(resources::require_memory(memory, "work on fewer videos at a time: --set threads=1"));
  const resources::Demand disk = pose_demand(videos, job.max_people, job.preview);
  return resources::require_disk(files::whole_path(tasks.front().keypoints), {&disk, 1},
                                 "free space, name another output_dir (-o), or set preview=false");
}

Error all_failures(const PoseReport& report) {
  Error error{report.failures.front().error.code,
              fmt::format("{} of {} videos can't be used:", report.failures.size(), report.videos),
              {}};
  for (const PoseFailure& failure : report.failures)
    error.message += fmt::format("\n  {}: {}", failure.video.string(), failure.error.text());
  return error;
}

// Which of several came first depends on threads; it is all the same to whoever mends it.
Error shortage(const PoseReport& report) {
  Error error = std::ranges::find(report.failures, ErrorCode::Exhausted, [](const PoseFailure& failure) {
                  return failure.error.code;
                })->error;
  error.message += fmt::format(": {}", internal::kShortageAdvice);
  return error;
}

}  // namespace

config::PoseSearch pose_search(const config::IngestJob& job) {
  config::PoseSearch search = job.pose;
  if (job.max_people > 0) search.max_people = std::max(search.max_people, job.max_people + 1);
  return search;
}

ClipPoseOptions clip_pose_options(const config::PoseSearch& search) {
  ClipPoseOptions options;
  options.min_confidence = search.min_confidence;
  options.max_people = search.max_people;
  options.max_gap_frames = search.max_gap_frames;
  options.smoothing = search.smoothing;
  return options;
}

BlazePoseOptions blazepose_options(const config::PoseSearch& search) {
  constexpr int64_t kExtraTracks = 3;
  const auto most = static_cast<int64_t>(kMaxPeople);
  BlazePoseOptions options;
  options.tracking.max_tracks =
      static_cast<int>(search.max_people > 0 ? std::min(search.max_people + kExtraTracks, most) : most);
  options.tracking.search_small = search.max_people != 1;
  options.hands = search.hands;
  options.face = search.face;
  return options;
}

Result<std::vector<PoseTask>> plan_poses(const config::PoseJob& job) {
  std::vector<PoseTask> plan;
  std::set<fs::path> results;
  if (job.inputs.empty())
    return fail(ErrorCode::InvalidConfig, "inputs is not set: name videos, or folders of videos or pictures");
  for (const std::string& name : job.inputs) {
    const fs::path input = internal::named(fs::path(name).lexically_normal());
    std::error_code ignored;
    if (!fs::exists(input, ignored))
      return fail(ErrorCode::NotFound, fmt::format("there is no file or folder {}", input.string()));
    const fs::path folder = job.output_dir.empty() ? input.parent_path() : fs::path(job.output_dir);
    const bool is_folder = fs::is_directory(input, ignored);
    ZT_TRY_ASSIGN(auto tasks, tasks_of(input, folder / (is_folder ? input.filename() : input.stem())));
    for (PoseTask& task : tasks) {
      if (!results.insert(task.keypoints).second) {
        return fail(ErrorCode::InvalidArgument, fmt::format("{} and another input would both write {}",
                                                            task.video.string(), task.keypoints.string()));
      }
      plan.push_back(std::move(task));
    }
  }
  return plan;
}

Result<PoseReport> extract_poses(const config::PoseJob& job, const FrameEstimatorFactory& factory,
                                 const PoseProgressCall& progress) {
  const auto start = std::chrono::steady_clock::now();
  ZT_TRY_ASSIGN(const auto tasks, plan_poses(job));
  const size_t threads =
      job.threads > 0 ? static_cast<size_t>(job.threads) : static_cast<size_t>(resources::cores());
  const size_t at_a_time = std::clamp<size_t>(tasks.size(), 1, threads);
  ZT_TRY(check_resources(tasks, job, at_a_time));
  Extraction extraction(job, factory, progress, tasks.size());
  parallel_for(tasks.size(), at_a_time,
               [&](size_t i) { extraction.run(tasks[i], static_cast<int>(threads / at_a_time)); });
  if (signals::stop() != signals::Stop::None) {
    return fail(ErrorCode::Cancelled,
                "stopped on request; the same command continues with the videos that are left");
  }
  const bool is_exhausted = extraction.is_exhausted();
  PoseReport report = std::move(extraction).report();
  if (is_exhausted) return fail(shortage(report));
  if (!report.failures.empty() && (job.strict || report.failures.size() == tasks.size()))
    return fail(all_failures(report));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace zt::data
