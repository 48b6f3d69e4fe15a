// SPDX-License-Identifier: Apache-2.0
// One generated video: reference picture + poses -> frames.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/enum_names.hpp"
#include "config/job/compat.hpp"
#include "config/job/data_job.hpp"
#include "config/job/dtype_choice.hpp"
#include "config/job/model_job.hpp"
#include "config/job/schedule_job.hpp"

namespace zt::config {

class Listing;

/// How a clip longer than one window is cut. Better: last window clamped to the end, windows shift from step
/// to step, weights fall linearly to the borders. Compat: the reference's uniform, unshifted windows.
enum class ContextMode { Better, Compat };
template <>
struct EnumNames<ContextMode> {
  static constexpr std::array<std::string_view, 2> values = {"better", "compat"};
};

/// How the reference picture is brought to the image encoder's size: shortest side then centre crop, as in
/// training, or squashed to a square first, as the reference's long pipeline does.
enum class ClipResize { ShortestSide, Squash };
template <>
struct EnumNames<ClipResize> {
  static constexpr std::array<std::string_view, 2> values = {"shortest_side", "squash"};
};

/// How a result becomes bytes. Truncate is the reference's: half a grey level darker on average.
enum class PixelRounding { Nearest, Truncate };
template <>
struct EnumNames<PixelRounding> {
  static constexpr std::array<std::string_view, 2> values = {"nearest", "truncate"};
};

enum class InterpolationKind { Linear, Slerp };
template <>
struct EnumNames<InterpolationKind> {
  static constexpr std::array<std::string_view, 2> values = {"linear", "slerp"};
};

struct ContextJob {
  int64_t frames = 24;
  int64_t stride = 1;
  int64_t overlap = 4;
  ContextMode mode = ContextMode::Better;
  bool closed_loop = false;     ///< compat mode: windows run on from the end into the beginning
  bool divide_overlaps = true;  ///< false: the reference's doubled prediction in overlaps when guidance <= 1
};

/// A ModelJob for trained weights: all of a motion file counts.
inline ModelJob whole_files() {
  ModelJob model;
  model.mm_zero_proj_out = false;
  return model;
}

/// Key-points are drawn as the base says; a pose video is taken as it is.
struct GenerateJob : PoseDrawing {
  std::string run;      ///< run folder; its best checkpoint and its model section
  std::string weights;  ///< or a folder of Moore-layout or diffusers files
  /// Or single files; used when run and weights are empty. Motion modules are then trained ones: all of them
  /// counts.
  ModelJob model = whole_files();
  bool use_ema = true;
  std::string reference_image;
  std::string pose;    ///< pose video, or key-points
  std::string output;  ///< bare result; "" = named after the inputs in output_dir
  std::string output_dir = "output";
  bool write_panels = true;  ///< also reference | pose | result side by side
  int64_t width = 512;
  int64_t height = 784;
  int64_t length = 24;  ///< frames; cut to the pose video's
  int64_t steps = 30;
  double guidance_scale = 3.5;
  double guidance_rescale = 0.0;
  double eta = 0.0;
  int64_t seed = 42;
  bool same_noise_per_frame = false;
  TimestepSpacing timestep_spacing = TimestepSpacing::Trailing;
  ScheduleJob schedule;  ///< how the weights were trained; a run brings its own
  SamplerBetas beta_schedule = SamplerBetas::AsTrained;
  ContextJob context;
  int64_t interpolation_factor = 1;
  InterpolationKind interpolation = InterpolationKind::Linear;
  ClipResize clip_resize = ClipResize::ShortestSide;
  bool align = false;               ///< fit the poses (key-points) to the reference's proportions
  std::string reference_keypoints;  ///< with `align`: key-points of the reference picture
  double fps = 0.0;                 ///< 0 = the pose video's own, kept as a fraction
  int64_t crf = 18;
  PixelRounding pixel_rounding = PixelRounding::Nearest;
  int64_t decode_chunk_frames = 8;  ///< frames per call of the pose guider and the codec
  DtypeChoice dtype = DtypeChoice::AsTrained;
  BankChoice bank_dtype = BankChoice::AsTrained;
  Compat compat = Compat::None;
  std::string device = "cpu";
  int64_t threads = 0;
};

void describe(Listing& listing, ContextJob& job);
void describe(Listing& listing, GenerateJob& job);
Status validate(const GenerateJob& job);

}  // namespace zt::config
