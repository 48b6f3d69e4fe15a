// SPDX-License-Identifier: Apache-2.0
// Numeric series of a run in compact segments (metrics/<generation>.<writer>.seg): rows of (step, time, name
// -> value). Format: docs/formats/metrics.md. NaN and infinities are kept as they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "contract/internal/append_file.hpp"

namespace zt::contract {

struct MetricValue {
  std::string_view name;  ///< e.g. "train/loss"; at most 255 bytes
  double value = 0;
};

/// Appends to one segment. Threads: one caller at a time. Cost: one write(2) per row.
class MetricWriter {
 public:
  /// Makes metrics/<generation>.<writer>.seg. Errors: AlreadyExists if there is one.
  static Result<MetricWriter> create(const std::filesystem::path& metrics_folder, int64_t generation,
                                     std::string_view writer);
  /// Errors: InvalidArgument for an empty or overlong name; as EventWriter::write().
  Status write(int64_t step, std::span<const MetricValue> values);
  Status sync();

 private:
  explicit MetricWriter(internal::AppendFile file) : file_(std::move(file)) {}
  internal::AppendFile file_;
  std::map<std::string, uint32_t, std::less<>> ids_;
};

struct MetricPoint {
  int64_t step = 0;
  double time_s = 0;  ///< Unix time
  double value = 0;
  int64_t generation = 0;
};

struct MetricSeries {
  /// By name; each sorted by step, one point per step: the one of the highest generation, and in it the last
  /// written.
  std::map<std::string, std::vector<MetricPoint>, std::less<>> by_name;
  int64_t damaged_segments = 0;  ///< segments whose tail could not be read (torn by a crash, or damaged)
};

/// Merges every segment of the folder; an absent folder gives no series.
Result<MetricSeries> read_metrics(const std::filesystem::path& metrics_folder);

}  // namespace zt::contract
