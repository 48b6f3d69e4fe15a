#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the golden files of this folder with the real torch and safetensors.

Usage: python3 make.py            (torch 2.13.0, safetensors 0.8, numpy; writes beside itself)
The values are arithmetic, so that the tests can state them without reading these files a second time:
element i of tensor t is  t + i / 8  for floating types and  t * 10 + i  for integers; booleans alternate from True.
"""
import argparse
import collections
import json
import os

import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
INTS = [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8]
NAMES = {torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16", torch.int64: "i64",
         torch.int32: "i32", torch.int16: "i16", torch.int8: "i8", torch.uint8: "u8", torch.bool: "bool"}


def values(t, shape, dtype):
    n = 1
    for s in shape:
        n *= s
    i = torch.arange(n)
    if dtype == torch.bool:
        v = i % 2 == 0
    elif dtype.is_floating_point:
        v = t + i.double() / 8
    else:
        v = t * 10 + i
    return v.to(dtype).reshape(shape)


def all_types():
    d = collections.OrderedDict()
    for t, dtype in enumerate(FLOATS + INTS + [torch.bool]):
        d["types." + NAMES[dtype]] = values(t, (2, 3), dtype)
    d["scalar"] = values(7, (), torch.float32)
    d["empty"] = values(0, (0, 4), torch.float32)
    return d


def path(name):
    return os.path.join(HERE, name)


save_file(dict(all_types()), path("types.safetensors"), metadata={"format": "pt", "note": "gr\u00fc\u00df"})
torch.save(all_types(), path("types.pth"))
torch.save(dict(all_types()), path("types_legacy.ckpt"), _use_new_zipfile_serialization=False)
for protocol in (3, 4, 5):
    torch.save(all_types(), path(f"types_protocol{protocol}.pth"), pickle_protocol=protocol)
torch.serialization.set_crc32_options(False)  # every checksum is 0
torch.save(all_types(), path("types_unchecked.pth"))
torch.serialization.set_crc32_options(True)

# Views: a transpose, a slice with a step, a shared storage, an expanded row; and a Parameter.
base = values(1, (4, 6), torch.float32)
torch.save({"transposed": base.t(), "sliced": base[1:, ::2], "row": base[2], "whole": base,
            "expanded": base[0, :1].expand(3, 2), "parameter": torch.nn.Parameter(base[:1].clone())}, path("views.bin"))

# A training program's checkpoint: wrapper prefixes, an optimizer, plain values, an object that is no tensor.
class Settings:
    def __init__(self):
        self.rate = 0.1


model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
optimizer = torch.optim.AdamW(model.parameters())
model(torch.ones(1, 2)).sum().backward()
optimizer.step()
with torch.no_grad():
    for t, p in enumerate(model.parameters()):
        p.copy_(values(t, p.shape, torch.float32))
state = model.state_dict()  # an OrderedDict with _metadata
state = collections.OrderedDict(("module." + k, v) for k, v in state.items())
state._metadata = model.state_dict()._metadata
torch.save({"epoch": 3, "state_dict": state, "optimizer": optimizer.state_dict(), "loss": 0.25, "big": 1 << 80,
            "args": argparse.Namespace(rate=0.1), "shape": torch.Size([2]), "done": {1, 2}}, path("checkpoint.ckpt"))

# A whole module instead of its state dict.
torch.save(model, path("whole_module.pth"))

# Attacks.
class Shell:
    def __reduce__(self):
        return (os.system, ("echo broken into",))


class Evaluate:
    def __reduce__(self):
        return (eval, ("1",))


torch.save({"weight": values(0, (2,), torch.float32), "x": Shell()}, path("attack_system.pth"))
torch.save({"weight": values(0, (2,), torch.float32), "x": Evaluate()}, path("attack_eval_legacy.pth"),
           _use_new_zipfile_serialization=False)
torch.save({"weight": torch.ones(2, dtype=torch.complex64)}, path("complex.pth"))

# Sharded weights in transformers' layout, and diffusers' with a variant only.
shards = path("sharded")
os.makedirs(shards, exist_ok=True)
save_file({"a.weight": values(1, (2, 2), torch.float32)}, os.path.join(shards, "model-00001-of-00002.safetensors"))
save_file({"b.weight": values(2, (3,), torch.float16)}, os.path.join(shards, "model-00002-of-00002.safetensors"))
with open(os.path.join(shards, "model.safetensors.index.json"), "w") as f:
    json.dump({"metadata": {"total_size": 22}, "weight_map": {"a.weight": "model-00001-of-00002.safetensors",
                                                            "b.weight": "model-00002-of-00002.safetensors"}}, f)
