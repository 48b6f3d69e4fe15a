#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several ranks train one run: the same bits as one process, also after a rank was killed and the run went on with
another number of ranks; and nothing is left behind. Usage: ranks_test.py FOLDER_OF_PROGRAMS"""
import hashlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, await_end_of, await_release, descendants, is_sanitized, memory_files, processes_on

STEPS = 12
EXHAUSTED, UNAVAILABLE = 72, 69  # docs/errors.md
NETWORKS = ("reference_unet", "denoising_unet", "pose_guider")
NOT_OURS = ("conv_norm_out.", "conv_out.")  # in an exported reference_unet: a head that only diffusers wants (docs/formats/export.md)
BESIDE = ("total", "staging", "snapshots", "held_snapshots")  # of a plan's memory: the sum, and what is not in it


class Runs:
    def __init__(self, programs, root):
        self.zoetrope, self.root, self.config = programs / "zoetrope", root / "work", root / "inputs/train.yaml"
        self.scratch = root
        self.root.mkdir()
        self.memory = set()  # inodes of what ranks shared or kept in memory: those that were looked at

    def look_at_memory(self, launcher):
        """Of a launch whose ranks train."""
        found = set().union(*(memory_files(pid) for pid in (launcher.pid, *descendants(launcher.pid))))
        assert found, "what ranks share is no memory file any more: look for what it is"
        self.memory |= found

    def check_nothing_is_left(self):
        assert not (left := processes_on(self.scratch)), f"processes left: {left}"
        assert self.memory, "no launch was looked at"
        await_release(self.memory)

    def start(self, *arguments, environment=None):
        log = open(self.root / "log", "w")
        self.newest = subprocess.Popen([str(a) for a in (self.zoetrope, *arguments)], cwd=self.root, stdout=log,
                                       stderr=log, env={**os.environ, **(environment or {})})
        return self.newest

    def train(self, name, *more, steps=STEPS):
        return self.start("train", "--config", self.config, "--name", name, "--set", "lanes=4",
                          "--set", "data.train_bs=1", "--set", "threads=1", "--steps", steps, *more)

    def log(self):
        return (self.root / "log").read_text()

    def finish(self, process):
        code = process.wait(DEADLINE_S)
        assert code == 0, f"exit code {code}:\n{self.log()}"

    def weights(self, name):
        """Digests of a run's weights, averages included, without a trace of how many ranks wrote them."""
        to = self.root / f"{name}.export"
        self.finish(self.start("ckpt", "export", name, "-o", to))
        assert all(any((to / network).glob("*.safetensors")) for network in NETWORKS), sorted(to.rglob("*"))
        return {str(p.relative_to(to)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(to.rglob("*.safetensors"))}

    def rank_log(self, name):
        """Of the first rank of a run's first launch."""
        return next(self.root.glob(f"runs/{name}-*/attempts/1/rank-00000.log")).read_text()


BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def parameters_in(folder):
    """How many a network has, by the headers of its exported files."""
    numbers = 0
    for file in folder.glob("*.safetensors"):
        data = file.read_bytes()
        header = json.loads(data[8:8 + int.from_bytes(data[:8], "little")])
        numbers += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__"
                       and not (folder.name == "reference_unet" and name.startswith(NOT_OURS)))
    return numbers


def plan_is_that_of_the_run(runs, name):
    """`zoetrope plan` of a run of two ranks with ZeRO-1 counts the parameters that it has, and comes to what the run itself
    said before it made its networks."""
    run = next(runs.root.glob(f"runs/{name}-*"))
    plan = json.loads(subprocess.run([runs.zoetrope, "plan", "--config", run / "run.yaml", "--ranks", "2", "--json"],
                                     cwd=runs.root, check=True, capture_output=True, timeout=DEADLINE_S).stdout)
    parameters = sum(parameters_in(runs.root / f"{name}.export" / network) for network in NETWORKS)
    assert plan["trained"] + plan["frozen"] == parameters, (plan["trained"], plan["frozen"], parameters)
    sent = plan["traffic"]["elements"] / plan["trained"]  # 2 x (N - 1) / N, and what makes the units' parts even
    assert 1 <= sent < 1.1, plan["traffic"]
    memory = plan["memory"]
    own = [bytes for part, bytes in memory.items() if not part.startswith("host_") and part not in BESIDE]
    assert abs(sum(own) - memory["total"]) < len(own), memory
    log = runs.rank_log(name)
    said = re.search(r"plan: each of 2 ranks takes ([\d.]+) (\w+): weights ", log)
    assert said and said.start() < log.index("ready after "), log
    assert abs(float(said[1]) * BYTES[said[2]] / memory["total"] - 1) < 0.01, (said[0], memory)


def wait_for_checkpoint(root, name):
    deadline = time.monotonic() + DEADLINE_S
    while not list(root.glob(f"runs/{name}-*/checkpoints/step-*/manifest.json")):
        assert time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.02)


def wait_for_ranks(launcher, ranks):
    deadline = time.monotonic() + DEADLINE_S
    while len(workers := [pid for pid in descendants(launcher.pid) if b"--rank\0" in command_of(pid)]) < ranks:
        assert time.monotonic() < deadline, "the ranks did not start"
        time.sleep(0.005)
    return workers


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill_a_rank(runs, name, while_loading):
    """The one that was killed is named, with where it was, its log and what to do. -> Seconds until the other had ended."""
    process = runs.train(name, "--ranks", 2, "--max-restarts", 0)
    if not while_loading:
        wait_for_checkpoint(runs.root, name)
    workers = wait_for_ranks(process, 2)
    victim = next(pid for pid in workers if b"--rank\0001\0" in command_of(pid))
    if not while_loading:
        os.kill(victim, signal.SIGSTOP)  # or the run may end meanwhile
        runs.look_at_memory(process)
        os.kill(victim, signal.SIGCONT)
    began = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < began + DEADLINE_S, "a rank outlived the other"
        time.sleep(0.005)
    took_s = time.monotonic() - began
    assert process.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
    place = "" if while_loading else r", after step \d+, \w+.*"
    line = rf"rank 1 on \S+ failed first{place}: it ended by signal 9 .*; its log is \S+rank-00001\.log; .*--resume"
    assert re.search(line, runs.log()), runs.log()
    return took_s


def all_end_within_a_second(runs):
    """Once of three times: on a machine at work, a rank may wait that long for a core."""
    for name in () if is_sanitized(runs.zoetrope.parent) else ("starved", "starved-too", "starved-again"):
        took_s = ends_with_its_own_error(runs, name)
        print(f"both ranks and the launcher had ended {took_s:.2f} s after one rank's error")
        if took_s < 1:
            break
    else:
        assert is_sanitized(runs.zoetrope.parent), f"no launcher ended within a second of a rank's own error:\n{runs.log()}"
    for while_loading, names in ((False, ("killed", "again", "once-more")), (True, ("early", "earlier", "earliest"))):
        for name in names:
            took_s = kill_a_rank(runs, name, while_loading)
            print(f"both ranks had ended {took_s:.2f} s after one of them was killed{' while loading' * while_loading}")
            if took_s < 1:
                break
        else:
            raise AssertionError("the other rank took more than a second to end")


def ends_with_its_own_error(runs, name):
    """A rank gets no more memory from its first step on, and ends by an error of its own, which is the cause that the launcher
    names, in one line, whichever rank ends first. -> Seconds from the rank's own words until the launcher had ended; infinite
    where it had none: it may first be short of memory where libgomp or C++ can only end the process."""
    process = runs.train(name, "--ranks", 2, "--max-restarts", 0, "--set", "parallel.zero_stage=0", "--set", "threads=2",
                         steps=2000)
    victim = next(pid for pid in wait_for_ranks(process, 2) if b"--rank\0001\0" in command_of(pid))

    def says(words):
        deadline = time.monotonic() + DEADLINE_S
        while not any(words in log.read_text() for log in runs.root.glob(f"runs/{name}-*/attempts/1/rank-00001.log")):
            if process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"no '{words}':\n{runs.log()}"
            time.sleep(0.002)
        return True

    assert says("ready after"), runs.log()
    resource.prlimit(victim, resource.RLIMIT_AS, (1, 1))
    says("zoetrope-worker: error: ")
    began = time.monotonic()
    code = process.wait(DEADLINE_S)
    took_s = time.monotonic() - began
    if code in (1, 128 + signal.SIGABRT, 128 + signal.SIGSEGV):
        print(f"without memory the rank had no error of its own: exit code {code}")
        return math.inf
    line = (r"rank 1 on \S+ failed first, after step \d+, \w+.*: .*(?:memory|thread).*; its log is "
            r"\S+rank-00001\.log; \S.*")
    assert len(re.findall(line, runs.log())) == 1, runs.log()
    assert code == EXHAUSTED, f"exit code {code}:\n{runs.log()}"
    return took_s


def names_the_rank_that_could_not_save(runs):
    """Only rank 1 finds no room for its part, so the last checkpoint fails: it is the cause, whichever rank hears of it first."""
    process = runs.train("unsaved", "--ranks", 2, "--max-restarts", 0, "--set", "parallel.zero_stage=2", steps=2000)
    wait_for_checkpoint(runs.root, "unsaved")
    victim = next(pid for pid in wait_for_ranks(process, 2) if b"--rank\0001\0" in command_of(pid))
    resource.prlimit(victim, resource.RLIMIT_FSIZE, (32768, 32768))
    process.send_signal(signal.SIGINT)
    code = process.wait(DEADLINE_S)
    line = r"rank 1 on \S+ failed first, after step \d+, saving.*: File too large.*; its log is \S+rank-00001\.log; "
    assert len(re.findall(line, runs.log())) == 1, runs.log()
    assert code == EXHAUSTED, f"exit code {code}:\n{runs.log()}"


def says_why_a_validation_failed(runs):
    """The first rank alone reads the clips of validation, which goes by the averages: they are gone."""
    gone = runs.scratch / "gone"
    for part in ("data", "index"):
        shutil.copytree(runs.config.parent / part, gone / part)
    settings = (f"data.index={gone}/index/index.jsonl", "optimizer.ema_decay=0.9", "parallel.zero_stage=1")
    process = runs.train("unlit", "--ranks", 2, *(w for s in settings for w in ("--set", s)), steps=4000)
    wait_for_checkpoint(runs.root, "unlit")
    (gone / "data/clips/val_c").rename(gone / "elsewhere")
    code = process.wait(DEADLINE_S)
    assert re.search(r"rank 0 on \S+ failed first, after step \d+, validating.*is the disk there", runs.log()), runs.log()
    assert code == UNAVAILABLE, f"exit code {code}:\n{runs.log()}"


def all_end_with_their_launcher(runs):
    """kill -9 of the launcher kills its ranks, also one that is stopped, and the run can go on at once."""
    process = runs.train("orphaned", "--ranks", 2, "--steps", 2000)
    wait_for_checkpoint(runs.root, "orphaned")
    runs.look_at_memory(process)
    os.kill(wait_for_ranks(process, 2)[1], signal.SIGSTOP)
    process.kill()
    process.wait()
    print(f"both ranks had ended {await_end_of(runs.root, 2):.2f} s after their launcher was killed")
    await_release(runs.memory)


def keeps_what_is_faster(runs, wanted):
    """Speeds are measured, each unit is kept or gathered by them, and the bits are the same."""
    runs.finish(runs.train("faster", "--ranks", 2, "--set", "parallel.zero_stage=3", "--set", "parallel.keep_whole_if_faster=true"))
    said = [log.read_text() for log in runs.root.glob("runs/faster-*/attempts/1/rank-00000.log")]
    assert said and re.search(r"units with fewer than \d+ positions keep their weights whole", said[0]), said
    assert runs.weights("faster") == wanted, "units kept by measured speed: other weights than one process"


def pictures(runs, name):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(runs.root.glob(f"runs/{name}-*/samples/*"))}


def validates_alike(runs):
    """Guidance's halves run side by side on a rank that has all weights and threads; not where others bring them."""
    clips = ("--steps", 2, *(w for s in ("threads=2", "validation.num_clips=1", "validation.steps=2", "validation.every_steps=2",
                                         "validation.guidance_scale=3.5") for w in ("--set", s)))
    runs.finish(runs.train("clips-of-one", *clips))
    wanted = pictures(runs, "clips-of-one")
    assert wanted, "no clip was written"
    for name, more in (("clips-of-two", ()), ("clips-of-shared", ("--set", "parallel.zero_stage=3"))):
        runs.finish(runs.train(name, "--ranks", 2, *clips, *more))
        assert pictures(runs, name) == wanted, f"{name} are other pictures than one process's"


def main():
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
        plan_is_that_of_the_run(runs, "two")
        all_end_within_a_second(runs)
        runs.finish(runs.start("train", "--resume", "killed", "--ranks", 4, "--set", "parallel.zero_stage=2"))
        assert runs.weights("killed") == wanted, "the resumed run has other weights"
        assert runs.start("train", "--resume", "killed", "--ranks", 9).wait(DEADLINE_S) != 0
        assert "at most 4 ranks" in runs.log(), runs.log()
        keeps_what_is_faster(runs, wanted)
        validates_alike(runs)
        names_the_rank_that_could_not_save(runs)
        says_why_a_validation_failed(runs)
        all_end_with_their_launcher(runs)
        runs.check_nothing_is_left()


if __name__ == "__main__":
    main()
