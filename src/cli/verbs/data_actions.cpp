// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/data_actions.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/signals.hpp"
#include "base/terminal.hpp"
#include "base/text/text.hpp"
#include "cli/output/output.hpp"
#include "data/ingest/ingest.hpp"
#include "data/pose/blazepose/blazepose.hpp"
#include "data/pose/extract_poses.hpp"
#include "data/puppet/synth.hpp"

namespace zt::cli {
namespace {

/// "rendering [####......] 120/400 clips" on stderr.
class CountBar {
 public:
  explicit CountBar(std::string what)
      : what_(std::move(what)),
        line_(terminal::inspect(2), [](std::string_view s) { (void)!::write(2, s.data(), s.size()); }) {}
  ~CountBar() { clear(); }
  void clear() { line_.clear(); }
  void update(int64_t done, int64_t total, const std::string& name = "") {
    constexpr int kBarWidth = 30;
    const double fraction = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 0;
    line_.update(fmt::format("{} {} {}/{} {}", what_, terminal::bar(fraction, kBarWidth), done, total, name));
  }

 private:
  std::string what_;
  terminal::ProgressLine line_;
};

}  // namespace

Result<int> synth(const config::SynthJob& job) {
  const signals::EndAtOnce interruptible;  // complete clips are kept
  CountBar bar("rendering");
  ZT_TRY_ASSIGN(const auto report,
                data::synth(job, [&](int64_t done, int64_t total) { bar.update(done, total); }));
  bar.clear();
  print(fmt::format("{}: {} clips ({} were there already), {} frames, {}, {}\n", job.output, report.clips,
                    report.kept, report.frames, text::bytes(static_cast<uint64_t>(report.bytes)),
                    text::duration(std::chrono::duration<double>(report.seconds))));
  return 0;
}

Result<int> ingest(const config::IngestJob& job, bool as_json) {
  // Footage that comes with poses needs no networks: their absence is an error only where they are asked for.
  data::PoseEstimator estimator;
  const auto networks = data::find_blazepose(job.pose.models_dir);
  if (!networks && job.extract_pose && !job.pose.models_dir.empty()) return fail(networks.error());
  if (networks && job.extract_pose) {
    const config::PoseSearch search = data::pose_search(job);
    ZT_TRY_ASSIGN(auto factory, data::blazepose_factory(*networks, data::blazepose_options(search)));
    estimator = data::clip_pose_estimator(std::move(factory), data::clip_pose_options(search));
  }
  if (!job.verify_frames && job.split_shots)
    note(
        "verify_frames: false leaves out pose videos, masks and labels only: split_shots decodes every frame "
        "of "
        "the others");
  const signals::EndAtOnce interruptible;  // the journal has what was found out
  CountBar bar("looking at");
  ZT_TRY_ASSIGN(const auto report,
                data::ingest(job, estimator, [&](int64_t done, int64_t total, const std::string& name) {
                  bar.update(done, total, name);
                }));
  bar.clear();
  print(as_json ? report.json() + "\n" : report.text());
  return 0;
}

Result<int> pose(const config::PoseJob& job) {
  ZT_TRY(data::plan_poses(job));  // a mistyped path is said before the networks are missed
  ZT_TRY_ASSIGN(const auto networks, data::find_blazepose(job.models_dir));
  ZT_TRY_ASSIGN(const auto factory, data::blazepose_factory(networks, data::blazepose_options(job)));
  const signals::EndAtOnce interruptible;  // complete key-point files are kept
  CountBar bar("looking for people");
  ZT_TRY_ASSIGN(const auto report, data::extract_poses(job, factory, [&](const data::PoseProgress& p) {
                  bar.update(p.videos_done, p.videos, fmt::format("videos, {} frames", p.frames_done));
                }));
  bar.clear();
  for (const auto& failure : report.failures)
    note(fmt::format("left out: {}: {}", failure.video.string(), failure.error.text()));
  const std::string made_again =
      report.made_again > 0
          ? fmt::format("{} had those of other settings or of another video, ", report.made_again)
          : "";
  print(fmt::format(
      "{} videos ({} had key-points already, {}{} can't be used), {} frames, a person in {}, {}\n",
      report.videos, report.kept, made_again, report.failures.size(), report.frames,
      report.frames_with_person, text::duration(std::chrono::duration<double>(report.seconds))));
  return 0;
}

}  // namespace zt::cli
