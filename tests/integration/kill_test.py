#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9, and Ctrl-C where that ends a job at once, at random moments: every job that writes files is killed again and
again, repeated until it succeeds, and must then have left the same bits, and no file more, as a job that nobody touched.
Usage: kill_test.py FOLDER_OF_PROGRAMS [KILLS_PER_JOB] [SEED]"""
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEADLINE_S = 120
SYNTH = """seed: 1
num_train: 24
num_val_a: 0
num_val_b: 0
num_val_c: 2
num_frames: 16
width: 32
height: 32
threads: 2
"""
CACHE = """threads: 1
model:
  codec: {kind: linear, latent_channels: 4, fit_pictures: 32}
  unet: {block_out_channels: [32, 32], layers_per_block: 1, num_heads: 2, norm_num_groups: 8, cross_attention_dim: 16}
  motion: {num_heads: 2, norm_num_groups: 8}
  pose_guider: {block_out_channels: [8, 8, 16]}
  image_encoder: {image_size: 16, patch_size: 8, hidden_size: 16, intermediate_size: 32, num_layers: 1, num_heads: 2}
data: {index: ../inputs/index/index.jsonl, splits: [train], width: 32, height: 32, train_bs: 2, n_sample_frames: 4,
       sample_rate: 1, sample_margin: 2}
cache: {folder: cache}
"""
TRAIN = CACHE + """condition: {uncond_ratio: 0.3}
optimizer: {learning_rate: 1e-3, ema_decay: 0.9, use_8bit_adam: true}
validation: {every_steps: 5, split: val_c, num_loss_samples: 2, num_clips: 1, num_frames: 4, steps: 2, guidance_scale: 1}
checkpoint: {every_steps: 2}
max_train_steps: 20
"""
ENDS_AT_ONCE = ("synth", "ingest", "pose", "people")  # at the first Ctrl-C; the others finish what they are at
NUM_FILMS = 3
POSE, PICTURE = "data/clips_keypoints/val_c/000000.jsonl", "data/clips_background/val_c/000000.png"


def is_sanitized(programs):
    """Whether they need more time and memory than limits allow that hold for others."""
    return b"__asan_init" in (programs / "zoetrope-worker").read_bytes()


def files_of(folder):
    """Path -> digest of everything in a folder; of locks and journals only the names count."""
    return {str(p.relative_to(folder)): "" if p.suffix == ".lock" or p.name == "journal.jsonl"
            else hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def last_checkpoint(folder):
    """The final state but for clock and launch, of a run."""
    manifests = sorted(folder.glob("runs/*/checkpoints/step-*/manifest.json"))
    manifest = json.loads(manifests[-1].read_text())
    manifest["scalars"].pop("train.elapsed_s")
    leftovers = [str(p) for p in folder.rglob("*") if ".zt-tmp." in p.name]
    return {"step": manifest["step"], "scalars": manifest["scalars"], "leftovers": leftovers,
            "files": [(f["name"], f["xxh128"]) for f in manifest["files"]]}


class Jobs:
    """Commands by name, each run in a folder of its own beside `inputs`; and what counts of its result."""

    def __init__(self, programs, root):
        self.zoetrope, self.inputs = programs / "zoetrope", root / "inputs"

    def train(self, stage, folder, ranks=1, zero_stage=1):
        if list(folder.glob("runs/*/identity.json")):
            return [self.zoetrope, "train", "--resume", "latest", "--ranks", ranks]
        stage2 = ["--set", "stage=2", "--set", f"model.stage1_run={self.stage1_run()}"] if stage == 2 else []
        return [self.zoetrope, "train", "--config", self.inputs / "train.yaml", "--name", "killed", *stage2,
                "--ranks", ranks, "--set", f"parallel.zero_stage={zero_stage}"]

    def stage1_run(self):
        return next((self.inputs / "runs").iterdir())

    def command(self, name, folder):
        inputs = self.inputs
        return {
            "synth": lambda: [self.zoetrope, "data", "synth", "--config", inputs / "synth.yaml", "-o", "out"],
            "ingest": lambda: [self.zoetrope, "data", "ingest", inputs / "data", "-o", "out"],
            "pose": lambda: [self.zoetrope, "data", "pose", inputs / "films", "-o", "out", "--set", "threads=2"],
            "people": lambda: [self.zoetrope, "data", "ingest", inputs / "films", "-o", "out", "--set", "threads=2",
                               "--set", "min_pose_share=0"],
            "cache": lambda: [self.zoetrope, "data", "cache", "--config", inputs / "cache.yaml"],
            "train1": lambda: self.train(1, folder),
            "train2": lambda: self.train(2, folder),
            "ranks2": lambda: self.train(1, folder, ranks=2, zero_stage=2),
            "ranks3": lambda: self.train(2, folder, ranks=3, zero_stage=3),
            "generate": lambda: [self.zoetrope, "generate", "--run", self.stage1_run(), "--pose", inputs / POSE, "--ref",
                                 inputs / PICTURE, "-W", "32", "-H", "32", "-L", "16", "--steps", "12", "--cfg", "2",
                                 "-o", "out.mp4"],
            "export": lambda: ["true"] if (folder / "out").exists() else [  # it never overwrites
                self.zoetrope, "ckpt", "export", self.stage1_run(), "-o", "out", "--layout", "moore"],
        }[name]()

    def result(self, name, folder):
        if name.startswith(("train", "ranks")):
            return last_checkpoint(folder)
        return files_of(folder)

    def make_inputs(self):
        self.inputs.mkdir()
        for name, text in (("synth.yaml", SYNTH), ("train.yaml", TRAIN)):
            (self.inputs / name).write_text(text)
        for arguments in (["data", "synth", "--config", "synth.yaml", "-o", "data"],
                          ["data", "ingest", "data", "-o", "index"],
                          ["train", "--config", "train.yaml", "--name", "first", "--set", "max_train_steps=2"]):
            subprocess.run([self.zoetrope, *arguments], cwd=self.inputs, check=True, capture_output=True,
                           timeout=DEADLINE_S)
        films = self.inputs / "films"
        films.mkdir()
        for video in sorted((self.inputs / "data/clips/train").iterdir())[:NUM_FILMS]:
            shutil.copy(video, films)
        run = self.stage1_run()
        encoders = f"model:\n  vae_model_path: {run}/codec\n  image_encoder_path: {run}/image_encoder\n"
        (self.inputs / "cache.yaml").write_text(CACHE.replace("model:\n", encoders))


    def lacks_networks(self):
        """Why people can't be looked for here; "" if they can."""
        command = [self.zoetrope, "data", "pose", self.inputs / "films", "-o", self.inputs / "tried"]
        tried = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
        if tried.returncode == 66:  # NotFound
            return tried.stderr.strip()
        assert tried.returncode == 0, tried.stderr
        return ""


def start(command, folder):
    log = open(folder.with_suffix(".log"), "a")
    return subprocess.Popen([str(part) for part in command], cwd=folder, stdout=log, stderr=log)


def descendants(pid):
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [int(c) for c in children] + [d for c in children for d in descendants(int(c))]


def processes_on(root):
    """Command lines of processes that work in this folder."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:
            pass
    return [line for line in lines if str(root).encode() in line]


def memory_files(pid):
    """Inodes of the memory files (memfds) of ours, segments of ranks and snapshots, that a process has mapped or open."""
    process, inodes = Path(f"/proc/{pid}"), set()
    try:
        inodes.update(line.split()[4] for line in (process / "maps").read_text().splitlines() if "/memfd:zoetrope-" in line)
        for fd in (process / "fd").iterdir():
            if os.readlink(fd).startswith("/memfd:zoetrope-"):
                inodes.add(str(fd.stat().st_ino))
    except OSError:  # it has ended, or is another user's
        pass
    return inodes


def await_release(inodes):
    """Fails if any process still has one of these memory files. Who ends loses its command line before its descriptors."""
    deadline = time.monotonic() + 5
    while held := [path.name for path in Path("/proc").glob("[0-9]*") if memory_files(path.name) & inodes]:
        assert time.monotonic() < deadline, f"processes with segments or snapshots of ranks that are gone: {held}"
        time.sleep(0.01)


def await_end_of(root, seconds):
    """Fails if processes work in this folder for so much longer. -> How long they did."""
    began = time.monotonic()
    while left := processes_on(root):
        assert time.monotonic() - began < seconds, f"processes left: {left}"
        time.sleep(0.01)
    return time.monotonic() - began


def kill(process, whom):
    """kill -9 of the program, of the workers that it started, of one of them, or of all. What lives on may finish the job."""
    workers = descendants(process.pid)
    for pid in {"program": [process.pid], "workers": workers, "worker": workers[-1:], "both": [process.pid, *workers]}[whom]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait(DEADLINE_S)
    deadline = time.monotonic() + DEADLINE_S  # a worker that outlived its program ends by itself
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < deadline, f"workers outlived their program: {workers}"
        time.sleep(0.01)


def interrupt(process):
    """Ctrl-C, once. Before the program has begun its work, it is a request, and so is exit code 75."""
    process.send_signal(signal.SIGINT)
    code = process.wait(DEADLINE_S)
    assert code in (-signal.SIGINT, 75, 0), code


def finish(jobs, name, folder):
    process = start(jobs.command(name, folder), folder)
    if process.wait(DEADLINE_S) != 0:
        sys.exit(f"{name}: exit code {process.returncode} after kills:\n{folder.with_suffix('.log').read_text()[-3000:]}")
    return jobs.result(name, folder)


def kill_one_job(jobs, root, name, kills, rng):
    def fresh():
        folder = root / f"{name}-{len(list(root.iterdir()))}"
        folder.mkdir()
        return folder

    folder = fresh()
    began = time.monotonic()
    expected = finish(jobs, name, folder)
    length_s = time.monotonic() - began
    folder, done, whole = fresh(), 0, 0
    while done < kills:
        process = start(jobs.command(name, folder), folder)
        try:
            process.wait(rng.uniform(0, length_s))
        except subprocess.TimeoutExpired:
            whom = rng.choice(("program", "workers", "worker", "both", "interrupt"))
            if whom == "interrupt" and name in ENDS_AT_ONCE:
                interrupt(process)
            else:
                kill(process, "program" if whom == "interrupt" else whom)
            done += 1
            continue
        whole += 1  # it was quicker: from the start again
        found = finish(jobs, name, folder)
        assert found == expected, difference(name, expected, found)
        folder = fresh()
    found = finish(jobs, name, folder)
    assert found == expected, difference(name, expected, found)
    await_end_of(root, 5)
    print(f"{name:9} {done} kills, {whole + 1} completions, {length_s:.1f} s untouched", flush=True)


def difference(name, expected, found):
    keys = [k for k in {**expected, **found} if expected.get(k) != found.get(k)]
    return f"{name}: differs in " + ", ".join(f"{k}: {expected.get(k)} -> {found.get(k)}" for k in keys[:5])


def main():
    programs = Path(sys.argv[1]).resolve()
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(10 ** 6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        jobs = Jobs(programs, root)
        jobs.make_inputs()
        why = jobs.lacks_networks()
        if why:
            print(f"without pose and people: {why}", flush=True)
        searches = () if why else ("pose", "people")
        for name in ("synth", "ingest", *searches, "cache", "train1", "train2", "ranks2", "ranks3", "generate", "export"):
            kill_one_job(jobs, root, name, kills, random.Random(f"{seed} {name}"))


if __name__ == "__main__":
    main()
