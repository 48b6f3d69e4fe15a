// SPDX-License-Identifier: Apache-2.0
// How near one picture is to another: PSNR, SSIM, L1. All on 8-bit values, all channels together unless said
// otherwise. Everything in this folder throws std::invalid_argument on pictures of different sizes or channel
// counts, or empty ones; score.hpp checks whole clips first and returns errors.
#pragma once

#include "image/image.hpp"

namespace zt::quality {

/// What PSNR is given when the pictures are equal, so that means over frames stay finite (as DisCo's script
/// does).
inline constexpr double kPsnrOfEqualPictures = 100.0;

/// Mean squared error in grey levels squared, over pixels and channels.
double mse(const image::Image& a, const image::Image& b);

/// 10 log10(255^2 / mse); 100 for equal pictures.
double psnr(const image::Image& a, const image::Image& b);

/// The number that DisCo's metric script prints, and papers of this family report: the difference and its
/// square are taken in uint8 and wrap round at 256, so the error is too small and the PSNR too high. Only for
/// comparing with published tables. Source: Wangt-CN/DisCo tool/metrics/ssim_l1_lpips_psnr.py, psnr_eval.
double psnr_disco(const image::Image& a, const image::Image& b);

/// Mean absolute difference, divided by 255: 0..1.
double l1(const image::Image& a, const image::Image& b);

/// The grey picture of cv2.cvtColor(RGB2GRAY): .299 R + .587 G + .114 B in 15-bit fixed point, rounded.
image::Image luma(const image::Image& rgb);

/// The window over which means and variances are taken.
enum class SsimWindow {
  Gaussian11,  ///< 11 x 11, sigma 1.5, population variance: Wang, Bovik, Sheikh, Simoncelli 2004
  Uniform7,    ///< 7 x 7, sample variance: skimage's default, which DisCo's script uses on luma
};

/// Structural similarity of the luma: mean over all windows that lie wholly inside, K1 = .01, K2 = .03, L =
/// 255. Equals skimage.metrics.structural_similarity(..., data_range=255) with gaussian_weights=True,
/// sigma=1.5, use_sample_covariance=False (Gaussian11) or with its defaults (Uniform7). Requires: both sides
/// at least the window's.
double ssim(const image::Image& a, const image::Image& b, SsimWindow window = SsimWindow::Gaussian11);

/// The same on each channel by itself, then the mean (skimage's channel_axis).
double ssim_per_channel(const image::Image& a, const image::Image& b,
                        SsimWindow window = SsimWindow::Gaussian11);

}  // namespace zt::quality
