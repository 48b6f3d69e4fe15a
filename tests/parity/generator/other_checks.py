# SPDX-License-Identifier: Apache-2.0
"""What does not depend on networks: optimizers (k), learning-rate curves (l), crops of training pictures (m)."""

import bitsandbytes
import torch
from diffusers.optimization import get_scheduler
from PIL import Image
from torchvision import transforms

LR, DECAY = 1e-3, 1e-2
WARMUP, TOTAL, PRINTED = 5, 40, 45


def adamw():
    p = torch.nn.Parameter(0.5 * torch.randn(61, 83))
    out = {"p0": p.detach().clone(), "grads": torch.randn(5, *p.shape) * 0.1}
    optimizer = torch.optim.AdamW([p], lr=LR, weight_decay=DECAY)
    for gradient in out["grads"]:
        p.grad = gradient.clone()
        optimizer.step()
    state = optimizer.state[p]
    return out | {"p5": p.detach(), "exp_avg5": state["exp_avg"], "exp_avg_sq5": state["exp_avg_sq"]}


def adamw8bit():
    """"big" is quantised in blocks of 256, the last one short; "small" stays fp32."""
    params = {"big": torch.nn.Parameter(0.5 * torch.randn(73, 67)),
              "small": torch.nn.Parameter(0.5 * torch.randn(31, 45))}
    optimizer = bitsandbytes.optim.AdamW8bit(params.values(), lr=LR, weight_decay=DECAY)
    out = {}
    for name, p in params.items():
        out[name + ".p0"] = p.detach().clone()
        out[name + ".grads"] = torch.randn(6, *p.shape) * torch.logspace(-3, 0, p.shape[1])
    steps = {name: [] for name in params}
    for i in range(6):
        for name, p in params.items():
            p.grad = out[name + ".grads"][i].clone()
        optimizer.step()
        for name, p in params.items():
            steps[name].append(p.detach().clone())
        if i in (0, 5):
            state = optimizer.state[params["big"]]
            for key in ("state1", "state2", "absmax1", "absmax2"):
                out[f"big.{key}_step{i + 1}"] = state[key].clone()
    return out | {name + ".params": torch.stack(values) for name, values in steps.items()}


def lr_schedules():
    out = {}
    for name in ("constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"):
        optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=LR)
        scheduler = get_scheduler(name, optimizer, num_warmup_steps=WARMUP, num_training_steps=TOTAL)
        rates = []
        for _ in range(PRINTED):
            rates.append(scheduler.get_last_lr()[0])
            optimizer.step()
            scheduler.step()
        out[name] = torch.tensor(rates, dtype=torch.float64)
    return out


def crops(sizes):
    """The size goes in as (width, height), as the reference gives it."""
    height, width = sizes.image_hw
    picture, pose = (torch.randint(0, 256, (h, w, 3), dtype=torch.uint8) for h, w in ((101, 83), (64, 59)))
    ranges = {"scale": (0.9, 1.0), "ratio": (0.9, 1.0)}

    def made(source, seed, is_signed, **changes):
        torch.manual_seed(seed)
        crop = transforms.RandomResizedCrop((width, height), **{**ranges, **changes},
                                            interpolation=transforms.InterpolationMode.BILINEAR)
        signed = [transforms.Normalize([0.5], [0.5])] * is_signed
        return transforms.Compose([crop, transforms.ToTensor(), *signed])(Image.fromarray(source.numpy()))

    def box(seed, scale):
        torch.manual_seed(seed)
        image = Image.fromarray(picture.numpy())
        return torch.tensor(transforms.RandomResizedCrop.get_params(image, scale, ranges["ratio"]))

    s = sizes.seed
    return {"inp_u8": picture, "inp_pose_u8": pose, "img": made(picture, s + 77, True), "pose": made(pose, s + 77, False),
            "img_scale1": made(picture, s + 77, True, scale=(1.0, 1.0)), "crop_tlhw_scale1": box(s + 77, (1.0, 1.0)),
            "crop_tlhw_seedS100plus_i": torch.stack([box(s + 100 + i, ranges["scale"]) for i in range(8)])}
