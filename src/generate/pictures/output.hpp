// SPDX-License-Identifier: Apache-2.0
// Where a generated video goes and how it is written: the bare result, and beside it the reference's three
// panels.
#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "config/job/generate_job.hpp"
#include "generate/pictures/canvas.hpp"
#include "image/image.hpp"
#include "media/video_info.hpp"
#include "media/video_writer.hpp"

namespace zt::generate {

struct OutputPaths {
  std::filesystem::path bare;
  std::filesystem::path panels;
};

/// job.output and, beside it, NAME_panels. Without job.output the reference's names under job.output_dir,
/// `now` in local time: YYYYMMDD/HHMM--seed_S-WxH/REF_POSE_HxW_CFG_HHMM.mp4 for the panels, which is what it
/// writes, and the same with _result for the bare video. W and H are those asked for, as there.
OutputPaths output_paths(const config::GenerateJob& job, std::tm now);

/// The same; where either of a job without job.output is there already, both with _2, _3, ... at the end of
/// their names: inputs of one name in two folders, or two calls in one minute, have one name otherwise.
/// Errors: of the file system, where it can't say whether a name is there.
Result<OutputPaths> spare_results(const config::GenerateJob& job, OutputPaths paths);

/// Where the bytes go: a name that is a link stays one, and what it leads to is written.
OutputPaths through_links(const OutputPaths& paths);

/// InvalidArgument if a result would take the place of what it is made from.
Status spare_inputs(const config::GenerateJob& job, const OutputPaths& paths);

/// Frame rate of the result: job.fps if given (to 1/1000), else the poses', else 30; times the interpolation
/// factor, so that the clip lasts as long as its poses.
media::Rational output_fps(const config::GenerateJob& job, media::Rational pose_fps);

/// Errors: InvalidConfig if the panels side by side are wider than a video may be.
Status check_panels(const config::GenerateJob& job);

/// Writes both videos frame by frame.
class ResultWriter {
 public:
  struct Options {
    Canvas canvas;
    media::Rational fps;
    int crf = 18;
    bool write_panels = true;
    std::vector<std::pair<std::string, std::string>> metadata;
  };
  /// Makes the folders. Errors: those of media::VideoWriter.
  static Result<ResultWriter> open(const OutputPaths& paths, const Options& options, image::Image reference);
  /// `pose`: a panel of the canvas's result size, or null where no panels are written.
  Status write(const image::Image& result, const image::Image* pose);
  Status finish();
  /// Of the bare video's pictures, in pixels: the canvas's result, its sides rounded up to even ones.
  int width() const { return bare_.width(); }
  int height() const { return bare_.height(); }

 private:
  ResultWriter(media::VideoWriter bare, std::optional<media::VideoWriter> panels, image::Image reference)
      : bare_(std::move(bare)), panels_(std::move(panels)), reference_(std::move(reference)) {}
  media::VideoWriter bare_;
  std::optional<media::VideoWriter> panels_;
  image::Image reference_;
};

}  // namespace zt::generate
