# SPDX-License-Identifier: Apache-2.0
"""Generation as the reference's long pipeline does it (file h), its windows, and DDIM by itself (file g)."""

import math

import torch
from diffusers import DDIMScheduler
from PIL import Image

from forward_checks import SCALING, clip_pixels

GUIDANCE, SEED, VIDEO_STRIDE = 3.5, 42, 4
TRAJECTORY_STEPS = 5


def halving(step):
    return int(f"{step:064b}"[::-1], 2) / 2 ** 64


def windows(length, size, stride, overlap, step=0, is_closed=True):
    """The reference's "uniform" scheduler."""
    if length <= size:
        return [list(range(length))]
    out = []
    for s in (2 ** i for i in range(min(stride, math.ceil(math.log2(length / size)) + 1))):
        pad = round(length * halving(step))
        for j in range(int(halving(step) * s) + pad, length + pad + (0 if is_closed else -overlap), size * s - overlap):
            out.append([e % length for e in range(j, j + size * s, s)])
    return out


def window_lists(s):
    out = {}
    for length in (s.window - 1, s.window, s.window + 1, s.clip_frames, 5 * s.window + 3):
        for stride in (1, 2, 3):
            tail = f"L{length}_cf{s.window}_st{stride}_ov{s.overlap}"
            out[tail] = windows(length, s.window, stride, s.overlap)
            out["closed_loop_false_" + tail] = windows(length, s.window, stride, s.overlap, is_closed=False)
            out["step3_" + tail] = windows(length, s.window, stride, s.overlap, step=3)
    return out


class Pipeline:
    def __init__(self, sizes, settings, networks, vae, image_encoder, inputs):
        self.s, self.networks, self.vae = sizes, networks, vae
        self.dtype = next(vae.parameters()).dtype
        self.scheduler = DDIMScheduler(**settings)
        height, width = sizes.image_hw
        reference = Image.fromarray(inputs["inp_ref_u8"].numpy()).resize((width, height), Image.LANCZOS)
        pixels = torch.frombuffer(bytearray(reference.tobytes()), dtype=torch.uint8).view(height, width, 3)
        picture = (pixels.to(self.dtype) / 255).permute(2, 0, 1)[None] * 2 - 1
        self.reference = vae.encode(picture).latent_dist.mean * SCALING
        embedding = image_encoder(clip_pixels(inputs["inp_ref_u8"], squashes=True).to(self.dtype)).image_embeds
        self.context = embedding.unsqueeze(1)
        self.pose = networks.pose((inputs["inp_pose_u8"].to(self.dtype) / 255).permute(3, 0, 1, 2)[None])

    def noise(self, length):
        generator = torch.manual_seed(SEED)
        return torch.randn((1, self.s.latent_channels, length, *self.s.latent_hw), generator=generator)

    def latents(self, length, guidance=GUIDANCE, rounds_bank=False):
        """After every step."""
        is_guided = guidance > 1
        copies = 2 if is_guided else 1
        context = torch.cat([torch.zeros_like(self.context), self.context])[-copies:]
        self.scheduler.set_timesteps(self.s.steps)
        self.networks.write_banks(torch.cat([self.reference] * copies), context, rounds_bank)
        self.networks.attention.is_guided = is_guided
        x, out = self.noise(length).to(self.dtype), []
        for t in self.scheduler.timesteps:
            total, count = torch.zeros_like(torch.cat([x] * copies)), torch.zeros(1, 1, length, 1, 1, dtype=self.dtype)
            for frames in windows(length, self.s.window, 1, self.s.overlap):
                part = [torch.cat([source[:, :, frames]] * copies) for source in (x, self.pose)]
                total[:, :, frames] += self.networks.denoise(part[0], t.repeat(copies), context, part[1])
                count[:, :, frames] += 1
            if is_guided:  # only then are overlaps averaged
                uncond, cond = (total / count).chunk(2)
                total = uncond + guidance * (cond - uncond)
            x = self.scheduler.step(total, t, x, eta=0.0).prev_sample
            out.append(x)
        self.networks.attention.is_guided = False
        return torch.stack(out)

    def check(self):
        s = self.s
        steps = self.latents(s.clip_frames)
        frames = [self.vae.decode(steps[-1][:, :, i] / SCALING).sample for i in range(s.clip_frames)]
        video = (torch.stack(frames, dim=2) / 2 + 0.5).clamp(0, 1)
        short = s.window + 2
        return {"init_latents_seed42": self.noise(s.clip_frames), "latents_per_step": steps,
                "video": video[:, :, ::VIDEO_STRIDE],
                "latents_final_bankfp16": self.latents(s.clip_frames, rounds_bank=True)[-1],
                f"latents_final_g1_L{short}": self.latents(short, guidance=1.0)[-1],
                f"latents_final_L{s.window}": self.latents(s.window)[-1]}


def ddim(train, infer, inputs):
    plain = {"rescale_betas_zero_snr": False}
    alphas = {"train": DDIMScheduler(**train), "infer": DDIMScheduler(**infer),
              "scaled_plain": DDIMScheduler(**{**train, **plain}), "linear_plain": DDIMScheduler(**{**infer, **plain})}
    out = {"alphas_cumprod_" + name: scheduler.alphas_cumprod for name, scheduler in alphas.items()}
    snr = out["alphas_cumprod_train"] / (1 - out["alphas_cumprod_train"]) + 1
    out["moore_weights_gamma5"] = snr.clamp(max=5) / snr
    for count in (2, 3, 6, 15, 40, 999):
        alphas["infer"].set_timesteps(count)
        out[f"timesteps_{count}"] = alphas["infer"].timesteps.clone()
    for kind in ("v_prediction", "epsilon"):
        # Epsilon says nothing where no signal is left, so its trajectory uses the plain schedule.
        scheduler = DDIMScheduler(**{**infer, **(plain if kind == "epsilon" else {}), "prediction_type": kind})
        scheduler.set_timesteps(TRAJECTORY_STEPS)
        for eta in (0.0, 0.6):
            x, steps = inputs["traj_x0"], []
            for i, t in enumerate(scheduler.timesteps):
                noise = inputs["traj_variance_noise"][i] if eta else None
                x = scheduler.step(inputs["traj_model_outputs"][i], t, x, eta=eta, variance_noise=noise).prev_sample
                steps.append(x)
            out[f"traj_{kind}_eta{eta}"] = torch.stack(steps)
    return out
