# SPDX-License-Identifier: Apache-2.0
"""One training step of each stage: files e and f, and grad_norms.json."""

import torch
from diffusers import DDIMScheduler

NOISE_OFFSET, SNR_GAMMA = 0.05, 5.0
FROZEN = "up_blocks.3"  # the reference's rule: with other than four levels it names another block, or none


def parameters(networks, stage):
    return {f"{net}.{name}": p for net, module in networks.modules().items() for name, p in module.named_parameters()
            if ("motion_modules" in name if stage == 2 else net != "reference_unet" or FROZEN not in name)}


def stored_gradients(names):
    """A few of every kind; the norms of all are in grad_norms.json."""
    endings = ("conv_in.weight", "conv_out.bias", "linear_1.bias",
               "attentions.0.transformer_blocks.0.attn1.to_k.weight",
               "attentions.0.transformer_blocks.0.attn2.to_v.weight",
               "mid_block.attentions.0.transformer_blocks.0.norm1.weight",
               "upsamplers.0.conv.bias", "attention_blocks.0.to_q.weight", "norms.0.bias",
               "temporal_transformer.proj_out.bias")
    return [name for name in names if name.endswith(endings)]


def schedule_inputs(scheduler, inputs, dtype):
    """The reference's schedule stays fp32."""
    t = inputs["inp_timesteps"]
    alpha = scheduler.alphas_cumprod[t].to(dtype).view(-1, 1, 1, 1, 1)
    noise = inputs["inp_noise_base"] + NOISE_OFFSET * inputs["inp_noise_offset"]
    latents = inputs["inp_latents"]
    return {"noise": noise, "noisy": alpha.sqrt() * latents + (1 - alpha).sqrt() * noise,
            "target": alpha.sqrt() * noise - (1 - alpha).sqrt() * latents}


def step(networks, stage, settings, inputs, has_reference=True, rounds_bank=False, gamma=SNR_GAMMA):
    """({tensor: value}, {parameter: norm or None}) of one step; leaves no gradient behind."""
    scheduler = DDIMScheduler(**settings)
    dtype = inputs["inp_latents"].dtype
    for module in networks.modules().values():
        module.requires_grad_(False)
    trained = parameters(networks, stage)
    for p in trained.values():
        p.requires_grad_(True)
        p.grad = None
    out = schedule_inputs(scheduler, inputs, dtype)
    t = inputs["inp_timesteps"]
    if dtype == torch.float32:  # our formulas against diffusers' own
        torch.testing.assert_close(out["noisy"], scheduler.add_noise(inputs["inp_latents"], out["noise"], t))
        torch.testing.assert_close(out["target"], scheduler.get_velocity(inputs["inp_latents"], out["noise"], t))
    networks.attention.clear()
    if has_reference:
        networks.write_banks(inputs["inp_ref_latents"], inputs["inp_ctx"], rounds_bank)
    out["pred"] = networks.denoise(out["noisy"], t, inputs["inp_ctx"], networks.pose(inputs["inp_pose"]))
    error = (out["pred"] - out["target"]).square()
    if gamma:
        alpha = scheduler.alphas_cumprod[t].to(dtype)
        snr = alpha / (1 - alpha) + 1
        out["weights"] = snr.clamp(max=gamma) / snr
        out["per_sample_mse"] = error.mean((1, 2, 3, 4))
        loss = (out["per_sample_mse"] * out["weights"]).mean()
    else:
        loss = error.mean()
    loss.backward()
    out["loss"] = loss.reshape(1)
    norms = {name: p.grad.double().norm().item() if p.grad is not None else None for name, p in trained.items()}
    out["total_grad_norm"] = torch.tensor([sum(n * n for n in norms.values() if n) ** 0.5])
    for name in stored_gradients(trained):
        if norms[name] is not None:
            out["grad." + name] = trained[name].grad.clone()
    return {name: value.detach() for name, value in out.items()}, norms
