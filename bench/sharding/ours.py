# SPDX-License-Identifier: Apache-2.0
"""`zoetrope train --ranks N`: a fresh run each turn, measured from its run folder."""

import shutil
import signal
import subprocess
import time

from sharding import processes
from sharding.processes import MB
from speed import ours as one_process
from speed.scenarios import Scenario

TIMEOUT_S = 300


def scenario_of(cell):
    return Scenario(configuration=cell.configuration, dtype="fp32", job=f"stage{cell.stage}", lanes=cell.ranks,
                    batch=cell.rank_batch * cell.ranks, repetitions=0, warm_up=0, denoising_steps=0)


def prepare(cell, options):
    """Videos, their index, and a cache that is warm for this stage."""
    scenario = scenario_of(cell)
    one_process.prepare(scenario, options)
    marker = one_process.folder(scenario, options) / f"cache-stage{cell.stage}-is-warm"
    if not marker.exists():
        command = one_process.train_command(scenario, options, ("cache.build_ahead", "true"), ("max_train_steps", 1))
        subprocess.run([str(word) for word in command], check=True)
        marker.touch()


class Ours:
    """One run. `settings`: further --set KEY=VALUE. Snapshots in memory are on where checkpoints are: the peers have none."""

    def __init__(self, cell, options, place, steps, save_every=0, settings=()):
        self.cell, self.options = cell, options
        place.mkdir(parents=True)
        self.log, self.runs = place / "log", place / "runs"
        self.command = one_process.train_command(
            scenario_of(cell), options, ("output_dir", self.runs), ("max_train_steps", steps),
            ("parallel.zero_stage", cell.zero_stage), ("checkpoint.every_steps", save_every),
            *([] if save_every else [("checkpoint.memory_every_steps", 0)]),
            ("cache.enable", "false" if cell.work == "encoded" else "true"),
            *(setting.split("=", 1) for setting in settings)) + ["--ranks", cell.ranks]
        self.begin = time.time()
        self.process = processes.start(self.command, self.log, {})

    def rows(self):
        """Finished steps, of all attempts."""
        rows = [row for path in self.runs.glob("*/metrics/*.seg") for row in one_process.read_metrics(path)]
        return sorted(rows, key=lambda row: row["time"])

    @property
    def loop_s(self):
        """Launch until the first step began."""
        first = self.rows()[0]
        return first["time"] - first["time/step_s"] - self.begin

    def rank_pids(self):
        """By rank."""
        ranks = {}
        for pid in processes.descendants(self.process.pid):
            words = processes.command_line(pid)
            if "--rank" in words:
                ranks[int(words[words.index("--rank") + 1])] = pid
        return [pid for _, pid in sorted(ranks.items())]

    def wait_for_steps(self, count):
        processes.wait_until(lambda: len(self.rows()) >= count, TIMEOUT_S, self.process, self.log)

    def memory(self):
        """Of the ranks, stopped for the moment that reading takes."""
        ranks = self.rank_pids()
        processes.send(ranks, signal.SIGSTOP)
        try:
            return {"pss_mb": [processes.pss_mb(processes.descendants(self.process.pid)) / self.cell.ranks],
                    "launcher_pss_mb": [processes.pss_mb([self.process.pid])]}
        finally:
            processes.send(ranks, signal.SIGCONT)

    def saves(self):
        return [row["time/save_s"] for row in self.rows() if row.get("time/save_s", 0) > 0]

    def kill_last_rank(self):
        """-> (Unix time, a function that gives the time of the first step finished since, or None)."""
        victim = self.rank_pids()[-1]
        processes.send([victim], signal.SIGKILL)
        killed = time.time()

        def next_step():
            if self.process.poll() is not None:  # the launcher gave up: do what its user would
                self.process = processes.start([self.options.bin / "zoetrope", "train", "--resume",
                                                next(self.runs.iterdir()), "--ranks", self.cell.ranks], self.log, {})
            return next((row["time"] for row in self.rows() if row["time"] > killed), None)

        return killed, next_step

    def close(self):
        processes.end(self.process, grace_s=10)


def turn(cell, options, place, pace_s, draw, settings=()):
    """One fresh run of warm-up and timed steps, and one more in which memory is looked at."""
    timed = cell.timed_steps(pace_s)
    run = Ours(cell, options, place, cell.warm_up + timed + 2, settings=settings)
    try:
        run.wait_for_steps(cell.warm_up + timed + 1)
        rows = run.rows()
        paces = [after["time"] - row["time"] for row, after in zip(rows, rows[1:])]
        time.sleep(draw.random() * paces[-1] * 0.8)
        loop_s = run.loop_s
        result = run.memory()
        run.process.wait(TIMEOUT_S)
    finally:
        run.close()
    shutil.rmtree(place)
    return {
        "step_s": paces[cell.warm_up:cell.warm_up + timed],
        "sent_mb": [rows[-1].get("comm/sent_bytes", 0) / MB],
        "tensor_mb": [rows[-1]["memory/peak_tensor_bytes"] / MB],
        "loop_s": [loop_s],
        "ready_s": [rows[0]["time"] - run.begin],
        **result,
    }
