// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: the input as bytes or text, and a file for readers that take only paths.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>

#include "support/temp_folder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace zt::fuzz {

inline std::span<const std::byte> bytes_of(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}
inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// A folder of the process with one file, rewritten for every input.
class InputFile {
 public:
  explicit InputFile(const char* name) : path_(folder_ / name) {}
  const std::filesystem::path& write(const uint8_t* data, size_t size) {
    std::ofstream file(path_, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
    return path_;
  }
  const std::filesystem::path& folder() const { return folder_.path(); }

 private:
  test::TempFolder folder_;
  std::filesystem::path path_;
};

/// Ends the process where an accepted input breaks a promise of its reader.
inline void expect(bool holds) {
  if (!holds) std::abort();
}

}  // namespace zt::fuzz
