# SPDX-License-Identifier: Apache-2.0
"""A clip of 24 frames as the reference's pipeline makes it: one window, guidance, frame-wise decoding."""

import torch
from diffusers import DDIMScheduler

from reference_attention import ReferenceAttention
from training import SCALING

FRAMES = 24
GUIDANCE = 3.5


class Generator:
    def __init__(self, configuration, networks, dtype, steps):
        self.c, self.n, self.steps = configuration, networks, steps
        self.dtype = torch.bfloat16 if dtype == "bf16" else torch.float32
        for network in (networks.vae, networks.clip, networks.reference_net, networks.denoiser, networks.pose_guider):
            network.to(self.dtype).eval().requires_grad_(False)
        self.attention = ReferenceAttention(networks.reference_net, networks.denoiser)
        self.attention.frames = FRAMES
        self.attention.is_guided = True
        self.scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="linear", clip_sample=False,
                                       prediction_type="v_prediction", rescale_betas_zero_snr=True,
                                       timestep_spacing="trailing", steps_offset=1)

    @torch.no_grad()
    def run(self):
        """Frames (F, 3, H, W) in [0, 1]."""
        c, n, dtype = self.c, self.n, self.dtype
        reference = (torch.rand(1, 3, c.image_px, c.image_px) * 2 - 1).to(dtype)
        embedding = n.clip(torch.randn(1, 3, c.clip_px, c.clip_px).to(dtype)).image_embeds.unsqueeze(1)
        context = torch.cat([torch.zeros_like(embedding), embedding])
        self.scheduler.set_timesteps(self.steps)
        latents = torch.randn(1, c.latent_channels, FRAMES, c.latent_px, c.latent_px).to(dtype)
        pose = n.pose_guider(torch.rand(FRAMES, 3, c.image_px, c.image_px).to(dtype))
        n.pose_input.features = torch.cat([pose, pose])
        reference_latents = n.vae.encode(reference).latent_dist.mean * SCALING
        self.attention.clear()
        n.reference_net(torch.cat([reference_latents] * 2), torch.zeros(2, dtype=torch.long), context, return_dict=False)
        for t in self.scheduler.timesteps:
            both = n.denoiser(torch.cat([latents] * 2), t, context, return_dict=False)[0]
            uncond, cond = both.chunk(2)
            latents = self.scheduler.step(uncond + GUIDANCE * (cond - uncond), t, latents).prev_sample
        frames = [n.vae.decode(latents[:, :, i] / SCALING).sample for i in range(FRAMES)]
        return (torch.cat(frames) / 2 + 0.5).clamp(0, 1).float()
