# SPDX-License-Identifier: Apache-2.0
"""One training step of each stage, VAE and CLIP in the loop."""

import inspect
import random

import torch
from diffusers import DDIMScheduler, UNetMotionModel

from reference_attention import ReferenceAttention

SCALING = 0.18215
SNR_GAMMA = 5.0
NOISE_OFFSET = 0.05
UNCOND_RATIO = 0.1
# diffusers 0.24 does; later versions want one context per frame.
REPEATS_CONTEXT = "encoder_hidden_states.repeat_interleave" in inspect.getsource(UNetMotionModel.forward)
ADAMW = {"lr": 1e-5, "weight_decay": 1e-2}


class Trainer:
    def __init__(self, configuration, networks, stage, dtype, compiles):
        self.c, self.n, self.stage, self.dtype = configuration, networks, stage, dtype
        self.frames = 1 if stage == 1 else configuration.frames
        self.batch = configuration.batch if stage == 1 else 1
        self.attention = ReferenceAttention(networks.reference_net, networks.denoiser)
        self.attention.frames = self.frames
        self.parameters = networks.trained(stage)
        on_gpu = self.parameters[0].is_cuda
        self.optimizer = torch.optim.AdamW(self.parameters, fused=on_gpu, **ADAMW)
        self.scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
                                       clip_sample=False, prediction_type="v_prediction",
                                       rescale_betas_zero_snr=True, timestep_spacing="trailing")
        self.frozen_dtype = torch.bfloat16 if dtype == "bf16" else torch.float32
        networks.vae.to(self.frozen_dtype)
        networks.clip.to(self.frozen_dtype)
        self.forward = torch.compile(self.networks_forward) if compiles else self.networks_forward

    def random_batch(self):
        c, f = self.c, self.frames
        return {
            "image": torch.rand(self.batch * f, 3, c.image_px, c.image_px) * 2 - 1,
            "pose": torch.rand(self.batch * f, 3, c.image_px, c.image_px),
            "reference": torch.rand(self.batch, 3, c.image_px, c.image_px) * 2 - 1,
            "clip": torch.randn(self.batch, 3, c.clip_px, c.clip_px),
        }

    def encode(self, image):
        return self.n.vae.encode(image.to(self.frozen_dtype)).latent_dist.sample().float() * SCALING

    def conditions(self, batch, is_uncond):
        """-> latents of the pictures, of the reference (None on an unconditional step), CLIP's embedding."""
        latents = self.encode(batch["image"])
        clip_input = torch.zeros_like(batch["clip"]) if is_uncond else batch["clip"]
        reference_latents = None if is_uncond else self.encode(batch["reference"])
        return latents, reference_latents, self.n.clip(clip_input.to(self.frozen_dtype)).image_embeds.float().unsqueeze(1)

    def networks_forward(self, noisy, t, reference_latents, context, pose):
        """Prediction for (B F, C, h, w); without reference latents the banks stay empty."""
        self.attention.clear()
        if reference_latents is not None:
            self.n.reference_net(reference_latents, torch.zeros_like(t), context, return_dict=False)
        self.n.pose_input.features = self.n.pose_guider(pose)
        if self.stage == 1:
            return self.n.denoiser(noisy, t, context, return_dict=False)[0]
        video_BCFHW = noisy.unflatten(0, (self.batch, self.frames)).transpose(1, 2)
        if not REPEATS_CONTEXT:
            context = context.repeat_interleave(self.frames, 0)
        out_BCFHW = self.n.denoiser(video_BCFHW, t, context, return_dict=False)[0]
        return out_BCFHW.transpose(1, 2).flatten(0, 1)

    def loss(self, batch):
        is_uncond = random.random() < UNCOND_RATIO
        with torch.no_grad():
            latents, reference_latents, context = self.conditions(batch, is_uncond)
            noise = torch.randn_like(latents)
            offset = torch.randn(self.batch, latents.shape[1], 1, 1, device=latents.device)
            noise = noise + NOISE_OFFSET * offset.repeat_interleave(self.frames, 0)
            t = torch.randint(0, 1000, (self.batch,), device=latents.device)
            t_each = t.repeat_interleave(self.frames, 0)
            noisy = self.scheduler.add_noise(latents, noise, t_each)
            target = self.scheduler.get_velocity(latents, noise, t_each)
        with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.dtype == "bf16"):
            prediction = self.forward(noisy, t, reference_latents, context, batch["pose"])
        alpha = self.scheduler.alphas_cumprod.to(t_each.device)[t_each]
        snr = alpha / (1 - alpha) + 1
        weight = torch.clamp(snr, max=SNR_GAMMA) / snr
        error = torch.nn.functional.mse_loss(prediction.float(), target.float(), reduction="none")
        return (error.mean((1, 2, 3)) * weight).mean()

    def step(self, batch):
        loss = self.loss(batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.item()


class CachedTrainer(Trainer):
    """The same step from latents and embeddings that something encoded before; VAE and CLIP are let go."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.n.vae = self.n.clip = None

    def random_batch(self):
        c = self.c
        return {
            "latents": torch.randn(self.batch * self.frames, c.latent_channels, c.latent_px, c.latent_px),
            "pose": torch.rand(self.batch * self.frames, 3, c.image_px, c.image_px),
            "reference_latents": torch.randn(self.batch, c.latent_channels, c.latent_px, c.latent_px),
            "context": torch.randn(self.batch, 1, c.context_width),
        }

    def conditions(self, batch, is_uncond):
        return batch["latents"], None if is_uncond else batch["reference_latents"], batch["context"]
