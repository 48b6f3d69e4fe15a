// SPDX-License-Identifier: Apache-2.0
// The table of a parity run: one row per check, with the largest error found, what was allowed, and the
// verdict: ok, FAILED, or absent where the folder lacks what the check reads.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace zt::parity {

struct Row {
  std::string check;
  size_t compared = 0;   ///< tensors or numbers
  double error = 0;      ///< of the worst one, measured by error / tolerance
  double tolerance = 0;  ///< of the same one
  std::string worst;     ///< its name, where the row holds several
  bool passed = true;
};

/// Collects what belongs to one row.
class Check {
 public:
  explicit Check(std::string name) { row_.check = std::move(name); }
  /// Passes if error <= tolerance; not a number never does.
  void within(const std::string& name, double error, double tolerance);
  /// Largest |found - wanted|. Another shape counts as an infinite error.
  void close(const std::string& name, const at::Tensor& found, const at::Tensor& wanted, double absolute);
  /// Largest |found - wanted| / (absolute + relative |wanted|), against 1.
  void close(const std::string& name, const at::Tensor& found, const at::Tensor& wanted, double absolute,
             double relative);
  /// An integer or exact fact.
  void require(const std::string& name, bool holds) { within(name, holds ? 0 : 1, 0); }
  const Row& row() const { return row_; }

 private:
  Row row_;
};

class Report {
 public:
  /// One that compared nothing is absent.
  void add(const Check& check);
  /// A check that could not be made at all.
  void add_broken(std::string check, std::string reason);
  void add_absent(std::string check) { absent_.push_back(std::move(check)); }
  /// The table, ending in a line that counts passed, failed and absent ones.
  std::string text() const;
  /// At least one check passed, and none failed.
  bool passed() const;

 private:
  size_t num_failed() const;
  std::vector<Row> rows_;
  std::vector<std::string> absent_;
};

}  // namespace zt::parity
