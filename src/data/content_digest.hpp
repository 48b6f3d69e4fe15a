// SPDX-License-Identifier: Apache-2.0
// The name that a clip's footage has in the cache: a digest of its bytes, or of samples of them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "data/clip_index.hpp"

namespace zt::data {

/// XXH3-128 of a file's bytes, or of all pictures of a folder in order. Errors: those of reading.
Result<std::string> content_digest(const std::filesystem::path& path);

/// Where reading all footage would keep a start waiting: XXH3-128 of a file's size and of its bytes at 16
/// places of 64 KiB from its start to its end; of a folder, of every picture's size and the 4 KiB in its
/// middle. If that leaves anything unread, a point and the XXH3-128 of the modification times (nanoseconds)
/// of the files that were not read whole: one that is changed in place, where nothing is read, is another
/// clip. The same wherever the footage lies. Errors: those of reading.
Result<std::string> sampled_digest(const std::filesystem::path& path);

/// Whether footage is still what the index says, asked before a clip is decoded and found out once for each
/// video, however many clips are shots of it, and again only where it was not and has changed: what is made
/// of other footage must not get into the cache under this one's name. Threads: any; those that ask about one
/// video wait for the one that reads it.
class ContentCheck {
 public:
  /// Errors: Corrupt if the footage was replaced; those of reading, as blamed(). Indexes that were not read
  /// from a file have no digests to compare, and pass.
  Status check(const ClipIndex& index, size_t clip);

 private:
  struct Footage {
    std::mutex mutex;
    std::optional<std::string> digest;
    std::string stamp;  // of the files that have the digest
  };
  Footage& footage_of(const std::string& video);
  std::mutex mutex_;
  std::map<std::string, Footage> footage_;
};

}  // namespace zt::data
