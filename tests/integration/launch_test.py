#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that other programs start, by the variables that torchrun, accelerate and srun set, give the bits of `zoetrope train
--ranks N`; when the first one is killed the other ends, and their store with them. The real torchrun, accelerate and deepspeed,
as far as they are in the folder $ZT_LAUNCHERS or on PATH, start them too. Usage: launch_test.py FOLDER_OF_PROGRAMS"""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, descendants
from ranks_test import Runs, wait_for_checkpoint

UNAVAILABLE, RESUMABLE, PEER_LOST = 69, 75, 76


def environment_of(launcher, rank, ranks):
    """What a launcher on one host sets for one of its processes."""
    if launcher == "torch":
        return {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": ranks,
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500, "TORCHELASTIC_RUN_ID": "none",
                "TORCHELASTIC_RESTART_COUNT": 0}
    if launcher == "accelerate":  # its plain launcher: no TORCHELASTIC_*, and a host that is not said to be the only one
        return {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 29500}
    return {"SLURM_PROCID": rank, "SLURM_NTASKS": ranks, "SLURM_STEP_NUM_TASKS": ranks, "SLURM_LOCALID": rank,
            "SLURM_NODEID": 0, "SLURM_STEP_NODELIST": "n1", "SLURM_JOB_NODELIST": "n1", "SLURM_JOB_ID": 7,
            "SLURM_STEP_ID": 0}


class Launches(Runs):
    def create(self, name, ranks, *more):
        """The folder of a run that nobody has started."""
        process = self.train(name, "--ranks", ranks, "--create-only", *more)
        self.finish(process)
        return Path(self.log().strip().splitlines()[-1])

    def worker(self, folder):
        return [self.zoetrope.parent / "zoetrope-worker", "train", "--run-dir", folder]

    def start_rank(self, folder, variables):
        log = open(self.root / f"rank-{variables.get('RANK', variables.get('SLURM_PROCID'))}.log", "w")
        return subprocess.Popen(self.worker(folder), cwd=self.root, stdout=log, stderr=log,
                                env={**os.environ, **{k: str(v) for k, v in variables.items()}})

    def start_ranks(self, folder, launcher, ranks=2):
        return [self.start_rank(folder, environment_of(launcher, r, ranks)) for r in reversed(range(ranks))]

    def rank_logs(self):
        return "".join(p.read_text() for p in sorted(self.root.glob("rank-*.log")))


def stores_of(folder):
    """Processes that keep a store for this run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"store" in words and any(str(folder).encode() in word for word in words):
            found.append(int(entry.parent.name))
    return found


def is_worker(pid):
    return b"zoetrope-worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]


def check_nothing_is_left(folder):
    deadline = time.monotonic() + 5
    while stores_of(folder):
        assert time.monotonic() < deadline, f"a store outlived its ranks: {stores_of(folder)}"
        time.sleep(0.01)
    left = list(folder.glob("attempts/*/store.json"))
    assert not left, f"a store left {left}"


def train_by(runs, launcher, wanted):
    folder = runs.create(launcher, 2)
    for process in runs.start_ranks(folder, launcher):
        assert process.wait(DEADLINE_S) == 0, runs.rank_logs()
    assert runs.weights(launcher) == wanted, f"ranks started as by {launcher} have other weights"
    check_nothing_is_left(folder)


def kill_the_first(runs):
    folder = runs.create("killed", 2)
    other, first = runs.start_ranks(folder, "torch")
    wait_for_checkpoint(runs.root, "killed")
    address = next(folder.glob("attempts/*/store.json"))
    assert address.stat().st_mode & 0o777 == 0o600, "others can read the store's token"
    assert json.loads(address.read_text())["ranks"] == 2
    first.send_signal(signal.SIGKILL)
    first.wait(DEADLINE_S)
    assert other.wait(DEADLINE_S) == PEER_LOST, runs.rank_logs()
    assert "rank 0" in runs.rank_logs(), runs.rank_logs()
    check_nothing_is_left(folder)
    return folder


def lose_the_store(runs):
    """Without it the ranks could save nothing any more: they end, and the next launch has a store of its own."""
    runs.finish(runs.train("storeless", "--ranks", 2, "--steps", 100000, "--create-only"))
    folder = Path(runs.log().strip().splitlines()[-1])
    ranks = runs.start_ranks(folder, "torch")
    wait_for_checkpoint(runs.root, "storeless")
    began = time.monotonic()
    os.kill(stores_of(folder)[0], signal.SIGKILL)
    codes = {rank.wait(DEADLINE_S) for rank in ranks}
    print(f"the ranks had ended {time.monotonic() - began:.2f} s after their store was killed")
    assert UNAVAILABLE in codes <= {UNAVAILABLE, PEER_LOST}, (codes, runs.rank_logs())
    assert "No checkpoint can be made without it" in runs.rank_logs(), runs.rank_logs()


def stop_while_alone(runs):
    """The first rank waits for one that never comes."""
    folder = runs.create("alone", 2)
    first = runs.start_rank(folder, environment_of("slurm", 0, 2))
    deadline = time.monotonic() + DEADLINE_S
    while not list(folder.glob("attempts/*/rank-00000.progress")):
        assert time.monotonic() < deadline, runs.rank_logs()
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    assert first.wait(10) == RESUMABLE, runs.rank_logs()
    check_nothing_is_left(folder)


def refuse_nonsense(runs, folder):
    worker = runs.start_rank(folder, {**environment_of("torch", 0, 2), "RANK": 2})
    assert worker.wait(DEADLINE_S) == 2
    assert "RANK=2 and WORLD_SIZE=2" in runs.rank_logs(), runs.rank_logs()


def refuse_what_the_run_is_not(runs):
    """No rank begins anything, and each says why."""
    folder = runs.create("other", 2)
    asked = {"ACCELERATE_USE_DEEPSPEED": "true", "ACCELERATE_DEEPSPEED_ZERO_STAGE": 3}
    for rank in (1, 0):
        worker = runs.start_rank(folder, {**environment_of("accelerate", rank, 2), **asked})
        assert worker.wait(DEADLINE_S) == 2, runs.rank_logs()
    assert runs.rank_logs().count("DEEPSPEED_ZERO_STAGE = 3 needs parallel.zero_stage = 3; the run says 1") == 2
    assert not list(folder.glob("attempts/*")), "a refused launch has begun an attempt"


def by_torchrun(runs, torchrun, folder, *options):
    command = [torchrun, "--no-python", *options, *runs.worker(folder)]
    log = open(runs.root / "rank-torchrun.log", "a")
    return subprocess.Popen([str(word) for word in command], cwd=runs.root, stdout=log, stderr=log)


def launcher_named(name):
    """A Python package's launcher, or None."""
    found = shutil.which(name, path=os.environ.get("ZT_LAUNCHERS") or None)
    if not found:
        print(f"the real {name} was left out: it is not on PATH, and not in the folder $ZT_LAUNCHERS")
    return found


def others_start(runs, name, options, wanted):
    """One of the launchers whose processes only have to be told where they are."""
    program = launcher_named(name)
    if not program:
        return
    folder = runs.create(f"by-{name}", 2)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    log = open(runs.root / f"rank-{name}.log", "w")
    process = subprocess.Popen([str(w) for w in (program, *options, port, *runs.worker(folder))], cwd=runs.root, stdout=log,
                               stderr=log, env={**os.environ, "DS_ACCELERATOR": "cpu"})
    assert process.wait(DEADLINE_S) == 0, runs.rank_logs()
    assert "each of 2 ranks" in runs.rank_logs(), f"{name} has started other ranks than two:\n{runs.rank_logs()}"
    assert runs.weights(f"by-{name}") == wanted, f"ranks that {name} started have other weights"
    check_nothing_is_left(folder)


def torchrun_starts_again(runs, torchrun, wanted):
    """The ranks of a restart are another launch, with a store of its own."""
    folder = runs.create("again", 2)
    process = by_torchrun(runs, torchrun, folder, "--standalone", "--nproc-per-node", 2, "--max-restarts", 2)
    wait_for_checkpoint(runs.root, "again")
    os.kill(next(pid for pid in descendants(process.pid) if is_worker(pid)), signal.SIGKILL)
    assert process.wait(DEADLINE_S) == 0, runs.rank_logs()
    assert len(list(folder.glob("attempts/*"))) == 2, "torchrun has not started the ranks again"
    assert runs.weights("again") == wanted, "ranks that torchrun started again have other weights"
    check_nothing_is_left(folder)


def torchrun_is_killed(runs, torchrun):
    """Its ranks save and end, and nothing is left."""
    folder = runs.create("orphaned", 2, "--steps", 2000)
    process = by_torchrun(runs, torchrun, folder, "--standalone", "--nproc-per-node", 2)
    wait_for_checkpoint(runs.root, "orphaned")
    ranks = [pid for pid in descendants(process.pid) if is_worker(pid)]
    process.kill()
    process.wait()
    deadline = time.monotonic() + DEADLINE_S
    while any(Path(f"/proc/{pid}").exists() for pid in ranks):
        assert time.monotonic() < deadline, "ranks outlived their torchrun"
        time.sleep(0.02)
    check_nothing_is_left(folder)


def torchrun_on_two_nodes(runs, torchrun, wanted):
    """The ranks do not know that both nodes are this host: the store is reached by one of its addresses."""
    folder = runs.create("nodes", 2)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    agents = [by_torchrun(runs, torchrun, folder, "--nnodes", 2, "--node-rank", node, "--master-addr", "127.0.0.1",
                          "--master-port", port, "--nproc-per-node", 1) for node in (0, 1)]
    for agent in agents:
        assert agent.wait(DEADLINE_S) == 0, runs.rank_logs()
    assert runs.weights("nodes") == wanted, "ranks on two of torchrun's nodes have other weights"
    check_nothing_is_left(folder)


def main():
    torchrun = launcher_named("torchrun")
    with tempfile.TemporaryDirectory() as scratch:
        root, programs = Path(scratch), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Launches(programs, root)
        runs.finish(runs.train("own", "--ranks", 2))
        wanted = runs.weights("own")
        for launcher in ("torch", "accelerate", "slurm"):
            train_by(runs, launcher, wanted)
        folder = kill_the_first(runs)
        refuse_nonsense(runs, folder)
        lose_the_store(runs)
        refuse_what_the_run_is_not(runs)
        stop_while_alone(runs)
        # A launcher of one process: no store, and the same weights after what the two have done.
        single = runs.start_rank(folder, environment_of("torch", 0, 1))
        assert single.wait(DEADLINE_S) == 0, runs.rank_logs()
        assert runs.weights("killed") == wanted, "the run that one process ended has other weights"
        others_start(runs, "accelerate", ("launch", "--multi_gpu", "--num_processes", 2, "--num_machines", 1, "--mixed_precision",
                                          "no", "--dynamo_backend", "no", "--no_python", "--main_process_port"), wanted)
        others_start(runs, "deepspeed", ("--num_gpus", 2, "--no_python", "--no_local_rank", "--master_port"), wanted)
        if torchrun:
            torchrun_starts_again(runs, torchrun, wanted)
            torchrun_is_killed(runs, torchrun)
            torchrun_on_two_nodes(runs, torchrun, wanted)


if __name__ == "__main__":
    main()
