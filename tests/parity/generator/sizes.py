# SPDX-License-Identifier: Apache-2.0
"""Sizes of the folders that make_folder.py makes: what tests/parity itself does not have."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
    widths: tuple  # one per level
    latent_hw: tuple
    layers: int
    heads: int
    groups: int
    context_width: int
    vae_widths: tuple
    pose_widths: tuple
    clip_patch: int
    clip_heads: int
    motion_heads: int
    motion_positions: int
    frames: int  # of a training clip
    clip_frames: int  # of the generated clip
    window: int
    overlap: int
    steps: int
    latent_channels: int = 4
    use_inflated_groupnorm: bool = True  # statistics of the ResNets' norms per frame
    motion_mid_block: bool = True
    use_linear_projection: bool = False
    seed: int = 77

    @property
    def image_hw(self):
        factor = 2 ** (len(self.vae_widths) - 1)
        return tuple(side * factor for side in self.latent_hw)


SIZES = {
    # 10 x 14 becomes 5 x 7 and 3 x 4: the way up must be told its sizes.
    "three_levels": Sizes(
        widths=(32, 64, 96), latent_hw=(10, 14), layers=1, heads=4, groups=16, context_width=48,
        vae_widths=(16, 24, 32), pose_widths=(8, 16, 32), clip_patch=56, clip_heads=3, motion_heads=4,
        motion_positions=24, frames=5, clip_frames=13, window=6, overlap=2, steps=3),
    # The same, small enough to lie in tests/parity.
    "narrow": Sizes(
        widths=(32, 32, 64), latent_hw=(10, 14), layers=1, heads=4, groups=16, context_width=24,
        vae_widths=(8, 16, 16), pose_widths=(8, 8, 16), clip_patch=32, clip_heads=2, motion_heads=2,
        motion_positions=24, frames=5, clip_frames=13, window=6, overlap=2, steps=3),
    # inference_v1's motion: norms over the whole clip, none in the middle.
    "two_levels": Sizes(
        widths=(64, 32), latent_hw=(11, 7), layers=2, heads=2, groups=8, context_width=40, vae_widths=(16, 24),
        pose_widths=(8, 16), clip_patch=32, clip_heads=5, motion_heads=8, motion_positions=16, frames=3,
        clip_frames=9, window=4, overlap=1, steps=5, use_inflated_groupnorm=False, motion_mid_block=False),
    "five_levels": Sizes(
        widths=(32, 32, 64, 96, 64), latent_hw=(19, 34), layers=1, heads=8, groups=4, context_width=32,
        vae_widths=(8, 16, 16, 24), pose_widths=(8, 8, 16, 16), clip_patch=112, clip_heads=2, motion_heads=2,
        motion_positions=32, frames=6, clip_frames=10, window=8, overlap=3, steps=2, latent_channels=8,
        use_linear_projection=True),
}
