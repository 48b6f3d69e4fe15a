#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A rank that is stopped, or sleeps for good, is found, named and killed, with real processes; then the run
ends, or goes on if restarts are left. The times it took are printed. With `slow`: the same for a rank that computes without
end; and ranks that hardly get a core are left alone.
Usage: detect_test.py FOLDER_OF_PROGRAMS [slow]"""
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import stuck
from kill_test import DEADLINE_S, Jobs
from recovery_test import Runs, at_step, pid_of, wait_until

HANG_S = 5  # parallel.hang_s
FORWARD, BACKWARD = 2, 3  # activities of docs/formats/progress.md
SPIN_TIMES = 10  # as long a rank may compute: cli/failure/hang_rule.hpp
SLACK_S = 2  # the time of a look, of the evidence, and of a busy machine


def expect_found(runs, victim, kind, limit_s, slack_s=SLACK_S, launcher=None):
    """Waits for the line that says so, and returns it. The launcher's memory is looked at while the run stands still."""
    began = time.monotonic()
    if launcher:
        runs.look_at_memory(launcher)
    line = wait_until("the hang to be found", lambda: next(
        (line for line in runs.log().splitlines() if line.startswith(f"zoetrope: rank {victim} on ")), None))
    found_s = time.monotonic() - began
    print(f"{kind} rank {victim}: found and killed after {found_s:.2f} s (limit {limit_s})", flush=True)
    assert limit_s <= found_s < limit_s + slack_s, f"found after {found_s} s"
    assert line.startswith(f"zoetrope: rank {victim} on {os.uname().nodename} hangs ({kind} for "), line
    assert ", after step " in line and "flight records in " in line, line
    return line


def stop(runs, name, victim, step, hang_s, launcher=None):
    os.kill(at_step(runs, name, step, victim), signal.SIGSTOP)
    return expect_found(runs, victim, "stopped", hang_s, launcher=launcher)


def events(runs, name):
    for path in runs.folder(name).glob("events/*.jsonl"):
        yield from (json.loads(line) for line in path.read_text().splitlines())


def ends_without_restarts(runs):
    """The launcher ends with the rank, whose end is told with what it hung in, and the other's record says the same."""
    launcher = runs.train("ends", 2, "--max-restarts", 0)
    workers = [pid_of(launcher, rank) for rank in (0, 1)]
    line = stop(runs, "ends", 1, 2, HANG_S, launcher)
    assert launcher.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
    assert "rank 1 has not entered " in line, line
    assert re.search(r"error: rank 1 on \S+ failed first, after step ", runs.log()), runs.log()
    assert runs.log().count("hangs (stopped for ") == 2 and "lack of memory" not in runs.log(), runs.log()
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers), "a rank outlived its launcher"
    head, *exchanges = [json.loads(text) for text in
                        next(runs.folder("ends").glob("attempts/*/flight-00000.jsonl")).read_text().splitlines()]
    assert head["rank"] == 0 and exchanges, head
    found = [event for event in events(runs, "ends") if event["type"] == "fault_found"]
    assert [(event["rank"], event["cause"]) for event in found] == [(1, "hang")], found


def goes_on_with_restarts(runs):
    launcher = runs.train("goes_on", 2, "--set", "parallel.hang_s=1")
    stop(runs, "goes_on", 0, 2, 1)
    runs.finish(launcher)
    assert "restarting as attempt 2" in runs.log(), runs.log()


def is_found_before_its_first_word(runs):
    """While it loads its libraries, or a little later, where it waits for the other."""
    launcher = runs.train("wordless", 2, "--set", f"parallel.hang_s={HANG_S}")
    os.kill(pid_of(launcher, 1), signal.SIGSTOP)
    line = wait_until("the hang to be found", lambda: next(
        (line for line in runs.log().splitlines() if line.startswith("zoetrope: rank 1 on ")), None))
    assert " hangs (stopped for " in line and " in starting" in line, line
    runs.finish(launcher)
    assert "restarting as attempt 2" in runs.log(), runs.log()


def goes_on_after(runs, kind, limit_s, slack_s=SLACK_S):
    """The main thread of rank 1 sleeps, or computes, for good in the middle of a pass."""
    launcher = runs.train(kind, 2, "--set", "parallel.hang_s=1")
    pid = at_step(runs, kind, 3, 1)
    stuck.make(pid, kind, lambda: is_in_a_judged_pass(runs, kind, 1))
    expect_found(runs, 1, kind, limit_s, slack_s, launcher)
    runs.finish(launcher)
    assert "restarting as attempt 2" in runs.log(), runs.log()


def is_in_a_judged_pass(runs, name, rank):
    """At a unit whose usual time is known: its limit is parallel.hang_s then, and not that of the unknown."""
    words = next(runs.root.glob(f"runs/{name}-*/attempts/*1/rank-{rank:05}.progress")).read_bytes()
    slot = 8 * (8 + 32 * (struct.unpack_from("<Q", words, 16)[0] % 2))
    activity, _, limit_s = struct.unpack_from("<QQd", words, slot + 8 * 17)
    return activity in (FORWARD, BACKWARD) and limit_s == 1


def are_left_alone_when_starved(runs):
    """A limit of one second, and so many others at work on each core that a rank gets one second of twenty."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(20 * os.cpu_count())]
    try:
        began = time.monotonic()
        runs.finish(runs.train("starved", 2, "--set", "parallel.hang_s=1"))
        print(f"starved ranks: {time.monotonic() - began:.0f} s", flush=True)
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert " hangs (" not in runs.log() and "restarting" not in runs.log(), runs.log()


def saves_when_its_launcher_was_stopped(runs):
    """For longer than a store may otherwise take to answer."""
    launcher = runs.train("stopped_launcher", 2, "--set", "checkpoint.every_steps=2", "--set", "validation.every_steps=0")
    at_step(runs, "stopped_launcher", 3)
    os.kill(launcher.pid, signal.SIGSTOP)
    runs.look_at_memory(launcher)
    time.sleep(7)
    os.kill(launcher.pid, signal.SIGCONT)
    runs.finish(launcher)
    assert "NOT saved" not in runs.log(), runs.log()
    assert list(runs.folder("stopped_launcher").glob("checkpoints/step-*12/manifest.json")), "the last step was not saved"


def main():
    with tempfile.TemporaryDirectory() as folder:
        root, programs = Path(folder), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Runs(programs, root)
        if "slow" in sys.argv:
            if stuck.CAN:
                goes_on_after(runs, "spinning", SPIN_TIMES * 1, slack_s=60)  # of its own time on a core
            saves_when_its_launcher_was_stopped(runs)
            are_left_alone_when_starved(runs)
        else:
            ends_without_restarts(runs)
            goes_on_with_restarts(runs)
            is_found_before_its_first_word(runs)
            if stuck.CAN:
                goes_on_after(runs, "asleep", 1)
        runs.check_nothing_is_left()


if __name__ == "__main__":
    main()
