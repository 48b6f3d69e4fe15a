// SPDX-License-Identifier: Apache-2.0
// What an evaluation found: measures of clips under several conditions, and comparisons between them. The
// worker prints it as JSON, `zoetrope eval` as JSON or as a table. Format: docs/formats/eval.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "quality/score.hpp"

namespace zt::data {

/// The same clips, made in one way.
struct EvalGroup {
  std::string name;   ///< "generated", "wrong_reference", "copy_reference", "codec", "baseline"
  std::string about;  ///< for people: how they were made
  std::vector<quality::ClipScores> clips;
};

/// Mean paired difference a - b of one measure.
struct EvalComparison {
  std::string a;
  std::string b;
  quality::Metric metric = quality::Metric::Psnr;
  quality::Interval t;          ///< Student's t
  quality::Interval bootstrap;  ///< percentile bootstrap
};

struct EvalClip {
  std::string id;
  std::string video;  ///< what was judged, or the panels written; "" if none
};

/// A clip that was to be judged and could not be read.
struct EvalLeftOut {
  std::string id;
  std::string reason;  ///< for people
};

struct EvalReport {
  static constexpr int kVersion = 1;
  std::vector<EvalClip> clips;
  std::vector<EvalGroup> groups;  ///< each with one entry per clip; the first is what is judged
  std::vector<EvalComparison> comparisons;
  std::vector<EvalLeftOut> left_out;                        ///< in no group
  std::optional<int> mask_threshold_levels = std::nullopt;  ///< of mask IoU; older reports don't say it
};

/// Grey levels of EvalJob::mask_threshold.
int mask_threshold_levels(double mask_threshold);

/// Adds the comparison of two groups of the report; nothing if no clip has the measure in both. Requires:
/// both exist.
void add_comparison(EvalReport& report, std::string_view a, std::string_view b, quality::Metric metric);

/// One line.
std::string to_json(const EvalReport& report);
/// Errors: Corrupt for anything but a complete report, Unsupported for another version.
Result<EvalReport> parse_eval_report(std::string_view json);

/// Means with 95 % intervals, comparisons, and each measure's convention.
std::string eval_table(const EvalReport& report);

}  // namespace zt::data
