#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A disk that is full, read-only or gone while two ranks train: training goes on, says so, and the next save succeeds once
the cause is gone. One that has no room for a cache: the command that fills it fails. Usage: disk_test.py FOLDER_OF_PROGRAMS. Exit code 77: no file systems can be mounted here."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, kill
from ranks_test import Runs
from recovery_test import progress, wait_until

EXHAUSTED, RESUMABLE = 72, 75


def mount(*arguments):
    subprocess.run(["mount", *map(str, arguments)], check=True)


def saved_steps(run):
    return {int(path.parent.name[5:]) for path in run.glob("checkpoints/step-*/manifest.json")}


def events(run):
    lines = (line for path in sorted(run.glob("events/*.jsonl")) for line in path.read_text().splitlines())
    return [json.loads(line) for line in lines]


def full(runs, run):
    ballast = runs.root / "runs/ballast"
    with open(ballast, "wb") as file:
        try:
            while True:
                os.write(file.fileno(), bytes(1 << 16))
        except OSError:
            pass
    return ballast.unlink


def read_only(runs, run):
    folder = run / "checkpoints"
    mount("--bind", folder, folder)
    mount("-o", "remount,bind,ro", folder)
    return lambda: subprocess.run(["umount", folder], check=True)


def gone(runs, run):
    away = runs.root / "runs/away"
    run.rename(away)
    return lambda: away.rename(run)


def scenario(runs, name, spoil):
    launcher = runs.train(name, "--ranks", 2, "--set", "checkpoint.every_steps=4", "--steps", 10**6)
    run = wait_until(f"a checkpoint; {runs.log()}", lambda: next((r for r in runs.root.glob(f"runs/{name}-*") if saved_steps(r)), None))
    mend = spoil(runs, run)
    wait_until("the word of a failed save", lambda: "was NOT saved" in runs.log())
    failed = int(re.search(r"step=(\d+) was NOT saved", runs.log())[1])
    mend()
    seen = progress(runs, name, 0)[3]
    wait_until("training that goes on", lambda: progress(runs, name, 0)[3] > max(seen, failed))
    wait_until("a save of a later step", lambda: any(step > max(seen, failed) for step in saved_steps(run)))
    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(DEADLINE_S) == RESUMABLE, runs.log()

    told = [event["type"] for event in events(run)]
    for wanted in ("warning", "checkpoint_saved", "attempt_finished"):
        assert wanted in told, f"no event says {wanted}: {set(told)}"
    assert told.count("attempt_started") == 1, "the ranks were started again"
    last = max(saved_steps(run))
    checked = subprocess.run([runs.zoetrope, "ckpt", "verify", run], capture_output=True, text=True, timeout=DEADLINE_S)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    print(f"{name}: the save of step {failed} failed, training went on; the newest checkpoint is of step {last}")
    return run


def full_to_the_end(runs):
    """The log has no room either: the launcher says what was wrong."""
    launcher = runs.train("to-the-end", "--ranks", 2, "--set", "checkpoint.every_steps=4", "--steps", 100)
    run = wait_until(f"a checkpoint; {runs.log()}", lambda: next((r for r in runs.root.glob("runs/to-the-end-*") if saved_steps(r)), None))
    mend = full(runs, run)
    assert launcher.wait(DEADLINE_S) == EXHAUSTED, runs.log()
    last = [line for line in runs.log().splitlines() if "failed first" in line][-1]
    assert "No space left on device" in last and "make room and go on with --resume" in last, runs.log()
    mend()
    runs.finish(runs.start("train", "--resume", run, "--ranks", 2))
    print(f"full to the end: {last}")


def cache_without_room(runs, inputs):
    """No room for all entries (here: for their files): the command that fills it says so, and goes on when asked again."""
    small = runs.root / "small"
    small.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m,nr_inodes=150", "none", small)
    command = ("data", "cache", "--config", inputs / "cache.yaml", "--set", f"cache.folder={small}/cache")
    assert runs.start(*command).wait(DEADLINE_S) == EXHAUSTED, runs.log()
    said = re.search(r"(\d+) of (\d+) entries could not be kept in", runs.log())
    assert said, runs.log()
    mount("-o", "remount,nr_inodes=0", small)
    runs.finish(runs.start(*command))
    found = json.loads(runs.log().splitlines()[-1])
    subprocess.run(["umount", small], check=True)
    assert found["encoded"] == int(said[1]) and 0 < found["encoded"] < int(said[2]), (said[0], found)
    print(f"cache without room: {said[0]}; then {found}")


def main():
    if "ZT_OWN_MOUNTS" not in os.environ:
        has_mounts = subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0
        if not has_mounts:
            return 77
        os.execvpe("unshare", ["unshare", "-m", sys.executable, *sys.argv], {**os.environ, "ZT_OWN_MOUNTS": "1"})
    with tempfile.TemporaryDirectory() as folder:
        root, programs = Path(folder), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Runs(programs, root)
        (runs.root / "runs").mkdir()
        mount("-t", "tmpfs", "-o", "size=160m", "none", runs.root / "runs")
        try:
            for spoil in (full, read_only, gone):
                scenario(runs, spoil.__name__.replace("_", "-"), spoil)
            full_to_the_end(runs)
            cache_without_room(runs, root / "inputs")
        finally:
            if runs.newest.poll() is None:  # it failed: what still writes would be in the way of cleaning up
                kill(runs.newest, "both")
            subprocess.run(["umount", "-l", runs.root / "runs"], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
