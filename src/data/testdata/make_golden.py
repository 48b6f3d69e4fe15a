# SPDX-License-Identifier: Apache-2.0
"""Makes the expected values of draw_pose_test.cpp and pose_align_test.cpp, with OpenCV and NumPy.

  python3 -m venv /tmp/v && /tmp/v/bin/pip install 'numpy<2' opencv-python-headless==4.8.1.78
  /tmp/v/bin/python src/data/testdata/make_golden.py FIXTURES     # folder with m_transforms.safetensors

Drawing: the sequence of OpenCV calls of Moore-AnimateAnyone's src/dwpose (draw_pose, util.draw_bodypose, draw_handpose,
draw_facepose). The puppet style: coverage = clip(radius - distance + 1/2, 0, 1). Alignment: MusePose's
pose_align.py; MimicMotion's rescale by numpy.polyfit. Cropping: FIXTURES were
made by torchvision's RandomResizedCrop in the reference's own data set class; here they only become bytes again.
"""
import colorsys
import json
import math
import struct
import sys
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests/support"))
import golden  # noqa: E402

LIMBS = [(2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12), (12, 13), (13, 14), (2, 1),
         (1, 15), (15, 17), (1, 16), (16, 18)]
COLOURS = [(255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0), (0, 255, 0),
           (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255), (0, 0, 255), (85, 0, 255),
           (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85)]
BONES = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (0, 9), (9, 10), (10, 11), (11, 12), (0, 13),
         (13, 14), (14, 15), (15, 16), (0, 17), (17, 18), (18, 19), (19, 20)]
THRESHOLD = 0.3
EPS = 0.01
BODY, LEFT, RIGHT, FACE = slice(0, 18), slice(18, 39), slice(39, 60), slice(60, 128)

STANDING = np.array([(.50, .15), (.50, .28), (.40, .29), (.33, .42), (.25, .55), (.60, .28), (.70, .38), (.62, .25),
                     (.44, .55), (.42, .75), (.38, .97), (.56, .55), (.60, .74), (.57, .93), (.47, .13), (.53, .13),
                     (.44, .15), (.57, .15)])


def person(rng, shift, scale, jitter=0.02):
    """128 x 3: body, left hand, right hand, face; every fifth point absent or doubtful."""
    body = (STANDING - 0.5) * scale + 0.5 + shift + rng.normal(0, jitter, (18, 2))
    left = body[7] + rng.normal(0, 0.06, (21, 2)) * scale
    right = body[4] + rng.normal(0, 0.06, (21, 2)) * scale
    face = body[0] + rng.normal(0, 0.05, (68, 2)) * scale
    points = np.concatenate([body, left, right, face])
    confidence = rng.uniform(0.31, 1.0, len(points))
    confidence[rng.permutation(128)[:13]] = 0.0
    confidence[rng.permutation(128)[:13]] = 0.2
    points[confidence == 0] = 0
    return np.concatenate([points, confidence[:, None]], 1).astype(np.float32)


def whole_person(rng, shift, scale):
    """The same with everything seen."""
    points = person(rng, shift, scale)
    points[:, 2] = 1
    points[:, :2] = np.where(points[:, :2] == 0, 0.4, points[:, :2])
    return points


def draw_reference(people, width, height, factor=1, hands=True, face=True):
    """What src/dwpose does, in its order; `factor` scales its pixel sizes."""
    canvas = np.zeros((height, width, 3), np.uint8)
    seen = people[:, :, 2] >= THRESHOLD
    at = people[:, :, :2].astype(np.float64)
    at[~seen] = -1
    for i, (a, b) in enumerate(LIMBS):
        for n in range(len(people)):
            if not seen[n, a - 1] or not seen[n, b - 1]:
                continue
            y = at[n, [a - 1, b - 1], 0] * float(width)
            x = at[n, [a - 1, b - 1], 1] * float(height)
            length = ((x[0] - x[1]) ** 2 + (y[0] - y[1]) ** 2) ** 0.5
            angle = math.degrees(math.atan2(x[0] - x[1], y[0] - y[1]))
            polygon = cv2.ellipse2Poly((int(np.mean(y)), int(np.mean(x))), (int(length / 2), 4 * factor), int(angle), 0, 360, 1)
            cv2.fillConvexPoly(canvas, polygon, COLOURS[i])
    canvas = (canvas * 0.6).astype(np.uint8)
    for i in range(18):
        for n in range(len(people)):
            if seen[n, i]:
                cv2.circle(canvas, (int(at[n, i, 0] * width), int(at[n, i, 1] * height)), 4 * factor, COLOURS[i], thickness=-1)

    def pixels(points):
        return [(int(x * width), int(y * height)) for x, y in points]

    if hands:
        for part in [LEFT, RIGHT]:
            for n in range(len(people)):
                points = pixels(at[n, part])
                for ie, (a, b) in enumerate(BONES):
                    if min(points[a] + points[b]) > EPS:
                        colour = np.array(colorsys.hsv_to_rgb(ie / 20.0, 1.0, 1.0)) * 255
                        cv2.line(canvas, points[a], points[b], colour, thickness=2 * factor)
                for p in points:
                    if min(p) > EPS:
                        cv2.circle(canvas, p, 4 * factor, (0, 0, 255), thickness=-1)
    if face:
        for n in range(len(people)):
            for p in pixels(at[n, FACE]):
                if min(p) > EPS:
                    cv2.circle(canvas, p, 3 * factor, (255, 255, 255), thickness=-1)
    return canvas


def hands_alone():
    """128 x 3 without body and face: two spread hands. Of the left, the middle finger is absent and the little one's
    tip in doubt; of the right, the thumb's tip lies in the first column of a picture of 128 and the ring finger's in the
    first row of one of 96, where the reference takes points for absent."""
    points = np.zeros((128, 3))
    for part, wrist, mirror in [(LEFT, (.7, .8), 1), (RIGHT, (.28, .75), -1)]:
        hand = [wrist]
        for finger in range(5):
            angle = math.radians(-150 + 30 * finger)
            hand += [(wrist[0] + mirror * r * math.cos(angle), wrist[1] + r * math.sin(angle)) for r in (.12, .17, .21, .24)]
        points[part] = [(x, y, 1) for x, y in hand]
    points[18 + 9:18 + 13] = 0
    points[18 + 20, 2] = 0.2
    points[39 + 4, :2] = (.005, .6)
    points[39 + 16, :2] = (.3, .009)
    return points.astype(np.float32)


def draw_puppet(points, width, height, hands=False, face=False):
    canvas = np.zeros((height, width, 3))
    centres = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), -1)
    side = min(width, height)

    def capsule(a, b, radius, colour):
        nonlocal canvas
        a, b = (points[[a, b], :2].astype(np.float64) * [width, height])
        along = b - a
        squared = along @ along
        t = np.clip((centres - a) @ along / squared, 0, 1) if squared > 0 else np.zeros((height, width))
        distance = np.linalg.norm(centres - a - t[..., None] * along, axis=-1)
        coverage = np.clip(radius * side - distance + 0.5, 0, 1)[..., None]
        canvas = np.rint(canvas + coverage * (np.array(colour) - canvas))

    for i, (a, b) in enumerate(LIMBS):
        if min(points[a - 1, 2], points[b - 1, 2]) >= THRESHOLD:
            capsule(a - 1, b - 1, 0.012, [int(c * 0.6) for c in COLOURS[i]])
    for i in range(18):
        if points[i, 2] >= THRESHOLD:
            capsule(i, i, 0.018, COLOURS[i])
    for part in [LEFT, RIGHT] if hands else []:
        for ie, (a, b) in enumerate(BONES):
            a, b = a + part.start, b + part.start
            if min(points[a, 2], points[b, 2]) >= THRESHOLD:
                capsule(a, b, 0.006, np.rint(np.array(colorsys.hsv_to_rgb(ie / 20.0, 1.0, 1.0)) * 255))
    for i in range(FACE.start, FACE.stop) if face else []:
        if points[i, 2] >= THRESHOLD:
            capsule(i, i, 0.006, (255, 255, 255))
    return canvas.astype(np.uint8)


def limb_ratios(ref, drv):
    """In the order of LimbRatios; both 128 x 2 in square pixels."""
    def bone(a, b):
        return np.linalg.norm(ref[a] - ref[b]) / np.linalg.norm(drv[a] - drv[b])

    def torso(p):
        return np.linalg.norm(p[1] - (p[8] + p[11]) / 2)

    hands = np.mean([bone(h, h + f) for h in (18, 39) for f in (1, 5, 9, 13, 17)])
    return np.array([bone(0, 1), bone(16, 17), bone(2, 5), (bone(2, 3) + bone(5, 6)) / 2, (bone(3, 4) + bone(6, 7)) / 2,
                     hands, torso(ref) / torso(drv), (bone(8, 9) + bone(11, 12)) / 2, (bone(9, 10) + bone(12, 13)) / 2])


def align(old, ratios, offset):
    """One frame, 128 x 2 in square pixels: every point around its parent, as pose_align.py nests its warps."""
    neck, face, shoulders, upper_arms, lower_arms, hands, torso, upper_legs, lower_legs = ratios
    new = old.copy()
    for child, parent, ratio in [(0, 1, neck), (14, 0, face), (15, 0, face), (16, 0, face), (17, 0, face),
                                 (2, 1, shoulders), (5, 1, shoulders), (3, 2, upper_arms), (6, 5, upper_arms),
                                 (4, 3, lower_arms), (7, 6, lower_arms), (8, 1, torso), (11, 1, torso),
                                 (9, 8, upper_legs), (12, 11, upper_legs), (10, 9, lower_legs), (13, 12, lower_legs)]:
        new[child] = new[parent] + ratio * (old[child] - old[parent])
    for part, parent, ratio in [(LEFT, 7, hands), (RIGHT, 4, hands), (FACE, 0, face)]:
        new[part] = new[parent] + ratio * (old[part] - old[parent])
    return new + offset


def rescale(ref, frames, ref_aspect, drv_aspect):
    steady = [0, 1, 2, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    y = frames[:, steady, 1].ravel()
    ay, by = np.polyfit(y, np.tile(ref[steady, 1], len(frames)), 1)
    ax = ay / (ref_aspect / drv_aspect)
    bx = np.mean(np.tile(ref[steady, 0], len(frames)) - ax * frames[:, steady, 0].ravel())
    return frames * [ax, ay] + [bx, by]


def drawing():
    rng = np.random.default_rng(3)
    alone, beside, outside = person(rng, -0.1, 0.9), person(rng, 0.15, 0.8), person(rng, 0.35, 1.6)
    two = np.stack([alone, beside])
    hands, face = hands_alone(), np.zeros((128, 3), np.float32)
    face[FACE] = alone[FACE]
    return {
        "alone_people": alone[None], "alone": draw_reference(alone[None], 96, 80),
        "body_only": draw_reference(alone[None], 96, 80, hands=False, face=False),
        "two_people": two, "two": draw_reference(two, 80, 96),
        "outside_people": outside[None], "outside": draw_reference(outside[None], 96, 80),
        "doubled": draw_reference(alone[None], 150, 120, factor=2),
        "puppet": draw_puppet(alone, 64, 72),
        "hands_people": hands[None], "hands": draw_reference(hands[None], 128, 96),
        "face_people": face[None], "face": draw_reference(face[None], 96, 80),
        "puppet_hands": draw_puppet(hands, 128, 96, hands=True),
        "puppet_whole": draw_puppet(alone, 64, 72, hands=True, face=True),
    }


def alignment():
    rng = np.random.default_rng(4)
    ref_aspect, drv_aspect = 3 / 4, 16 / 9
    ref = whole_person(rng, 0.05, 0.9)
    frames = np.stack([whole_person(rng, -0.1 + 0.02 * f, 0.6) for f in range(4)])
    square_ref = ref[:, :2].astype(np.float64) * [ref_aspect, 1]
    square = frames[:, :, :2].astype(np.float64) * [drv_aspect, 1]
    ratios = limb_ratios(square_ref, square[0])
    offset = square_ref[1] - square[0, 1]
    limbs = np.stack([align(f, ratios, offset) / [ref_aspect, 1] for f in square])
    fit = rescale(ref[:, :2].astype(np.float64), frames[:, :, :2].astype(np.float64), ref_aspect, drv_aspect)
    return {"reference": ref, "frames": frames, "ratios": ratios, "limbs": limbs, "fit": fit}


def cropping(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])

    def tensor(name):
        entry = json.loads(data[8:8 + length])[name]
        dtype = {"U8": np.uint8, "F32": np.float32, "I64": np.int64}[entry["dtype"]]
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        return np.frombuffer(data[start:end], dtype).reshape(entry["shape"])

    def picture(name, low):
        return np.rint((tensor(name).transpose(1, 2, 0) - low) / (1 - low) * 255).astype(np.uint8)

    return {"video": tensor("inp_u8"), "video_crop": tensor("crop_tlhw_seedS100plus_i")[0],
            "video_cropped": picture("img", -1), "video_crop_scale1": tensor("crop_tlhw_scale1"),
            "video_cropped_scale1": picture("img_scale1", -1),
            "pose": tensor("inp_pose_u8"), "pose_cropped": picture("pose", 0)}


golden.write(HERE / "crop.golden", cropping(Path(sys.argv[1]) / "m_transforms.safetensors"))
golden.write(HERE / "draw_pose.golden", drawing())
golden.write(HERE / "pose_align.golden", alignment())
