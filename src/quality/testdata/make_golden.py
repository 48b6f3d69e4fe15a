# SPDX-License-Identifier: Apache-2.0
"""Makes the expected values of picture_test.cpp with scikit-image, OpenCV and numpy.

  python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy scikit-image opencv-python-headless
  /tmp/v/bin/python src/quality/testdata/make_golden.py      # last run: scikit-image 0.26.0, OpenCV 4.14.0
"""
import sys
from math import log10, sqrt
from pathlib import Path

import cv2
import numpy as np
from skimage.metrics import structural_similarity

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests/support"))
import golden  # noqa: E402


def disco_psnr(a, b):
    """Wangt-CN/DisCo tool/metrics/ssim_l1_lpips_psnr.py: the subtraction and the square are in uint8."""
    mse = np.mean((a - b) ** 2)
    return 100.0 if mse == 0 else 20 * log10(255.0 / sqrt(mse))


rng = np.random.default_rng(7)
y, x = np.mgrid[0:31, 0:40]
a = np.stack([128 + 90 * np.sin(x / 5 + c) * np.cos(y / 7 - c) for c in range(3)], -1).astype(np.uint8)
b = np.clip(a.astype(int) + rng.integers(-40, 41, a.shape), 0, 255).astype(np.uint8)
gauss = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
ga, gb = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (a, b))
golden.write(HERE / "picture.golden", {
    "a": a,
    "b": b,
    "luma_a": ga,
    "ssim_luma": np.array([structural_similarity(ga, gb, **gauss)]),
    "ssim_rgb": np.array([structural_similarity(a, b, channel_axis=2, **gauss)]),
    "ssim_luma_uniform7": np.array([structural_similarity(ga, gb)]),
    "psnr": np.array([10 * log10(255**2 / np.mean((a.astype(float) - b) ** 2))]),
    "psnr_disco": np.array([disco_psnr(a, b)]),
    "l1": np.array([np.mean(np.abs(a.astype(float) - b)) / 255]),
})
