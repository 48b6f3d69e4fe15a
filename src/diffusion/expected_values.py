#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Values that diffusion_test.cpp and ddim_test.cpp compare with, computed with numpy only, in fp64 unless said.

Formulas from the papers (Ho 2020, Song 2020, Hang 2023, Lin 2023) and numpy's own arange, linspace and round; nothing of
Zoetrope is used. Run: python3 expected_values.py (numpy 2.4 was used).
"""
import numpy as np

T = 1000


def alphas_cumprod(kind, zero_snr, start=0.00085, end=0.012):
    if kind == "linear":
        betas = np.linspace(start, end, T)
    else:
        betas = np.linspace(start**0.5, end**0.5, T) ** 2
    bar = np.cumprod(1 - betas)
    if zero_snr:
        root = np.sqrt(bar)
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
        bar = root**2
    return bar


def timesteps(spacing, n, offset=1):
    if spacing == "trailing":
        # For some n arange's rounding gives one element too many, a timestep of -1 that nobody wants.
        return np.round(np.arange(T, 0, -T / n)).astype(np.int64)[:n] - 1
    if spacing == "leading":
        return (np.arange(0, n) * (T // n)).round()[::-1].astype(np.int64) + offset
    return np.linspace(0, T - 1, n).round()[::-1].astype(np.int64)


def fnv1a(values, state=0xCBF29CE484222325):
    for value in values:
        state = ((state ^ int(value)) * 0x100000001B3) % 2**64
    return state


def min_snr(bar, kind, gamma=5.0):
    snr = bar / (1 - bar)
    if kind == "moore_v":
        return np.minimum(snr + 1, gamma) / (snr + 1)
    if kind == "standard_v":
        return np.minimum(snr, gamma) / (snr + 1)
    if kind == "epsilon":
        return np.minimum(snr, gamma) / snr
    return np.minimum(snr, gamma)


def outputs(i):
    """The made-up network: the same small numbers for every prediction type."""
    k = np.arange(6)
    return np.sin(0.7 * k + i) * 0.8


def trajectory(spacing, prediction, eta, n=4):
    """The sample after all steps but the last."""
    bar = alphas_cumprod("scaled_linear", prediction != "epsilon")
    x = np.cos(1.3 * np.arange(6))
    for i, t in enumerate(timesteps(spacing, n)[:-1]):
        a, after = bar[t], t - T // n
        a_next = bar[after] if after >= 0 else 1.0
        out = outputs(i)
        if prediction == "epsilon":
            x0, eps = (x - np.sqrt(1 - a) * out) / np.sqrt(a), out
        elif prediction == "sample":
            x0, eps = out, (x - np.sqrt(a) * out) / np.sqrt(1 - a)
        else:
            x0 = np.sqrt(a) * x - np.sqrt(1 - a) * out
            eps = np.sqrt(a) * out + np.sqrt(1 - a) * x
        sigma = eta * np.sqrt((1 - a_next) / (1 - a) * (1 - a / a_next))
        noise = np.cos(2.1 * np.arange(6) + i)
        x = np.sqrt(a_next) * x0 + np.sqrt(1 - a_next - sigma**2) * eps + sigma * noise
    return x


def show(name, values):
    print(f"{name}: " + ", ".join(f"{v:.9g}" for v in values))


def main():
    for spacing in ("trailing", "leading", "linspace"):
        digest = 0xCBF29CE484222325
        for n in range(1, T + 1):
            digest = fnv1a(timesteps(spacing, n), digest)
        print(f"{spacing}: all n in 1..1000, FNV-1a {digest:#018x}")
        print(f"{spacing} n=7: {timesteps(spacing, 7).tolist()}")
    bar = alphas_cumprod("scaled_linear", True)
    at = [0, 100, 200, 300, 400, 500, 700, 999]
    for kind in ("moore_v", "standard_v", "sample"):
        show(f"min-SNR {kind}", min_snr(bar, kind)[at])
    show("min-SNR epsilon, no zero-SNR", min_snr(alphas_cumprod("scaled_linear", False), "epsilon")[at])
    for spacing in ("leading", "linspace"):
        for prediction in ("v_prediction", "epsilon", "sample"):
            for eta in (0.0, 0.6):
                show(f"{spacing} {prediction} eta {eta}", trajectory(spacing, prediction, eta))
    guided = np.array([[1.0, -2.0, 4.0, 0.5], [0.1, 0.2, -0.3, 0.7]])
    conditional = np.array([[0.5, -0.5, 1.5, 0.25], [0.3, 0.1, -0.9, 0.2]])
    scale = conditional.std(axis=1, ddof=1, keepdims=True) / guided.std(axis=1, ddof=1, keepdims=True)
    show("rescale phi 0.7", (0.7 * guided * scale + 0.3 * guided).ravel())
    print("power 3:", [int(min(T - 1, np.floor(T * (1 - u**3)))) for u in (0.0, 0.25, 0.5, 0.75, 0.999)])


if __name__ == "__main__":
    main()
