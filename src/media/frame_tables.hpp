// SPDX-License-Identifier: Apache-2.0
// What readers found out about where the pictures of their files are, for readers of the same files that come
// after them: without it, each one that is asked for pictures by number goes through all packets of its file
// first. Give one object to all readers (VideoReaderOptions::tables).
#pragma once

#include <cstddef>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace zt::media {

namespace internal {
struct FrameTable;
}

/// Threads: any.
class FrameTables {
 public:
  /// Those that were used last are kept, up to `max_bytes`: 8 for a picture, and 16 more for a keyframe (in
  /// MJPEG, ProRes and FFV1 every picture is one).
  explicit FrameTables(size_t max_bytes = size_t{64} << 20) : max_bytes_(max_bytes) {}

  /// A file as it is now: its path, size and time of modification.
  static std::string name_of(const std::filesystem::path& file);

  /// Null within: the file is known to have none. A table outlives its place here while a reader uses it.
  using Table = std::shared_ptr<const internal::FrameTable>;
  std::optional<Table> find(const std::string& name);
  void keep(const std::string& name, const Table& table);

 private:
  struct Entry {
    std::string name;
    Table table;
    size_t bytes = 0;
  };
  const size_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // the one used last comes first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_name_;
  size_t bytes_ = 0;
};

}  // namespace zt::media
