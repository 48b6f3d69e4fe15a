# SPDX-License-Identifier: Apache-2.0
"""Sizes that peer and ours are compared at."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Configuration:
    image_px: int
    batch: int  # stage 1; stage 2 takes one clip
    frames: int  # of a stage-2 clip
    latent_channels: int
    channels: tuple
    layers: int
    heads: int
    groups: int
    context_width: int
    vae_channels: tuple
    vae_layers: int
    vae_groups: int
    clip_px: int
    clip_patch: int
    clip_width: int
    clip_layers: int
    clip_heads: int
    pose_channels: tuple

    @property
    def latent_px(self):
        return self.image_px // 2 ** (len(self.vae_channels) - 1)


CONFIGURATIONS = {
    "tiny64": Configuration(
        image_px=64, batch=4, frames=8, latent_channels=4,
        channels=(32, 64, 96, 96), layers=1, heads=2, groups=8, context_width=64,
        vae_channels=(24, 48, 48), vae_layers=1, vae_groups=8,
        clip_px=32, clip_patch=8, clip_width=64, clip_layers=2, clip_heads=4,
        pose_channels=(16, 32, 64)),
    "quarter": Configuration(
        image_px=256, batch=1, frames=8, latent_channels=4,
        channels=(80, 160, 320, 320), layers=2, heads=8, groups=16, context_width=192,
        vae_channels=(32, 64, 128, 128), vae_layers=2, vae_groups=16,
        clip_px=224, clip_patch=14, clip_width=256, clip_layers=6, clip_heads=4,
        pose_channels=(16, 32, 96, 256)),
    "sd15": Configuration(
        image_px=512, batch=4, frames=16, latent_channels=4,
        channels=(320, 640, 1280, 1280), layers=2, heads=8, groups=32, context_width=768,
        vae_channels=(128, 256, 512, 512), vae_layers=2, vae_groups=32,
        clip_px=224, clip_patch=14, clip_width=1024, clip_layers=24, clip_heads=16,
        pose_channels=(16, 32, 96, 256)),
}


def with_batch(configuration, batch):
    return dataclasses.replace(configuration, batch=batch)


def with_sizes(configuration, **sizes):
    """Those that are not None."""
    return dataclasses.replace(configuration, **{key: value for key, value in sizes.items() if value})
