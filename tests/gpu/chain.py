#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole main job through the real programs on a GPU: puppets, ingest, cache, both stages, generation, evaluation; a
training that is killed goes on with the same bits, and on the CPU too. Prints a line per step.
Usage: chain.py FOLDER_OF_PROGRAMS [DEVICE]"""
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration"))
from kill_test import POSE, PICTURE, SYNTH, TRAIN, kill, last_checkpoint  # noqa: E402

DEADLINE_S = 180
VAE = [word for setting in ("codec.kind=vae", "codec.block_out_channels=[8, 8, 8]", "codec.layers_per_block=1",
                            "codec.norm_num_groups=4", "allow_random_start=true")
       for word in ("--set", f"model.{setting}")] + ["--set", "cache.build_ahead=true", "--set", "max_train_steps=2"]
KILLED_AT = (4, 12)  # steps of 20, saved every 2


class Chain:
    def __init__(self, programs, device, root):
        self.zoetrope, self.device, self.root = programs / "zoetrope", device, root
        self.failures = 0

    def start(self, *arguments):
        log = open(self.root / "log", "w")
        return subprocess.Popen([str(a) for a in (self.zoetrope, *arguments)], cwd=self.root, stdout=log, stderr=log)

    def finish(self, *arguments):
        code = self.start(*arguments).wait(DEADLINE_S)
        assert code == 0, f"exit code {code}: {' '.join(map(str, arguments))}\n{(self.root / 'log').read_text()[-3000:]}"

    def step(self, name, work):
        began = time.monotonic()
        try:
            verdict = work() or "ok"
        except Exception as error:  # the table goes on; the exit code says so
            verdict, self.failures = f"FAILED {error}", self.failures + 1
        print(f"{name:<44} {verdict}  {time.monotonic() - began:.1f} s", flush=True)

    def run(self, name):
        return sorted((self.root / "runs").glob(f"{name}-*"))[-1]

    def train(self, name, stage, *more):
        stage1 = [] if stage == 1 else ["--set", f"model.stage1_run={self.run('stage1')}"]
        return ["train", "--config", "train.yaml", "--name", name, "--device", self.device, "--set", f"stage={stage}",
                *stage1, *more]

    def state(self, name):
        root = self.root / f"of-{name}"
        (root / "runs").mkdir(parents=True, exist_ok=True)
        link = root / "runs" / name
        if not link.exists():
            link.symlink_to(self.run(name))
        return last_checkpoint(root)

    def prepare(self):
        for name, text in (("synth.yaml", SYNTH), ("train.yaml", TRAIN.replace("../inputs/", ""))):
            (self.root / name).write_text(text)
        self.finish("data", "synth", "--config", "synth.yaml", "-o", "data")
        self.finish("data", "ingest", "data", "-o", "index")

    def wait_for_step(self, process, name, step):
        until = time.monotonic() + DEADLINE_S
        while process.poll() is None and time.monotonic() < until:
            if any(int(path.parent.name[5:]) >= step
                   for path in self.root.glob(f"runs/{name}-*/checkpoints/step-*/manifest.json")):
                return
            time.sleep(0.01)
        raise AssertionError(f"no checkpoint of step {step}:\n{(self.root / 'log').read_text()[-3000:]}")

    def kill_and_resume(self, name, stage):
        """Program and worker killed twice amid the run: the bits of the one that nobody touched."""
        process = self.start(*self.train(name, stage))
        for step in KILLED_AT:
            self.wait_for_step(process, name, step)
            kill(process, "both")
            process = self.start("train", "--resume", name)
        assert process.wait(DEADLINE_S) == 0, (self.root / "log").read_text()[-3000:]
        assert self.state(name) == self.state(f"stage{stage}"), "other bits than the run that nobody touched"

    def resume_on_cpu(self):
        self.finish(*self.train("moved", 1, "--set", "max_train_steps=6"))
        self.finish("train", "--resume", "moved", "--device", "cpu", "--steps", 8)
        assert self.state("moved")["step"] == 8

    def generate(self, device):
        out = self.root / f"{device}.mp4"
        self.finish("generate", "--run", self.run("stage2"), "--pose", POSE, "--ref", PICTURE, "-W", 32, "-H", 32, "-L", 16,
                    "--steps", 4, "--cfg", 2, "--device", device, "-o", out)
        return out

    def generate_on_both(self):
        pictures = [frames(self.generate(device)) for device in (self.device, "cpu")]
        if pictures[0] is None:
            return "ok (not compared with the CPU's: no OpenCV)"
        psnr = peak_snr(*pictures)
        assert psnr > 30, f"{psnr:.1f} dB to the CPU's clip"
        return f"ok, {psnr:.1f} dB to the CPU's clip"

    def evaluate(self):
        self.finish("eval", "--run", self.run("stage2"), "--set", "index=index/index.jsonl", "--set", f"device={self.device}",
                    "--set", "splits=[val_c]",
                    "--set", "num_clips=2", "--set", "num_frames=8", "--set", "steps=2", "-o", self.root / "eval")

    def all(self):
        self.step("data: synth, ingest", self.prepare)
        self.step("cache by a VAE on the GPU", lambda: self.finish(*self.train("vae", 1, *VAE)))
        self.step("stage 1", lambda: self.finish(*self.train("stage1", 1)))
        self.step("stage 1, killed and resumed: same bits", lambda: self.kill_and_resume("killed1", 1))
        self.step("stage 2", lambda: self.finish(*self.train("stage2", 2)))
        self.step("stage 2, killed and resumed: same bits", lambda: self.kill_and_resume("killed2", 2))
        self.step("resumed on the CPU", self.resume_on_cpu)
        self.step("generate", self.generate_on_both)
        self.step("eval", self.evaluate)
        for precision in ("bf16", "fp16"):
            self.step(f"stage 1 in {precision}", lambda: self.finish(
                *self.train(precision, 1, "--set", f"precision.mixed_precision={precision}")))


def frames(path):
    try:
        import cv2
    except ImportError:
        return None
    video, out = cv2.VideoCapture(str(path)), []
    while True:
        more, picture = video.read()
        if not more:
            assert out, f"{path} has no pictures"
            return out
        out.append(picture.astype("float64"))


def peak_snr(one, other):
    import math
    assert len(one) == len(other), f"{len(one)} and {len(other)} pictures"
    error = sum(((a - b) ** 2).mean() for a, b in zip(one, other)) / len(one)
    return 99.0 if error == 0 else 10 * math.log10(255 ** 2 / error)


def main():
    programs, device = Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "cuda"
    with tempfile.TemporaryDirectory() as scratch:
        chain = Chain(programs, device, Path(scratch))
        chain.all()
    sys.exit(1 if chain.failures else 0)


if __name__ == "__main__":
    main()
