#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ranks that are killed, whichever, whenever and together: the launcher starts them again, the others live on in their
processes, and the run ends with the bits of one that nobody touched. Nothing is left behind.
Usage: recovery_test.py FOLDER_OF_PROGRAMS"""
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, descendants, is_sanitized
from ranks_test import Runs as RankRuns

STEPS = 12
LOADING, TRAINING = 1, 3  # phases of docs/formats/progress.md
PEER = ("--set", "checkpoint.memory_peer=true")
KILL_TO_STEP_S = 3
TINY64 = Path(__file__).resolve().parents[2] / "bench/configs/tiny64.yaml"


class Runs(RankRuns):
    def train(self, name, ranks, *more):
        return self.start("train", "--config", self.config, "--name", name, "--ranks", ranks, "--set", "lanes=2",
                          "--set", "data.train_bs=1", "--set", "threads=1", "--set", "checkpoint.memory_every_steps=1",
                          "--steps", STEPS, *more)

    def folder(self, name):
        return next(self.root.glob(f"runs/{name}-*"))


def progress(runs, name, rank):
    """Generation, pid, phase and finished steps of a rank; None before it has any."""
    for page in runs.root.glob(f"runs/{name}-*/attempts/*1/rank-{rank:05}.progress"):
        words = page.read_bytes()
        if len(words) == 4096 and (sequence := struct.unpack_from("<Q", words, 16)[0]) > 0:
            return struct.unpack_from("<qqQq", words, 8 * (8 + 32 * (sequence % 2)))
    return None


def wait_until(what, condition):
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.002)
    return value


def at_step(runs, name, step, rank=0, generation=1):
    """Waits until the rank has done so many steps in that generation or a later one. Returns its pid."""
    def there():
        state = progress(runs, name, rank)
        return state and state[0] >= generation and state[2] >= TRAINING and state[3] >= step and state[1]
    return wait_until(f"step {step} of rank {rank}", there)


def kill(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def pid_of(launcher, rank):
    """Of a rank, by its command line: it may not have published anything yet."""
    def find():
        for pid in descendants(launcher.pid):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if not words[0].endswith(b"zoetrope-worker"):  # the moment between fork and exec
                continue
            if b"train" in words and (b"--rank" not in words or words[words.index(b"--rank") + 1] == str(rank).encode()):
                return pid
        return None
    return wait_until(f"the process of rank {rank}", find)


def kill_to_next_step(runs, name, victim, step, generation, meanwhile=lambda: None):
    """Kills a rank after a step. Returns the step it was at, and the seconds until both have finished the next one, the
    other in the process that it was. `meanwhile` is called once the victim is dead: the run stands still."""
    pids = [at_step(runs, name, step, rank, generation) for rank in (0, 1)]
    kill(pids[victim])
    began = time.monotonic()
    step = progress(runs, name, victim)[3]
    meanwhile()
    for rank in (0, 1):
        at_step(runs, name, step + 1, rank, generation + 1)
    seconds = time.monotonic() - began
    assert progress(runs, name, 1 - victim)[1] == pids[1 - victim], "the other rank did not live on in its process"
    return step, seconds


def one_death(victim):
    def strike(runs, name, launcher):
        kill_to_next_step(runs, name, victim, 3, 1, meanwhile=lambda: runs.look_at_memory(launcher))
        wait_until("the word of a restore", lambda: "restored step" in runs.log() and "from memory" in runs.log())
    return strike


def kill_times(runs, kills, name="killed"):
    """Seconds from kill -9 to the next finished step at the size of bench/configs/tiny64.yaml, the victims taking turns."""
    launcher = runs.start("train", "--config", TINY64, "--name", name, "--ranks", 2, "--set", "lanes=2",
                          "--set", f"data.index={runs.config.parent}/index/index.jsonl", "--set", "data.train_bs=2",
                          "--set", "threads=1", "--set", "checkpoint.memory_every_steps=1", "--steps", 100000,
                          "--max-restarts", kills)
    step, times = 0, []
    for generation in range(1, kills + 1):
        victim = generation % 2
        step, seconds = kill_to_next_step(runs, name, victim, step + 5, generation)
        times.append(seconds)
        print(f"tiny64: rank {victim} killed after step {step}, next step finished after {seconds:.2f} s", flush=True)
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(DEADLINE_S) == 75, runs.log()
    return times


def is_soon_back_at_work(runs):
    """The fastest of two kills, once of three times: on a machine at work, ranks may wait that long for a core."""
    limit_s = KILL_TO_STEP_S * (4 if is_sanitized(runs.zoetrope.parent) else 1)
    best = [min(kill_times(runs, 2, name)) for name in ("killed",)]
    for name in ("struck", "slain"):
        if best[-1] < limit_s:
            return
        best.append(min(kill_times(runs, 2, name)))
    assert best[-1] < limit_s, f"seconds from kill -9 to the next step: {best}"


def lose_with_memory(victim):
    """The rank dies and its snapshots with it, as with a launcher of its own: its neighbour has them."""
    def strike(runs, name, launcher):
        pid = at_step(runs, name, 4, victim)
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        own, held = (int(words[words.index(option) + 1]) for option in (b"--memory-fd", b"--peer-fd"))
        launcher.send_signal(signal.SIGSTOP)
        try:
            kill(pid)
            wait_until("its end", lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
            for fd in (own, held):
                os.truncate(f"/proc/{launcher.pid}/fd/{fd}", 0)
        finally:
            launcher.send_signal(signal.SIGCONT)
        at_step(runs, name, 5, generation=2)
        wait_until("the word of a restore", lambda: f"rank {victim} peer (held by rank {1 - victim})" in runs.log())
        assert f"rank {1 - victim} memory" in runs.log(), runs.log()
    return strike


def both_at_once(runs, name, launcher):
    kill(*[at_step(runs, name, 3, rank) for rank in (0, 1)])


def during_a_save(runs, name, launcher):
    at_step(runs, name, 4)
    wait_until("a save", lambda: list(runs.folder(name).glob("checkpoints/*.zt-tmp.*")))
    kill(progress(runs, name, 0)[1])


def again_while_they_form(runs, name, launcher):
    kill(at_step(runs, name, 3, rank=1))
    dead = progress(runs, name, 1)[1]
    kill(wait_until("the next process", lambda: (pid := pid_of(launcher, 1)) != dead and pid))
    at_step(runs, name, 5, generation=3)


def while_loading(runs, name, launcher):
    wait_until("loading", lambda: (state := progress(runs, name, 1)) and state[2] == LOADING)
    kill(pid_of(launcher, 1))


def alone(runs, name, launcher):
    kill(at_step(runs, name, 3))
    at_step(runs, name, 4, generation=2)


def recover(runs, name, strike, wanted, ranks=2, *more):
    launcher = runs.train(name, ranks, *more)
    strike(runs, name, launcher)
    runs.finish(launcher)
    assert "restarting as attempt 2 (restart 1 of at most 3 in an hour)" in runs.log(), runs.log()
    assert runs.weights(name) == wanted, f"{name}: other weights than undisturbed"


def use_up_the_budget(runs):
    launcher = runs.train("budget", 2, "--max-restarts", 1)
    kill(at_step(runs, "budget", 2, rank=1))
    kill(at_step(runs, "budget", 4, rank=1, generation=2))
    assert launcher.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
    assert "not restarted: there were 1 restarts within 60 minutes" in runs.log(), runs.log()
    assert "rank 1 ended by signal 9" in runs.log(), runs.log()
    records = {path.name for path in runs.folder("budget").glob("attempts/1/flight-00000.*")}
    assert records == {"flight-00000.before-2.jsonl", "flight-00000.jsonl"}, f"of two losses: {records}"


def stop_and_kill(runs, name, pid):
    """-> The step after which the rank died."""
    os.kill(pid, signal.SIGSTOP)
    step = progress(runs, name, 0)[3]
    kill(pid)
    return step


def die_at_the_same_step(runs):
    """The launcher does not try what ended twice in the same way. A rank is killed after the same step twice, if this
    script gets a core in time; else once more from the start."""
    for name in ("guard", "guards", "guarding"):
        launcher = runs.train(name, 1, "--set", "checkpoint.memory_every_steps=0", "--set", "checkpoint.every_steps=4")
        ends = [stop_and_kill(runs, name, at_step(runs, name, 5))]
        ends.append(stop_and_kill(runs, name, at_step(runs, name, ends[0], generation=2)))
        if ends[0] == ends[1]:
            assert launcher.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
            assert f"has ended by signal 9 (Killed) after step {ends[0]} for the second time" in runs.log(), runs.log()
            return
        launcher.terminate()
        launcher.wait(DEADLINE_S)
    raise AssertionError("the second kill came too late three times")


def stop_while_they_form(runs, name, victim, wanted):
    """Ctrl-C meanwhile ends the run as resumable, with what memory held saved."""
    launcher = runs.train(name, 2, "--set", "checkpoint.every_steps=0")
    kill(at_step(runs, name, 3, rank=victim))
    wait_until("the restart", lambda: "restarting as attempt 2" in runs.log())
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(DEADLINE_S) == 75, runs.log()
    assert "once the ranks are back, the step is finished and saved" in runs.log(), runs.log()
    saved = [int(p.parent.name[5:]) for p in runs.folder(name).glob("checkpoints/step-*/manifest.json")]
    assert saved and saved[0] >= 3, f"saved: {saved}"
    runs.finish(runs.start("train", "--resume", name, "--ranks", 2))
    assert runs.weights(name) == wanted, "stopped: other weights than undisturbed"


def be_taken_over(runs, name, other, kills=0):
    """A newer launch, not of this launcher, has saved in the run's folder: all ranks end, and not after a minute. `other`: a
    run that has saved in launch kills + 2 or later."""
    saved = max(runs.folder(other).glob("checkpoints/step-*"))
    spare = shutil.copytree(saved, runs.root / name)
    launcher = runs.train(name, 2, "--set", "checkpoint.every_steps=8")
    for generation in range(1, kills + 1):
        kill(at_step(runs, name, generation, rank=1, generation=generation))
    at_step(runs, name, kills + 1, generation=kills + 1)
    spare.rename(runs.folder(name) / "checkpoints" / saved.name)
    began = time.monotonic()
    assert launcher.wait(DEADLINE_S) == 79, runs.log()
    assert time.monotonic() - began < 30, "the ranks waited for news of their own launcher"


def stop_at_once(runs):
    """Ctrl-C twice ends the ranks within seconds, one that cannot listen included."""
    launcher = runs.train("stopped_at_once", 2)
    at_step(runs, "stopped_at_once", 2)
    os.kill(at_step(runs, "stopped_at_once", 2, rank=1), signal.SIGSTOP)
    for _ in range(2):
        launcher.send_signal(signal.SIGINT)
        time.sleep(0.1)  # two of the same signal at once are one
    began = time.monotonic()
    assert launcher.wait(DEADLINE_S) == 130, runs.log()
    assert time.monotonic() - began < 8, "the second Ctrl-C took longer than its limit of 5 s"
    assert "stopping now" in runs.log(), runs.log()


def main():
    with tempfile.TemporaryDirectory() as folder:
        root, programs = Path(folder), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Runs(programs, root)
        is_soon_back_at_work(runs)
        runs.finish(runs.train("undisturbed", 2))
        wanted = runs.weights("undisturbed")
        for name, strike, *more in (
                ("first", one_death(0)), ("other", one_death(1)), ("both", both_at_once), ("saving", during_a_save),
                ("shared", one_death(1), 2, "--set", "parallel.zero_stage=3"), ("forming", again_while_they_form), ("loading", while_loading), ("alone", alone, 1),
                ("given", lose_with_memory(1), 2, *PEER), ("back", lose_with_memory(0), 2, *PEER, "--set", "parallel.zero_stage=3"),
                ("twins", lose_with_memory(1), 2, *PEER, "--set", "parallel.zero_stage=0"),
                ("disk", lambda r, n, p: kill(at_step(r, n, 5, rank=1)), 2, "--set", "checkpoint.memory_every_steps=0")):
            recover(runs, name, strike, wanted, *more)
        be_taken_over(runs, "taken", "first")
        be_taken_over(runs, "taken_later", "forming", kills=1)
        use_up_the_budget(runs)
        die_at_the_same_step(runs)
        stop_at_once(runs)
        for victim in (0, 1):
            stop_while_they_form(runs, f"stopped{victim}", victim, wanted)
        runs.check_nothing_is_left()


if __name__ == "__main__":
    main()
