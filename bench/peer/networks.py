# SPDX-License-Identifier: Apache-2.0
"""AnimateAnyone's networks from diffusers' and transformers' blocks, with random weights."""

import dataclasses

from diffusers import AutoencoderKL, UNet2DConditionModel, UNetMotionModel
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection


class PoseGuider(nn.Module):
    """ControlNet's conditioning embedding on (B F, 3, H, W)."""

    def __init__(self, channels, out_channels):
        super().__init__()
        self.conv_in = nn.Conv2d(3, channels[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for narrow, wide in zip(channels, channels[1:]):
            self.blocks.append(nn.Conv2d(narrow, narrow, 3, padding=1))
            self.blocks.append(nn.Conv2d(narrow, wide, 3, padding=1, stride=2))
        self.conv_out = nn.Conv2d(channels[-1], out_channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, pose):
        x = nn.functional.silu(self.conv_in(pose))
        for block in self.blocks:
            x = nn.functional.silu(block(x))
        return self.conv_out(x)


class PoseInput:
    """Adds pose features to what a UNet's conv_in gives."""

    def __init__(self, unet):
        self.features = None
        unet.conv_in.register_forward_hook(lambda module, args, output: output + self.features)


@dataclasses.dataclass
class Networks:
    vae: nn.Module
    clip: nn.Module
    reference_net: nn.Module
    denoiser: nn.Module
    pose_guider: nn.Module
    pose_input: PoseInput

    def trained(self, stage):
        """Parameters that train, after freezing the others."""
        for network in (self.vae, self.clip, self.reference_net, self.denoiser, self.pose_guider):
            network.requires_grad_(False)
        if stage == 1:
            for network in (self.reference_net, self.denoiser, self.pose_guider):
                network.requires_grad_(True)
            for name, parameter in self.reference_net.named_parameters():
                if "up_blocks.3" in name:
                    parameter.requires_grad_(False)
        else:
            for name, parameter in self.denoiser.named_parameters():
                if "motion_modules" in name:
                    parameter.requires_grad_(True)
        networks = (self.reference_net, self.denoiser, self.pose_guider)
        return [p for network in networks for p in network.parameters() if p.requires_grad]


def unet_sizes(c):
    return {
        "in_channels": c.latent_channels, "out_channels": c.latent_channels,
        "block_out_channels": c.channels, "layers_per_block": c.layers,
        "norm_num_groups": c.groups, "cross_attention_dim": c.context_width,
    }


def unet2d(c):
    attention_levels = len(c.channels) - 1
    return UNet2DConditionModel(
        down_block_types=("CrossAttnDownBlock2D",) * attention_levels + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * attention_levels,
        attention_head_dim=c.heads,  # diffusers' name for the number of heads
        **unet_sizes(c))


def motion_unet(c):
    unet = UNetMotionModel(
        num_attention_heads=c.heads, motion_num_attention_heads=c.heads, motion_max_seq_length=32, **unet_sizes(c))
    for module in unet.modules():
        if type(module).__name__ in ("TransformerTemporalModel", "AnimateDiffTransformer3D"):  # the latter since 0.28
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)
    return unet


def build(c, has_motion):
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(c.vae_channels),
        up_block_types=("UpDecoderBlock2D",) * len(c.vae_channels),
        block_out_channels=c.vae_channels, layers_per_block=c.vae_layers, norm_num_groups=c.vae_groups,
        latent_channels=c.latent_channels)
    clip = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=c.clip_width, intermediate_size=4 * c.clip_width, projection_dim=c.context_width,
        num_hidden_layers=c.clip_layers, num_attention_heads=c.clip_heads, image_size=c.clip_px,
        patch_size=c.clip_patch))
    reference_net = unet2d(c)
    reference_net.conv_norm_out = None  # only its banks are used
    reference_net.conv_out = nn.Identity()
    denoiser = motion_unet(c) if has_motion else unet2d(c)
    pose_guider = PoseGuider(c.pose_channels, c.channels[0])
    return Networks(vae.eval(), clip.eval(), reference_net, denoiser, pose_guider, PoseInput(denoiser))
