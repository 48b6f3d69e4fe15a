// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/output.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <string>
#include <system_error>

#include "base/files/files.hpp"
#include "base/files/links.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;

/// torchvision's make_grid with its default border, which the reference's videos have.
constexpr int kPanelBorder = 2;
constexpr int kPanels = 3;

fs::path beside(const fs::path& path, std::string_view suffix) {
  fs::path name = path.stem();
  name += suffix;
  name += path.extension();
  return path.parent_path() / name;
}

/// The file name without ending and without the "_kps" that pose videos carry.
std::string pose_stem(const fs::path& pose) {
  std::string stem = pose.stem().string();
  if (const size_t at = stem.find("_kps"); at != std::string::npos) stem.erase(at, 4);
  return stem;
}

int panels_width(int64_t width) { return static_cast<int>(kPanels * (width + kPanelBorder)) + kPanelBorder; }

/// A disk that can't say is an error: to take every name for taken there would be to look for ever.
Result<bool> is_either_there(const OutputPaths& paths) {
  for (const fs::path& path : {paths.bare, paths.panels}) {
    std::error_code unknown;
    if (fs::exists(path, unknown)) return true;
    if (unknown) return fail(files::errno_error("look at", path, unknown.value()));
  }
  return false;
}

media::Rational reduced(int64_t num, int64_t den) {
  const int64_t divisor = std::gcd(num, den);
  return divisor > 0 ? media::Rational{num / divisor, den / divisor} : media::Rational{num, den};
}

}  // namespace

OutputPaths output_paths(const config::GenerateJob& job, std::tm now) {
  if (!job.output.empty()) return {job.output, beside(job.output, "_panels")};
  const std::string time = fmt::format("{:%H%M}", now);
  const fs::path folder = fs::path(job.output_dir) / fmt::format("{:%Y%m%d}", now) /
                          fmt::format("{}--seed_{}-{}x{}", time, job.seed, job.width, job.height);
  const fs::path panels =
      folder / fmt::format("{}_{}_{}x{}_{}_{}.mp4", fs::path(job.reference_image).stem().string(),
                           pose_stem(job.pose), job.height, job.width,
                           static_cast<int64_t>(job.guidance_scale), time);
  return {beside(panels, "_result"), panels};
}

Result<OutputPaths> spare_results(const config::GenerateJob& job, OutputPaths paths) {
  if (!job.output.empty()) return paths;
  OutputPaths free = paths;
  for (int i = 2;; ++i) {
    ZT_TRY_ASSIGN(const bool is_taken, is_either_there(free));
    if (!is_taken) return free;
    const std::string number = fmt::format("_{}", i);
    free = {beside(paths.bare, number), beside(paths.panels, number)};
  }
}

OutputPaths through_links(const OutputPaths& paths) {
  return {files::through_links(paths.bare), files::through_links(paths.panels)};
}

media::Rational output_fps(const config::GenerateJob& job, media::Rational pose_fps) {
  constexpr int64_t kThousand = 1000;
  media::Rational fps = pose_fps.num > 0 && pose_fps.den > 0 ? pose_fps : media::Rational{30, 1};
  if (job.fps > 0) fps = {std::llround(job.fps * kThousand), kThousand};
  return reduced(fps.num * job.interpolation_factor, fps.den);
}

Status spare_inputs(const config::GenerateJob& job, const OutputPaths& paths) {
  for (const std::string& input : {job.reference_image, job.pose, job.reference_keypoints}) {
    std::error_code either_is_absent;
    for (const fs::path& output : {paths.bare, job.write_panels ? paths.panels : fs::path()})
      if (fs::equivalent(input, output, either_is_absent))
        return fail(ErrorCode::InvalidArgument,
                    fmt::format("{} is what the clip is to be made from, and the clip would take its place: "
                                "name another file (-o)",
                                output.string()));
  }
  return {};
}

Status check_panels(const config::GenerateJob& job) {
  if (!job.write_panels || panels_width(job.width) <= media::kMaxVideoSide) return {};
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format(
          "write_panels: reference, pose and result of width {} side by side are {} pixels, and a video "
          "has at most {}: set write_panels=false, or a width of at most {}",
          job.width, panels_width(job.width), media::kMaxVideoSide,
          (media::kMaxVideoSide - kPanelBorder) / kPanels - kPanelBorder));
}

Result<ResultWriter> ResultWriter::open(const OutputPaths& paths, const Options& options,
                                        image::Image reference) {
  media::VideoWriterOptions video{.width = options.canvas.width,
                                  .height = options.canvas.height,
                                  .fps = options.fps,
                                  .crf = options.crf,
                                  .metadata = options.metadata};
  ZT_TRY(files::make_folders(files::whole_path(paths.bare).parent_path()));
  files::remove_leftovers_of(paths.bare);
  ZT_TRY_ASSIGN(media::VideoWriter bare, media::VideoWriter::open(paths.bare, video));
  std::optional<media::VideoWriter> panels;
  if (options.write_panels) {
    video.width = panels_width(options.canvas.width);
    video.height = options.canvas.height + 2 * kPanelBorder;
    files::remove_leftovers_of(paths.panels);
    ZT_TRY_ASSIGN(panels, media::VideoWriter::open(paths.panels, video));
  }
  return ResultWriter(std::move(bare), std::move(panels), std::move(reference));
}

Status ResultWriter::write(const image::Image& result, const image::Image* pose) {
  ZT_TRY(bare_.write(result));
  if (!panels_) return {};
  const std::array<image::Image, kPanels> row = {reference_, *pose, result};
  return panels_->write(image::grid(row, {.columns = kPanels, .padding = kPanelBorder}));
}

Status ResultWriter::finish() {
  ZT_TRY(bare_.finish());
  if (panels_) ZT_TRY(panels_->finish());
  return {};
}

}  // namespace zt::generate
