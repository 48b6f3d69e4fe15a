# SPDX-License-Identifier: Apache-2.0
"""What each network gives: files a to d, i and j. Each function returns {tensor: value} of one file in one precision."""

import torch
from PIL import Image
from transformers import CLIPImageProcessor

SCALING = 0.18215
CLIP_SIDE = 224  # the long pipeline squashes to this size whatever the encoder's


def pose_guider(networks, inputs):
    return {"out": networks.pose(inputs["inp_pose"])}


def reference_bank(networks, inputs):
    networks.write_banks(inputs["inp_ref_latents"], inputs["inp_ctx"])
    return {f"bank.{name}.transformer_blocks.0": bank for name, bank in networks.attention.banks.items()}


def denoising_unet(networks, inputs):
    x, t, context, pose = (inputs["inp_" + name] for name in ("x", "t", "ctx", "pose_fea"))
    guided = torch.cat([torch.zeros_like(context), context])
    both = [torch.cat([x] * 2), torch.cat([t] * 2), guided, torch.cat([pose] * 2)]
    out = {}
    networks.attention.clear()
    out["out_emptybank"] = networks.denoise(x, t, context, pose)
    for suffix, rounds in (("", False), ("_bankfp16", True)):
        networks.write_banks(inputs["inp_ref_latents"], context, rounds)
        out["out_nocfg" + suffix] = networks.denoise(x, t, context, pose)
        networks.write_banks(torch.cat([inputs["inp_ref_latents"]] * 2), guided, rounds)
        networks.attention.is_guided = True
        out["out_cfg" + suffix] = networks.denoise(*both)
        networks.attention.is_guided = False
    return out


def vae(net, inputs):
    posterior = net.encode(inputs["inp_image"]).latent_dist
    return {"moments": net.quant_conv(net.encoder(inputs["inp_image"])), "mean": posterior.mean, "std": posterior.std,
            "sample": posterior.mean + posterior.std * inputs["inp_eps"], "decoded": net.decode(inputs["inp_dec"]).sample}


def clip_pixels(picture_HWC, squashes):
    picture = Image.fromarray(picture_HWC.numpy())
    if squashes:
        picture = picture.resize((CLIP_SIDE, CLIP_SIDE), Image.BICUBIC)
    return CLIPImageProcessor()(picture, return_tensors="pt").pixel_values


def clip(net, inputs):
    dtype = next(net.parameters()).dtype
    picture = inputs["inp_image_u8"]
    shortest, squashed = (clip_pixels(picture, squashes).to(dtype) for squashes in (False, True))
    small = Image.fromarray(picture.numpy()).resize((CLIP_SIDE, CLIP_SIDE), Image.BICUBIC)
    return {
        "squashed_u8": torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(CLIP_SIDE, CLIP_SIDE, 3),
        "pixel_values_shortest_f16": shortest.half(),
        "pixel_values_shortest_mean_std": torch.stack([shortest.mean(), shortest.std()]),
        "pixel_values_squashed_mean_std": torch.stack([squashed.mean(), squashed.std()]),
        "image_embeds_shortest": net(shortest).image_embeds,
        "image_embeds_squashed": net(squashed).image_embeds,
        "image_embeds_zero_pixels": net(torch.zeros_like(shortest)).image_embeds,
        "last_hidden_cls_shortest": net.vision_model(shortest).last_hidden_state[:, 0]}
