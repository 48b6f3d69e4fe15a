# SPDX-License-Identifier: Apache-2.0
"""Reference attention as the reference does it: forwards of the transformer blocks are replaced, ReferenceNet's write
what norm1 gives into banks, and the denoising net's attend to themselves and the bank."""

import types

import torch


def spatial_blocks(unet):
    """Name -> transformer block, motion modules left out."""
    return {name: module.transformer_blocks[0] for name, module in unet.named_modules()
            if type(module).__name__ == "Transformer2DModel"}  # its place differs between diffusers' versions


def rest_of_block(block, x, context):
    x = block.attn2(block.norm2(x), encoder_hidden_states=context) + x
    return block.ff(block.norm3(x)) + x


class ReferenceAttention:
    def __init__(self, reference_net, denoiser):
        self.banks = {}
        self.frames = 1
        self.is_guided = False  # the first half of the batch is unconditional and sees no bank
        for name, block in spatial_blocks(reference_net).items():
            block.forward = types.MethodType(self.writer(name), block)
        for name, block in spatial_blocks(denoiser).items():
            block.forward = types.MethodType(self.reader(name), block)

    def clear(self):
        self.banks.clear()

    def writer(self, name):
        def forward(block, hidden_states, encoder_hidden_states=None, **_):
            normed = block.norm1(hidden_states)
            self.banks[name] = normed.clone()
            return rest_of_block(block, block.attn1(normed) + hidden_states, encoder_hidden_states)
        return forward

    def reader(self, name):
        def forward(block, hidden_states, encoder_hidden_states=None, **_):
            normed = block.norm1(hidden_states)
            if name not in self.banks:
                return rest_of_block(block, block.attn1(normed) + hidden_states, encoder_hidden_states)
            bank = self.banks[name].repeat_interleave(self.frames, dim=0).to(normed.dtype)
            seen = block.attn1(normed, encoder_hidden_states=torch.cat([normed, bank], dim=1)) + hidden_states
            if self.is_guided:
                half = len(normed) // 2
                own = block.attn1(normed[:half]) + hidden_states[:half]
                seen = torch.cat([own, seen[half:]])
            return rest_of_block(block, seen, encoder_hidden_states)
        return forward
