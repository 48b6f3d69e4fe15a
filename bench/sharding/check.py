# SPDX-License-Identifier: Apache-2.0
"""Proof that every peer trains the same thing: on 2 and 4 ranks its losses and gradient norms are those of one process that does
the ranks' batches in turn from the same weights and random numbers."""

import json
import subprocess
import sys
import tempfile

from sharding.cells import PEERS
from sharding.peer import PROGRAM

STEPS = 4
TOLERANCE = 1e-5  # relative: sums of fp32 in another order; a gradient summed instead of averaged is off by 2
ENVIRONMENT = ("OMP_NUM_THREADS=1", "OMP_WAIT_POLICY=passive", "DS_ACCELERATOR=cpu", "PYTHONWARNINGS=ignore")


def train(options, engine, ranks, folder):
    """-> per step (mean loss, norm), and the number of parameters that train."""
    python = [options.peer_python]
    if engine != "single":
        python += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", ranks]
    command = ["env", *ENVIRONMENT, *python, PROGRAM, "--engine", engine, "--parts", ranks, "--stage", options.stage,
               "--steps", STEPS, "--report", folder]
    finished = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"{engine} on {ranks} ranks:\n{finished.stderr[-3000:]}")
    reports = []
    for rank in range(1 if engine == "single" else ranks):
        with open(f"{folder}/rank-{rank}.jsonl") as lines:
            reports.append([json.loads(line) for line in lines])
    steps = [(sum(line["loss"] for line in lines) / len(lines), lines[0]["norm"])
             for lines in zip(*(report[1:] for report in reports))]
    return steps, reports[0][0]["trained_parameters"]


def difference(values, expected):
    return max(abs(value - wanted) / abs(wanted) for value, wanted in zip(values, expected))


def run(options):
    failures = 0
    for ranks in (2, 4):
        with tempfile.TemporaryDirectory() as folder:
            expected, parameters = train(options, "single", ranks, f"{folder}/single")
            print(f"one process, {ranks} parts: {parameters} parameters train, losses "
                  + " ".join(f"{loss:.6f}" for loss, _ in expected), flush=True)
            for engine in (name for names in PEERS.values() for name in names if not options.sides or name in options.sides):
                steps, theirs = train(options, engine, ranks, f"{folder}/{engine}")
                losses = difference(*([loss for loss, _ in run] for run in (steps, expected)))
                # DeepSpeed without ZeRO clips by torch and keeps the norm to itself.
                norms = difference(*([norm for _, norm in run] for run in (steps, expected))) if steps[0][1] else None
                is_same = theirs == parameters and max(losses, norms or 0) <= TOLERANCE
                failures += not is_same
                print(f"  {engine:12} {'same' if is_same else 'DIFFERENT'}: losses within {losses:.1e}, gradient norms "
                      f"{'not shown' if norms is None else f'within {norms:.1e}'}, {theirs} parameters", flush=True)
    if failures:
        sys.exit(f"bench/ranks: {failures} peers train something else")
