// SPDX-License-Identifier: Apache-2.0
// Follows a log file that another process appends to, also after it was moved or removed.
#pragma once

#include <filesystem>
#include <fstream>
#include <ios>
#include <string>

namespace zt::cli {

class LogTail {
 public:
  /// Starts at the file's present end; it may be absent.
  explicit LogTail(std::filesystem::path path);
  /// The complete lines that were added since the last call, at most 256 KiB of them at a time.
  std::string read();
  /// What was added behind the last complete line: the words of a process that died in mid-sentence.
  std::string rest();

 private:
  std::filesystem::path path_;
  std::ifstream file_;
  std::streamoff offset_ = 0;
  std::string partial_;
};

}  // namespace zt::cli
