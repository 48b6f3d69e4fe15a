#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several ranks train one run: the same bits as one process, also after a rank was killed and the run went on with
another number of ranks; and nothing is left behind. Usage: ranks_test.py FOLDER_OF_PROGRAMS"""
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, descendants

STEPS = 12


class Runs:
    def __init__(self, programs, root):
        self.zoetrope, self.root, self.config = programs / "zoetrope", root / "work", root / "inputs/train.yaml"
        self.root.mkdir()

    def start(self, *arguments):
        log = open(self.root / "log", "w")
        return subprocess.Popen([str(a) for a in (self.zoetrope, *arguments)], cwd=self.root, stdout=log, stderr=log)

    def train(self, name, *more):
        return self.start("train", "--config", self.config, "--name", name, "--set", "lanes=4",
                          "--set", "data.train_bs=1", "--set", "threads=1", "--steps", STEPS, *more)

    def log(self):
        return (self.root / "log").read_text()

    def finish(self, process):
        code = process.wait(DEADLINE_S)
        assert code == 0, f"exit code {code}:\n{self.log()}"

    def weights(self, name):
        """Digests of a run's weights, averages included, without a trace of how many ranks wrote them."""
        to = self.root / f"{name}.export"
        self.finish(self.start("ckpt", "export", name, "--to", to))
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(to.rglob("*.safetensors"))}


def wait_for_checkpoint(root, name):
    deadline = time.monotonic() + DEADLINE_S
    while not list(root.glob(f"runs/{name}-*/checkpoints/step-*/manifest.json")):
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.02)


def kill_a_rank(runs):
    """The other rank ends within seconds, and the one that was killed is named."""
    process = runs.train("killed", "--ranks", 2, "--max-restarts", 0)
    wait_for_checkpoint(runs.root, "killed")
    workers = descendants(process.pid)
    victim = next(pid for pid in workers if b"--rank\0001\0" in Path(f"/proc/{pid}/cmdline").read_bytes())
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    assert process.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
    assert time.monotonic() - began < 5, "the other rank took too long to end"
    assert "rank 1 failed first, after step" in runs.log() and "signal 9" in runs.log(), runs.log()
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers), "a rank outlived its launcher"


def main():
    segments = set(os.listdir("/dev/shm"))
    with tempfile.TemporaryDirectory() as folder:
        root, programs = Path(folder), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Runs(programs, root)
        runs.finish(runs.train("one"))
        wanted = runs.weights("one")
        assert wanted, "nothing was exported"
        for name, ranks, zero_stage in (("two", 2, 1), ("four", 4, 0), ("shared", 2, 3)):
            runs.finish(runs.train(name, "--ranks", ranks, "--set", f"parallel.zero_stage={zero_stage}"))
            assert runs.weights(name) == wanted, f"{name} ranks have other weights than one"
        kill_a_rank(runs)
        runs.finish(runs.start("train", "--resume", "killed", "--ranks", 4, "--set", "parallel.zero_stage=2"))
        assert runs.weights("killed") == wanted, "the resumed run has other weights"
        assert runs.start("train", "--resume", "killed", "--ranks", 9).wait(DEADLINE_S) != 0
        assert "at most 4 ranks" in runs.log(), runs.log()
    left = set(os.listdir("/dev/shm")) - segments
    assert not left, f"left in /dev/shm: {left}"


if __name__ == "__main__":
    main()
