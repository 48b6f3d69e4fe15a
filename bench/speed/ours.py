# SPDX-License-Identifier: Apache-2.0
"""One `zoetrope train` or `zoetrope generate` on puppet videos, measured from outside and from the run folder."""

import json
import pathlib
import shutil
import struct
import subprocess

from speed import process

CONFIGS = pathlib.Path(__file__).resolve().parent.parent / "configs"
PIXELS = {"tiny64": 64, "quarter": 256}
GENERATED_FRAMES = 24


def folder(scenario, options):
    return options.work / scenario.configuration


def train_command(scenario, options, *settings):
    stage = scenario.job[-1] if scenario.job.startswith("stage") else 2
    values = {
        "data.index": folder(scenario, options) / "index/index.jsonl",
        "output_dir": folder(scenario, options) / "runs",
        "cache.folder": folder(scenario, options) / "cache",
        "stage": stage,
        "data.train_bs": scenario.batch // scenario.lanes,
        "lanes": scenario.lanes,
        "precision.mixed_precision": scenario.dtype,
        "threads": options.threads,
        "checkpoint.memory_every_steps": 0,  # snapshots in memory: the peer has none
        **dict(settings),
    }
    command = [options.bin / "zoetrope", "train", "--config", CONFIGS / f"{scenario.configuration}.yaml"]
    for key, value in values.items():
        command += ["--set", f"{key}={value}"]
    return command


def prepare(scenario, options):
    """Puppet videos and their index; a warm cache; weights to generate with."""
    place = folder(scenario, options)
    zoetrope, pixels = options.bin / "zoetrope", PIXELS[scenario.configuration]
    if not (place / "index/index.jsonl").exists():
        sizes = [f"width={pixels}", f"height={pixels}", f"num_frames={GENERATED_FRAMES}", "num_train=16", "num_val_a=1",
                 "num_val_b=0", "num_val_c=0", f"output={place / 'data'}"]
        subprocess.run([zoetrope, "data", "synth", *(word for size in sizes for word in ("--set", size))], check=True)
        subprocess.run([zoetrope, "data", "ingest", place / "data", "-o", place / "index"], check=True)
    if scenario.job != "generate":
        if not (place / "cache").exists():
            subprocess.run(train_command(scenario, options, ("cache.build_ahead", "true"), ("max_train_steps", 1)),
                           check=True)
        return
    if not list((place / "runs").glob("weights-*")):
        subprocess.run(train_command(scenario, options, ("name", "weights"), ("max_train_steps", 1),
                                     ("data.n_sample_frames", GENERATED_FRAMES), ("gradient_checkpointing", "true")),
                       check=True)
    if not (place / "reference.png").exists():
        subprocess.run(["ffmpeg", "-v", "error", "-i", clip(place, "clips"), "-frames:v", "1", place / "reference.png"],
                       check=True)


def clip(place, kind):
    return place / "data" / kind / "val_a/000000.mp4"


def run(scenario, variant, options):
    return generate(scenario, options) if scenario.job == "generate" else train(scenario, variant, options)


def generate(scenario, options):
    place = folder(scenario, options)
    run_folder = sorted((place / "runs").glob("weights-*"))[-1]
    pixels = PIXELS[scenario.configuration]
    output, _, seconds, peak_mb = process.run(
        [options.bin / "zoetrope", "generate", "--json", "--run", run_folder, "--ref", place / "reference.png",
         "--pose", clip(place, "clips_labels"), "-W", pixels, "-H", pixels, "--steps", scenario.denoising_steps,
         "--cfg", 3.5, "--length", GENERATED_FRAMES, "--set", f"dtype={scenario.dtype}",
         "--set", f"threads={options.threads}", "-o", place / "clip.mp4"], options.threads)
    # The worker's own time: loading, sampling, decoding, writing the mp4. The peer's has neither first nor last.
    return {"seconds": [json.loads(output)["seconds"]], "start_s": seconds, "peak_mb": peak_mb}


def train(scenario, variant, options):
    steps = scenario.warm_up + scenario.repetitions
    name = f"{scenario.job}-{variant}"
    _, start, _, peak_mb = process.run(
        train_command(scenario, options, ("name", name), ("max_train_steps", steps),
                      ("cache.enable", "false" if variant == "uncached" else "true")), options.threads)
    run_folder = sorted((folder(scenario, options) / "runs").glob(f"{name}-*"))[-1]
    rows = read_metrics(next((run_folder / "metrics").glob("*.seg")))
    shutil.rmtree(run_folder)
    ends = [row["time"] for row in rows]
    paces = [after - before for before, after in zip(ends, ends[1:])]
    parts = {part: sorted(row[f"time/{part}_s"] for row in rows)[len(rows) // 2]
             for part in ("data", "forward", "backward", "optimizer")}
    return {"seconds": paces[scenario.warm_up - 1:], "start_s": ends[0] - start,
            "ready_s": ends[0] - rows[0]["time/step_s"] - start, "peak_mb": peak_mb, "parts_s": parts,
            "tensor_mb": rows[-1]["memory/peak_tensor_bytes"] / 2**20}


def read_metrics(path):
    """Rows of a metric segment by step (docs/formats/metrics.md)."""
    data, at, names, rows = path.read_bytes(), 16, {}, []
    while at < len(data):
        size, kind = struct.unpack_from("<I4xB", data, at)
        payload, at = data[at + 8:at + 8 + size], at + 8 + size
        if kind == 1:
            names[struct.unpack_from("<I", payload, 1)[0]] = payload[5:].decode()
        elif kind == 2:
            row = {"step": struct.unpack_from("<q", payload, 1)[0], "time": struct.unpack_from("<d", payload, 9)[0]}
            for offset in range(17, size, 12):
                number, value = struct.unpack_from("<Id", payload, offset)
                row[names[number]] = value
            rows.append(row)
    return [row for row in rows if "time/step_s" in row]
