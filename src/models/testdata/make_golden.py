# SPDX-License-Identifier: Apache-2.0
# Makes odd_sizes.safetensors: stock diffusers (0.42.1, torch 2.13.0, CPU) at sizes that tests/parity lacks: three levels,
# two layers, heads that differ per level, no attention at the first level's end, latents that do not divide by the number
# of upsamplings and are not square, motion modules with their own heads (diffusers gives them the UNet's groups).
# Usage: python make_golden.py   (pip install torch==2.13.0 diffusers==0.42.1 safetensors)
import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel
from safetensors.torch import save_file



class PerFrameNorm(torch.nn.GroupNorm):
    """AnimateDiff's own: statistics per frame, where diffusers takes them over the clip. x (B, C, F, H, W)."""

    def forward(self, x):
        return super().forward(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (x.shape[0], -1)).transpose(1, 2)


torch.manual_seed(7)
torch.set_num_threads(1)
WIDTHS, GROUPS, CONTEXT, FRAMES, HEIGHT, WIDTH = (8, 12, 16), 4, 6, 3, 13, 10

unet = UNet2DConditionModel(
    sample_size=16, block_out_channels=WIDTHS, layers_per_block=2, cross_attention_dim=CONTEXT, norm_num_groups=GROUPS,
    attention_head_dim=(2, 3, 4), down_block_types=("CrossAttnDownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"),
    up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "CrossAttnUpBlock2D")).eval()
adapter = MotionAdapter(block_out_channels=WIDTHS, motion_layers_per_block=2, motion_num_attention_heads=4,
                        motion_norm_num_groups=GROUPS, motion_max_seq_length=5)
with torch.no_grad():  # zero-initialised layers too
    for p in [*unet.parameters(), *adapter.parameters()]:
        p.copy_((p + 0.1 * torch.randn_like(p)).half().float())
out = {"unet." + n: p.half() for n, p in unet.state_dict().items()}
out |= {"motion." + n: p.half() for n, p in adapter.state_dict().items() if not n.endswith("pe")}

x, context, t = torch.randn(2, 4, HEIGHT, WIDTH), torch.randn(2, 1, CONTEXT), torch.tensor([7, 412])
out |= {"x": x, "context": context, "t": t}
bank = {}
hooks = [module.norm1.register_forward_hook(lambda m, i, o, n=name: bank.update({"bank." + n: o}))
         for name, module in unet.named_modules() if name.endswith("transformer_blocks.0")]
with torch.no_grad():
    unet(x, 0, context)
    out |= bank
    for hook in hooks:
        hook.remove()
    out["out"] = unet(x, t, context).sample
    clip = torch.randn(1, 4, FRAMES, HEIGHT, WIDTH)
    video = UNetMotionModel.from_unet2d(unet, adapter).eval()
    for name, module in video.named_modules():
        if name.endswith("norm") and ".motion_modules." in name:
            module.__class__ = PerFrameNorm
    out |= {"clip": clip, "clip_out": video(clip, t[:1], context[:1].repeat(FRAMES, 1, 1)).sample}
save_file({k: v.contiguous() for k, v in out.items()}, "odd_sizes.safetensors")
