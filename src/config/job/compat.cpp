// SPDX-License-Identifier: Apache-2.0
#include "config/job/compat.hpp"

namespace zt::config {
namespace {

constexpr CompatField kTrainFields[] = {
    {"schedule.beta_schedule", "scaled_linear", "training forces it whatever the yaml says"},
    {"schedule.timestep_distribution", "uniform", "t ~ U{0..T-1}"},
    {"schedule.min_snr_variant", "moore", "weight min(snr + 1, gamma) / (snr + 1)"},
    {"validation.beta_schedule", "linear", "validation samples with inference_v2.yaml's schedule"},
    {"validation.same_noise_per_frame", "false", "every frame starts from its own noise"},
    {"condition.null_condition", "zero_pixels", "training feeds a zero picture through the image encoder"},
    {"condition.dropout_scope", "batch", "one draw per batch decides for all its samples"},
    {"precision.bank_dtype", "fp16", "the reader casts the bank to fp16 always"},
    {"data.crop_mode", "per_stream", "crops are computed per picture, in pixels"},
    {"model.mm_zero_proj_out", "false", "the motion file's proj_out is loaded"},
    {"model.pose_init", "zero_output", "the pose guider's last convolution starts at zero"},
    {"model.denoiser_init", "random", "nothing is copied between the networks"},
    {"model.motion.norm_num_groups", "32", "fixed in the reference's code"},
    {"freeze", "[reference_unet.up_blocks.3.]", "fixed in the reference's code"},
    {"optimizer.ema_decay", "0", "no averaged weights"},
};

constexpr CompatField kGenerateFields[] = {
    {"steps", "30", "its scripts' own"},
    {"guidance_scale", "3.5", "its scripts' own"},
    {"beta_schedule", "linear", "inference_v2.yaml's schedule, not the one of training"},
    {"timestep_spacing", "trailing", "as the scheduler is set up under zero-SNR"},
    {"same_noise_per_frame", "false", "every frame starts from its own noise"},
    {"guidance_rescale", "0", "not in the reference"},
    {"context.mode", "compat", "uniform windows that never shift between steps"},
    {"context.closed_loop", "true", "windows run on from the clip's end into its beginning"},
    {"context.divide_overlaps", "false", "with guidance <= 1 overlapped predictions are added, not averaged"},
    {"clip_resize", "squash", "the long pipeline squashes the reference to a square"},
    {"bank_dtype", "fp16", "the reader casts the bank to fp16 always"},
    {"align", "false", "not in the reference"},
    {"pixel_rounding", "truncate", "frames are cast to uint8 as they are"},
};

}  // namespace

std::span<const CompatField> train_compat_fields() { return kTrainFields; }
std::span<const CompatField> generate_compat_fields() { return kGenerateFields; }

}  // namespace zt::config
