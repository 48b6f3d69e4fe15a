# SPDX-License-Identifier: Apache-2.0
"""Writes .golden files of expected values (read by golden.hpp, which describes the format)."""
import numpy as np

DTYPES = {"uint8": "u8", "int32": "i32", "int64": "i64", "float16": "f16", "float32": "f32", "float64": "f64"}


def write(path, arrays):
    """arrays: {name without spaces: numpy array}"""
    with open(path, "wb") as f:
        f.write(b"ZTGOLD1\n")
        for name, a in arrays.items():
            shape = "x".join(str(d) for d in a.shape)
            f.write(f"{name} {DTYPES[str(a.dtype)]} {shape}\n".encode())
        f.write(b"\n")
        for a in arrays.values():
            f.write(np.ascontiguousarray(a).tobytes())
