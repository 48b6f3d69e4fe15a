// SPDX-License-Identifier: Apache-2.0
// Where a job without a run folder (generate, eval...) has its files while it runs: job, progress words, log.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/files.hpp"

namespace zt::cli {

/// zoetrope-VERB-XXXXXX in the system's folder for temporary files, removed at the end. What a killed program
/// left is removed by the next one: a living one holds the folder's lock.
class JobFolder {
 public:
  /// Also removes abandoned folders of this user. Errors: those of the file system.
  static Result<JobFolder> make(std::string_view verb);
  JobFolder(JobFolder&& other) noexcept : path_(std::move(other.path_)), lock_(std::move(other.lock_)) {
    other.lock_.reset();
  }
  JobFolder& operator=(JobFolder&&) = delete;
  ~JobFolder();
  const std::filesystem::path& path() const { return path_; }
  /// The folder stays, also for later programs.
  void keep();

 private:
  JobFolder(std::filesystem::path path, files::Lock lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::filesystem::path path_;
  std::optional<files::Lock> lock_;  ///< none once moved from or kept
};

}  // namespace zt::cli
