#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Opens written.pth, a file of our write_torch_zip, with the real torch and checks what it holds (writers_test.cpp's sample).

Usage: python3 check_written.py [FILE]    (torch 2.13.0). To renew written.pth after a change of the writer, copy the file
that the failing test names over it and run this.
"""
import collections
import os
import sys
import zipfile

import torch

file = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "written.pth")
state = torch.load(file, weights_only=True, map_location="cpu")
assert type(state) is collections.OrderedDict, type(state)
assert list(state) == ["flags", "b.weight", "a.longs", "half", "empty"], list(state)
expected = {
    "flags": torch.tensor([True, False, True]),
    "b.weight": torch.tensor([[1.0, 2, 3], [4, 5, 6]]),
    "a.longs": torch.tensor([-1, 1 << 40]),
    "half": torch.tensor(0x3C00 / 0x3C00 * 0.0078125, dtype=torch.bfloat16),
    "empty": torch.zeros(0, 3),
}
for name, want in expected.items():
    have = state[name]
    assert have.dtype == want.dtype and have.shape == want.shape and torch.equal(have, want), (name, have, want)
    assert have.is_contiguous() and not have.requires_grad
torch.load(file, weights_only=True, mmap=True)
assert zipfile.ZipFile(file).testzip() is None
print(f"{file}: torch {torch.__version__} opens it with weights_only=True, {len(state)} tensors equal")
