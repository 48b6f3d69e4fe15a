# SPDX-License-Identifier: Apache-2.0
"""Makes the expected pictures of the tests beside this folder, with Pillow and OpenCV.

  python3 -m venv /tmp/v && /tmp/v/bin/pip install pillow==10.4.0 'numpy<2' opencv-python-headless==4.8.1.78
  /tmp/v/bin/python src/image/testdata/make_golden.py FIXTURES     # folder with {j_clip,m_transforms}.safetensors

The versions are those of the reference's time and matter: Pillow 13 does the vertical pass first where that is cheaper
(pictures that become wider and flatter), OpenCV 4.14 clips thick lines before it draws them. FIXTURES were made by the real Python implementation
(CLIPImageProcessor of transformers, RandomResizedCrop of torchvision); of them every third row is kept.
"""
import io
import json
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests/support"))
import golden  # noqa: E402

FILTERS = {"nearest": 0, "bilinear": 2, "bicubic": 3, "lanczos": 1}


def sources():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:29, 0:37]
    smooth = np.stack([128 + 90 * np.sin(x / 5 + c) * np.cos(y / 7 - c) for c in range(3)], -1)
    return {
        "noise": rng.integers(0, 256, (29, 37, 3), dtype=np.uint8),
        "smooth": smooth.astype(np.uint8),
        "binary": (rng.integers(0, 2, (41, 33)) * 255).astype(np.uint8),  # overshoot must be clipped
    }


def resizes():
    out = {}
    sizes = [(64, 51), (16, 11), (37, 50), (20, 29), (5, 7), (70, 3), (1, 1)]
    boxes = [(0.5, 1.25, 30.75, 20.0), (3.0, 4.0, 9.0, 9.0), (10.3, 0.0, 11.1, 28.9)]
    for name, picture in sources().items():
        out[f"source.{name}"] = picture
        image = Image.fromarray(picture)
        for filter_name, code in FILTERS.items():
            for w, h in sizes:
                out[f"full.{name}.{filter_name}.{w}.{h}"] = np.asarray(image.resize((w, h), code))
            for i, box in enumerate(boxes):
                out[f"box.{name}.{filter_name}.{i}"] = np.asarray(image.resize((13, 17), code, box=box))
    out["boxes"] = np.array(boxes)
    golden.write(HERE / "resize.golden", out)


def drawings():
    """Every row of *.shapes is one shape: kind, five integers, grey value; drawn in order on a 72 x 60 canvas."""
    out = {}
    rng = np.random.default_rng(2)
    for sheet in range(12):
        canvas = np.zeros((60, 72), np.uint8)
        shapes = []
        far = sheet >= 8  # some sheets reach far outside the canvas
        low, high = (-400, 500) if far else (-10, 80)
        for _ in range(6 if far else 4):
            kind = sheet % 4
            x0, y0, x1, y1 = (int(v) for v in rng.integers(low, high, 4))
            extra, grey = int(rng.integers(1, 9)), int(rng.integers(60, 256))
            if kind == 0:
                row = (x0, y0, extra + (300 if far else 0), 0, 0)
                cv2.circle(canvas, (x0, y0), row[2], grey, -1)
            elif kind == 1:
                row = (x0, y0, x1, y1, extra)
                cv2.line(canvas, (x0, y0), (x1, y1), grey, extra)
            elif kind == 2:
                half, angle = int(rng.integers(0, 40)), int(rng.integers(-180, 400))
                row = (x0, y0, half, extra, angle)
                poly = cv2.ellipse2Poly((x0, y0), (half, extra), angle, 0, 360, 1)
                cv2.fillConvexPoly(canvas, poly, grey)
            else:
                row = (x0, y0, x1, y1, 1)
                cv2.line(canvas, (x0, y0), (x1, y1), grey, 1)
            shapes.append((kind, *row, grey))
        out[f"{sheet}.shapes"] = np.array(shapes, np.int32)
        out[f"{sheet}.canvas"] = canvas
    # The reference's stick figure strokes in one go: short lines of thickness 2, a degenerate one among them.
    canvas = np.zeros((60, 72), np.uint8)
    shapes = [(1, 20, 20, 20, 20, 2, 200), (1, 5, 5, 9, 30, 2, 100), (1, 60, 50, 40, 47, 3, 250), (0, 36, 30, 0, 0, 0, 77)]
    for kind, a, b, c, d, e, grey in shapes:
        cv2.circle(canvas, (a, b), c, grey, -1) if kind == 0 else cv2.line(canvas, (a, b), (c, d), grey, e)
    out["12.shapes"], out["12.canvas"] = np.array(shapes, np.int32), canvas
    golden.write(HERE / "draw.golden", out)


def tensors(path):
    with open(path, "rb") as f:
        size = struct.unpack("<Q", f.read(8))[0]
        header = json.loads(f.read(size))
        data = f.read()
    dtypes = {"F32": np.float32, "F16": np.float16, "U8": np.uint8, "I64": np.int64}
    return {
        k: np.frombuffer(data[slice(*v["data_offsets"])], dtypes[v["dtype"]]).reshape(v["shape"])
        for k, v in header.items()
        if k != "__metadata__"
    }


def pipelines(fixtures):
    clip, transforms = tensors(fixtures / "j_clip.safetensors"), tensors(fixtures / "m_transforms.safetensors")
    golden.write(
        HERE / "pipelines.golden",
        {
            "clip.source": clip["inp_image_u8"],
            "clip.squashed_rows": clip["squashed_u8"][::3],
            "clip.shortest_rows": clip["pixel_values_shortest_f16"][0, :, ::3],
            "clip.shortest_mean_std": clip["pixel_values_shortest_mean_std"],
            "clip.squashed_mean_std": clip["pixel_values_squashed_mean_std"],
            "crop.source": transforms["inp_u8"],
            "crop.top_left_height_width": transforms["crop_tlhw_scale1"],
            "crop.result": transforms["img_scale1"],
        },
    )


def encoded(array, **options):
    stream = io.BytesIO()
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(stream, **options)
    return np.frombuffer(stream.getvalue(), np.uint8)


def files():
    """Picture files as bytes (NAME.file) and what PIL's convert("RGB") makes of them (NAME.rgb)."""
    base = Image.fromarray(sources()["smooth"])
    alpha = base.copy()
    alpha.putalpha(Image.fromarray(np.tile(np.arange(37, dtype=np.uint8) * 6, (29, 1))))
    deep = (np.random.default_rng(3).integers(0, 65536, (9, 11, 3))).astype(np.uint16)
    ok, deep_png = cv2.imencode(".png", deep[:, :, ::-1])
    assert ok
    ok, deep_grey_png = cv2.imencode(".png", deep[:, :, 0])
    assert ok
    exif = Image.Exif()
    exif[0x0112] = 6
    cmyk = Image.merge("CMYK", [base.getchannel(c) for c in (0, 1, 2, 0)])
    made = {
        "png_rgb": encoded(base, format="PNG"),
        "png_grey": encoded(base.convert("L"), format="PNG"),
        "png_grey_alpha": encoded(alpha.convert("LA"), format="PNG"),
        "png_rgba": encoded(alpha, format="PNG"),
        "png_bilevel": encoded(base.convert("1"), format="PNG"),
        "png_palette": encoded(base.quantize(13), format="PNG"),
        "png_palette_transparent": encoded(base.quantize(13), format="PNG", transparency=3),
        "png_rgb16": deep_png.reshape(-1),
        "png_exif6": encoded(base, format="PNG", exif=exif),
        "jpeg_rgb": encoded(base, format="JPEG", quality=90),
        "jpeg_progressive": encoded(base, format="JPEG", quality=80, progressive=True),
        "jpeg_grey": encoded(base.convert("L"), format="JPEG"),
        "jpeg_cmyk": encoded(cmyk, format="JPEG", quality=95),
        "jpeg_exif6": encoded(base, format="JPEG", quality=90, exif=exif),
        "webp_lossless": encoded(base, format="WEBP", lossless=True),
        "webp_lossy": encoded(base, format="WEBP", quality=80),
        "webp_rgba": encoded(alpha, format="WEBP", lossless=True, exact=True),
        "webp_exif6": encoded(base, format="WEBP", lossless=True, exif=exif),
    }
    out = {}
    for name, data in made.items():
        out[f"{name}.file"] = data
        out[f"{name}.rgb"] = np.asarray(Image.open(io.BytesIO(data.tobytes())).convert("RGB"))
    white = Image.new("RGBA", alpha.size, (255, 255, 255, 255))
    out["over_white"] = np.asarray(Image.alpha_composite(white, alpha).convert("RGB"))
    # Not PIL's answer, which saturates: the high byte, as for 16-bit colour.
    out["png_grey16.file"] = deep_grey_png.reshape(-1)
    out["png_grey16.rgb"] = np.repeat((deep[:, :, :1] >> 8).astype(np.uint8), 3, 2)
    frames = [base, base.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    out["webp_animated.file"] = encoded(frames[0], format="WEBP", save_all=True, append_images=frames[1:])
    golden.write(HERE / "files.golden", out)


if __name__ == "__main__":
    resizes()
    drawings()
    files()
    pipelines(Path(sys.argv[1]))
