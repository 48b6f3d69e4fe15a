// SPDX-License-Identifier: Apache-2.0
// Training straight from Moore-AnimateAnyone's *_meta.json lists: an index by a quick look at every file.
// `data ingest` decodes every frame instead, and is what finds damaged ones.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/error.hpp"
#include "data/clip_index.hpp"

namespace zt::data {

/// One clip per entry of all lists, in their order; where the entry names no split, "train". Lists and their
/// paths are read as `data ingest` reads them; videos may be folders of pictures. Frames are counted as the
/// container or the header of the key-points says. An entry of which a part can't be opened or ends early
/// (docs/formats/ingest.md), that has neither pose video nor key-points, or whose lengths differ is named in
/// the log and left out. Paths are relative to the working folder. `content` is a sampled_digest(), where an
/// index that `data ingest` made has one of all bytes. Errors: those of reading the lists, InvalidConfig for
/// what is no list; InvalidArgument if no entry is usable.
Result<ClipIndex> index_meta_lists(std::span<const std::filesystem::path> lists, size_t num_threads);

}  // namespace zt::data
