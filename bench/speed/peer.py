# SPDX-License-Identifier: Apache-2.0
"""One process of the peer, measured."""

import json
import pathlib

from speed import process

PROGRAM = pathlib.Path(__file__).resolve().parent.parent / "peer/peer.py"


def run(scenario, options):
    """seconds: of each repetition; start_s: process start to the first one done; ready_s: to its beginning; peak_mb: resident."""
    job = ["generate", "--repeats", scenario.warm_up + scenario.repetitions,
           "--denoising-steps", scenario.denoising_steps]
    if scenario.job != "generate":
        job = ["train", "--stage", scenario.job[-1], "--steps", scenario.warm_up + scenario.repetitions - 1]
    output, _, _, peak_mb = process.run(
        [options.peer_python, PROGRAM, *job, "--configuration", scenario.configuration, "--dtype", scenario.dtype,
         "--threads", options.threads], options.threads)
    result = json.loads(output.splitlines()[-1])
    return {"seconds": result["seconds"][scenario.warm_up:], "start_s": result["first_done_s"],
            "ready_s": result["ready_s"], "peak_mb": peak_mb}
