// SPDX-License-Identifier: Apache-2.0
// Folders of real files for tests of data/ingest.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/clip_index.hpp"
#include "data/ingest/ingest.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/puppet/puppet.hpp"
#include "image/file.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {

class IngestTest : public ::testing::Test {
 protected:
  using Pictures = std::vector<image::Image>;

  IngestTest() { job_.input = folder_.path().string(), job_.threads = 2, job_.val_fraction = 0; }

  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  void write_video(const std::string& name, const Pictures& pictures, int64_t fps = 25) {
    std::filesystem::create_directories(path(name).parent_path());
    const int width = pictures[0].width, height = pictures[0].height;
    const Status written = media::write_video(path(name), pictures,
                                              {.width = width, .height = height, .fps = {fps, 1}, .crf = 12});
    ASSERT_TRUE(written) << written.error().text();
  }
  static Pictures poses(int num_frames) {
    const Puppet puppet({}, 1, 1);
    Pictures pictures;
    for (int f = 0; f < num_frames; ++f)
      pictures.push_back(draw_pose(puppet.keypoints(f), 64, 48, {.style = PoseStyle::Puppet}));
    return pictures;
  }
  void write_pose(const std::string& name, int num_frames) {
    write_video("set_dwpose/" + name, poses(num_frames));
  }
  // set/NAME and set_dwpose/NAME, 64 x 48.
  void write_pair(const std::string& name, int num_frames = 10) {
    write_video("set/" + name, test::drifting_clip(64, 48, num_frames));
    write_pose(name, num_frames);
  }
  void write_pictures(const std::string& folder, const Pictures& pictures) {
    std::filesystem::create_directories(path(folder));
    for (size_t i = 0; i < pictures.size(); ++i)
      ASSERT_TRUE(image::write_png(path(folder) / (std::to_string(i) + ".png"), pictures[i]));
  }

  IngestReport run(const PoseEstimator& estimator = {}) {
    auto report = ingest(job_, estimator);
    if (!report) return ADD_FAILURE() << report.error().text(), IngestReport();
    return *std::move(report);
  }
  std::vector<ClipRecord> clips() const {
    auto index = read_index(ingest_folder(job_) / "index.jsonl");
    if (!index) return ADD_FAILURE() << index.error().text(), std::vector<ClipRecord>();
    return index->clips;
  }
  // Of the reject or remark about a file whose path contains `name`; "" if there is none.
  static std::string reason(const std::vector<Finding>& findings, const std::string& name) {
    for (const Finding& finding : findings)
      if (finding.what.find(name) != std::string::npos) return finding.reason;
    return "";
  }

  test::TempFolder folder_;
  config::IngestJob job_;
};

}  // namespace zt::data
