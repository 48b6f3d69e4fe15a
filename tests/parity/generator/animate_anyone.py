# SPDX-License-Identifier: Apache-2.0
"""AnimateAnyone's networks from diffusers' 2-D blocks, in the reference's tree of names, with random weights.

Tensors: B batch, C channels, F frames, H height, W width, S positions, D context width. Blocks see (B F, C, H, W)."""

import math
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention import FeedForward
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench" / "peer"))
from networks import PoseGuider  # noqa: E402
from reference_attention import ReferenceAttention  # noqa: E402

MOTION_GROUPS = 32  # whatever the UNet has


class PositionEncoder(nn.Module):
    def __init__(self, width, positions):
        super().__init__()
        angle = torch.arange(positions).unsqueeze(1) * torch.exp(torch.arange(0, width, 2) * (-math.log(1e4) / width))
        self.register_buffer("pe", torch.stack([angle.sin(), angle.cos()], -1).flatten(1).unsqueeze(0))


class TemporalAttention(nn.Module):
    """Every position attends over the frames; positions are added to the normed input, so to the values too."""

    def __init__(self, width, heads, positions):
        super().__init__()
        self.heads = heads
        self.pos_encoder = PositionEncoder(width, positions)
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x, frames):
        x = x.unflatten(0, (-1, frames)).transpose(1, 2) + self.pos_encoder.pe[:, :frames].to(x.dtype)  # B S F C
        q, k, v = (part(x).unflatten(-1, (self.heads, -1)).transpose(2, 3) for part in (self.to_q, self.to_k, self.to_v))
        seen = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return self.to_out[0](seen.transpose(2, 3).flatten(-2)).transpose(1, 2).flatten(0, 1)


class TemporalBlock(nn.Module):
    def __init__(self, width, heads, positions):
        super().__init__()
        self.attention_blocks = nn.ModuleList([TemporalAttention(width, heads, positions) for _ in range(2)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2)])
        self.ff = FeedForward(width, activation_fn="geglu")
        self.ff_norm = nn.LayerNorm(width)

    def forward(self, x, frames):
        for norm, attention in zip(self.norms, self.attention_blocks):
            x = attention(norm(x), frames) + x
        return self.ff(self.ff_norm(x)) + x


class TemporalTransformer(nn.Module):
    def __init__(self, width, heads, positions):
        super().__init__()
        self.norm = nn.GroupNorm(MOTION_GROUPS, width, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(width, width), nn.Linear(width, width)
        self.transformer_blocks = nn.ModuleList([TemporalBlock(width, heads, positions)])

    def forward(self, x, frames):
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        tokens = self.proj_out(self.transformer_blocks[0](tokens, frames))
        return tokens.transpose(1, 2).unflatten(2, x.shape[2:]) + x


class MotionModule(nn.Module):
    def __init__(self, width, sizes):
        super().__init__()
        self.temporal_transformer = TemporalTransformer(width, sizes.motion_heads, sizes.motion_positions)

    def forward(self, x, frames):
        return self.temporal_transformer(x, frames)


class ClipNorm(nn.GroupNorm):
    """Statistics over all frames of a clip, where frames lie in the batch."""

    frames = 1

    def forward(self, x):
        clip = x.unflatten(0, (-1, self.frames)).transpose(1, 2)
        return super().forward(clip).transpose(1, 2).flatten(0, 1)


def unet2d(s):
    attention_levels = len(s.widths) - 1
    return UNet2DConditionModel(
        sample_size=max(s.latent_hw), in_channels=s.latent_channels, out_channels=s.latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * attention_levels + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * attention_levels,
        block_out_channels=s.widths, layers_per_block=s.layers, norm_num_groups=s.groups,
        cross_attention_dim=s.context_width, use_linear_projection=s.use_linear_projection,
        attention_head_dim=s.heads)  # diffusers' name for the number of heads


def add_motion(unet, s):
    for block in (*unet.down_blocks, *unet.up_blocks):
        block.motion_modules = nn.ModuleList([MotionModule(r.out_channels, s) for r in block.resnets])
    if s.motion_mid_block:
        unet.mid_block.motion_modules = nn.ModuleList([MotionModule(s.widths[-1], s)])
    if not s.use_inflated_groupnorm:
        blocks = (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
        for norm in (unet.conv_norm_out, *(n for b in blocks for r in b.resnets for n in (r.norm1, r.norm2))):
            norm.__class__ = ClipNorm


def randomise(module):
    """Numbers that fp16 holds exactly, no zeros."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            if p.dim() > 1:
                value = torch.randn_like(p) * p[0].numel() ** -0.5
            else:
                value = 0.1 * torch.randn_like(p) + float(name.endswith("weight"))
            p.copy_(value.half().float())


class Networks:
    """One stage's networks: ReferenceNet, denoising UNet and PoseGuider, joined by reference attention."""

    def __init__(self, sizes, stage):
        self.has_motion = stage == 2
        self.reference_unet, self.denoising_unet = unet2d(sizes), unet2d(sizes)
        self.reference_unet.conv_norm_out, self.reference_unet.conv_out = None, nn.Identity()  # only its banks are used
        self.pose_guider = PoseGuider(sizes.pose_widths, sizes.widths[0])
        if self.has_motion:
            add_motion(self.denoising_unet, sizes)
        self.attention = ReferenceAttention(self.reference_unet, self.denoising_unet)

    def modules(self):
        return {"reference_unet": self.reference_unet, "denoising_unet": self.denoising_unet,
                "pose_guider": self.pose_guider}

    def write_banks(self, latents, context, rounds_to_half=False):
        self.attention.clear()
        self.reference_unet(latents, torch.zeros(len(latents), dtype=torch.long), context, return_dict=False)
        if rounds_to_half:
            for name, bank in self.attention.banks.items():
                self.attention.banks[name] = bank.half().to(bank.dtype)

    def pose(self, pose_BCFHW):
        return unfold(self.pose_guider(fold(pose_BCFHW)), pose_BCFHW.shape[2])

    def denoise(self, x_BCFHW, timestep_B, context_B1D, pose_BCFHW):
        """Attends to what write_banks() left, and to itself only if there is nothing."""
        unet, frames = self.denoising_unet, x_BCFHW.shape[2]
        self.attention.frames = ClipNorm.frames = frames
        emb = unet.time_embedding(unet.time_proj(timestep_B).to(x_BCFHW.dtype)).repeat_interleave(frames, 0)
        context = context_B1D.repeat_interleave(frames, 0)

        def layer(block, i, x):
            x = block.resnets[i](x, emb)
            if hasattr(block, "attentions"):
                x = block.attentions[i](x, encoder_hidden_states=context, return_dict=False)[0]
            return block.motion_modules[i](x, frames) if hasattr(block, "motion_modules") else x

        x = unet.conv_in(fold(x_BCFHW)) + fold(pose_BCFHW)
        skips = [x]
        for block in unet.down_blocks:
            for i in range(len(block.resnets)):
                x = layer(block, i, x)
                skips.append(x)
            for down in block.downsamplers or ():
                x = down(x)
                skips.append(x)
        x = unet.mid_block.resnets[1](layer(unet.mid_block, 0, x), emb)
        for block in unet.up_blocks:
            for i in range(len(block.resnets)):
                x = layer(block, i, torch.cat([x, skips.pop()], dim=1))
            for up in block.upsamplers or ():
                x = up(x, tuple(skips[-1].shape[2:]))
        return unfold(unet.conv_out(unet.conv_act(unet.conv_norm_out(x))), frames)


def fold(x_BCFHW):
    return x_BCFHW.transpose(1, 2).flatten(0, 1)


def unfold(x, frames):
    return x.unflatten(0, (-1, frames)).transpose(1, 2)


def vae(s):
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(s.vae_widths),
        up_block_types=("UpDecoderBlock2D",) * len(s.vae_widths),
        block_out_channels=s.vae_widths, layers_per_block=s.layers, norm_num_groups=8, latent_channels=s.latent_channels,
        sample_size=max(s.image_hw)).eval()


def image_encoder(s):
    return CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=16 * s.clip_heads, intermediate_size=56, projection_dim=s.context_width, num_hidden_layers=3,
        num_attention_heads=s.clip_heads, image_size=224, patch_size=s.clip_patch)).eval()
