// SPDX-License-Identifier: Apache-2.0
// One video or folder of pictures, as found: the facts that an index needs, or the reason why it can't be
// used.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "data/ingest/ingest.hpp"
#include "media/video_info.hpp"
#include "media/video_reader.hpp"

namespace zt::data::ingest_internal {

/// A value, or a finding that becomes a reject; `what` is the file.
template <class T>
using Checked = tl::expected<T, Finding>;

struct MeasureOptions {
  bool decode = true;        ///< every frame; else the container's word for them and a look at the file's end
  double cut_threshold = 0;  ///< look for shot changes; 0 = don't
  bool find_figure = false;  ///< of a pose video: where anything is drawn on the black
};

/// Left, top, right, bottom; normalised.
using Box = std::array<double, 4>;

struct Facts {
  int width = 0;
  int height = 0;
  media::Rational fps{0, 1};  ///< 0 = unknown (pictures)
  int64_t num_frames = 0;
  bool is_decoded = false;  ///< every frame was, and none is damaged
  bool is_variable_rate = false;
  std::vector<int64_t> cuts;
  std::vector<std::optional<Box>> figures;  ///< if asked for: by frame, around what is drawn in it
};

/// A video or folder of pictures that could be opened.
class Footage {
 public:
  /// Reasons: missing-file, no-permission, empty-file, not-a-video, corrupt, too-large,
  /// no-frames.
  static Checked<Footage> open(const std::filesystem::path& path);
  /// Looking for cuts or figures decodes every frame, too. Once only. Reasons: corrupt-frames, truncated,
  /// size-changes.
  Checked<Facts> measure(const MeasureOptions& options);

 private:
  using Files = std::vector<std::filesystem::path>;
  Footage(std::filesystem::path path, std::variant<media::VideoReader, Files> source)
      : path_(std::move(path)), source_(std::move(source)) {}
  std::filesystem::path path_;
  std::variant<media::VideoReader, Files> source_;
};

/// Footage::open() and Footage::measure().
Checked<Facts> measure(const std::filesystem::path& path, const MeasureOptions& options);

/// Digest of a file's bytes, or of all pictures of a folder. Reasons as above.
Checked<std::string> digest(const std::filesystem::path& path);

/// The stable word for a media or file error.
std::string reason_of(ErrorCode code);
/// That word where a file could not be opened or read; `otherwise` where something is wrong in it.
std::string reason_if_closed(ErrorCode code, std::string_view otherwise);

}  // namespace zt::data::ingest_internal
