# SPDX-License-Identifier: Apache-2.0
"""The peer's ranks under torchrun: one program for many turns, stopped between them."""

import json
import pathlib
import signal
import time

from sharding import processes
from sharding.processes import MB

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "peer/ranks.py"
# The first start of DeepSpeed compiles an extension for a minute or two.
START_TIMEOUT_S = 400
RESTARTS = 3
ENVIRONMENT = {
    "DS_ACCELERATOR": "cpu", "PYTHONWARNINGS": "ignore", "TORCH_CPP_LOG_LEVEL": "ERROR",
    # torchrun 2.13 keeps its store over restarts, with the addresses of the dead ranks in it, and Gloo then connects to those.
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
}


class Peer:
    def __init__(self, engine, cell, options, place, save_every=0):
        self.name, self.cell, self.place = engine, cell, place
        place.mkdir(parents=True)
        self.log = place / "log"
        command = [options.peer_python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", cell.ranks,
                   "--max-restarts", RESTARTS, PROGRAM, "--engine", engine, "--configuration", cell.configuration,
                   "--stage", cell.stage, "--batch", cell.rank_batch, "--save-every", save_every, "--report", place,
                   "--allocator", pathlib.Path(options.peer_python).parent.parent / "lib/counting_allocator.so"]
        if cell.work == "cached":
            command.append("--cached")
        self.begin = time.time()
        self.process = processes.start(command, self.log, ENVIRONMENT)
        try:
            self.wait_for_steps(1, START_TIMEOUT_S)
        except BaseException:
            self.close()
            raise
        self.loop_s = self.lines()[0]["time"] - self.begin
        self.ready_s = self.rows()[0]["time"] - self.begin

    def lines(self, rank=0):
        path = self.place / f"rank-{rank}.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]

    def rows(self):
        """Finished steps of rank 0."""
        return [line for line in self.lines() if "step" in line]

    def rank_pids(self):
        return [[line["pid"] for line in self.lines(rank) if "pid" in line][-1] for rank in range(self.cell.ranks)]

    def wait_for_steps(self, count, timeout_s=300):
        processes.wait_until(lambda: len(self.rows()) >= count, timeout_s, self.process, self.log)

    def turn(self, draw):
        """Goes on for one turn and stops at a random point of a step. The step that the last stop cut in two does not count."""
        before = self.rows()
        pace = (before[-1]["time"] - before[-2]["time"]) if len(before) > 1 else 1.0
        ranks = self.rank_pids()
        processes.send(ranks, signal.SIGCONT)
        try:
            self.wait_for_steps(len(before) + 2)
            rows = self.rows()
            pace = rows[-1]["time"] - rows[-2]["time"]
            self.wait_for_steps(len(before) + 1 + self.cell.timed_steps(pace))
            time.sleep(draw.random() * pace)
        finally:
            processes.send(ranks, signal.SIGSTOP)
        rows = self.rows()[len(before):]
        return {
            "step_s": [after["time"] - row["time"] for row, after in zip(rows, rows[1:])],
            "sent_mb": [(rows[-1]["sent_bytes"] - rows[0]["sent_bytes"]) / (len(rows) - 1) / MB],
            "tensor_mb": [rows[-1]["tensor_peak_bytes"] / MB],
            "pss_mb": [sum(processes.pss_mb([pid, *processes.descendants(pid)]) for pid in ranks) / len(ranks)],
            "launcher_pss_mb": [processes.pss_mb([self.process.pid])],
        }

    def stop(self):
        processes.send(self.rank_pids(), signal.SIGSTOP)

    def saves(self):
        return [row["save_s"] for row in self.rows() if row["save_s"] is not None]

    def kill_last_rank(self):
        """-> (Unix time, a function that says whether a step was finished since)."""
        victim = self.rank_pids()[-1]
        attempts = sum("pid" in line for line in self.lines())
        processes.send([victim], signal.SIGKILL)
        killed = time.time()

        def next_step():
            lines = self.lines()
            starts = [i for i, line in enumerate(lines) if "pid" in line]
            return lines[starts[attempts] + 1]["time"] if len(starts) > attempts and len(lines) > starts[attempts] + 1 else None

        return killed, next_step

    def close(self):
        processes.end(self.process)
