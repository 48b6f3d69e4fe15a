# SPDX-License-Identifier: Apache-2.0
"""The two measurements of a cell: steps in turns, and what happens around them (start, checkpoints, a killed rank).

Both yield one line per turn, a dictionary of quantity -> values, so that what was measured stays when the rest is cut off."""

import contextlib
import dataclasses
import pathlib
import random
import shutil
import tempfile
import time

from sharding import ours, processes
from sharding.cells import OURS_UNSHARDED, PEERS
from sharding.peer import Peer

SAVE_EVERY = 5
SAVES = 4
RECOVERY_TIMEOUT_S = 180


@contextlib.contextmanager
def scratch(options):
    options.work.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ranks-", dir=options.work))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def chosen_sides(cell, options, verb):
    compares_itself = verb == "steps" and cell.zero_stage == 3
    sides = ["ours", *PEERS[cell.zero_stage], *([OURS_UNSHARDED] if compares_itself else [])]
    return [side for side in sides if not options.sides or side in options.sides]


def steps(cell, options, rounds):
    """Peers keep running and are stopped outside their turns; ours, which starts in a second, is a fresh run each turn. Who is
    first alternates."""
    draw = random.Random(time.time_ns())
    with scratch(options) as folder, contextlib.ExitStack() as running:
        peers = []
        sides = chosen_sides(cell, options, "steps")
        for name in (side for side in sides if side in PEERS[cell.zero_stage]):
            peer = Peer(name, cell, options, folder / name)
            running.callback(peer.close)
            peer.stop()
            yield {"verb": "start", "side": name, "round": time.time(), "loop_s": [peer.loop_s], "ready_s": [peer.ready_s],
                   "trained_parameters": peer.lines()[0]["trained_parameters"]}
            peers.append(peer)
        pace_s = 0.3 if cell.configuration == "tiny64" else 3.0
        for number in range(rounds):
            round_id = time.time()
            turns = {peer.name: lambda peer=peer: peer.turn(draw) for peer in peers}
            turns["ours"] = lambda: ours.turn(cell, options, folder / f"ours-{number}", pace_s, draw, options.set)
            turns[OURS_UNSHARDED] = lambda: ours.turn(dataclasses.replace(cell, zero_stage=0), options,
                                                      folder / f"unsharded-{number}", pace_s, draw)
            for side in reversed(sides) if number % 2 else sides:
                result = turns[side]()
                yield {"side": side, "round": round_id, **result}
                if side == "ours":
                    pace_s = min(result["step_s"])


def around(cell, options, rounds):
    """A fresh program each turn, both sides alike: start, some checkpoints, a rank killed, the next step."""
    sides = chosen_sides(cell, options, "around")
    for number in range(rounds):
        round_id = time.time()
        for side in reversed(sides) if number % 2 else sides:
            with scratch(options) as folder:
                if side == "ours":
                    run = ours.Ours(cell, options, folder / "run", 10**6, SAVE_EVERY, options.set)
                else:
                    run = Peer(side, cell, options, folder / "run", SAVE_EVERY)
                yield {"side": side, "round": round_id, **life(run)}


def life(run):
    """What happens to one run of either side."""
    try:
        run.wait_for_steps(SAVE_EVERY * SAVES + 2)
        ends = [row["time"] for row in run.rows()]
        saves = run.saves()
        killed, next_step = run.kill_last_rank()
        deadline = time.monotonic() + RECOVERY_TIMEOUT_S
        while (done := next_step()) is None and time.monotonic() < deadline:
            time.sleep(processes.POLL_S)
        return {"loop_s": [run.loop_s], "ready_s": [ends[0] - run.begin], "blocked_s": saves, "saving_costs_s": [cost_of_a_save(ends)],
                "killed_to_step_s": [done - killed] if done else [], "recovers": done is not None}
    finally:
        run.close()


def cost_of_a_save(ends):
    """What a checkpoint adds to the time of the steps until the next one: against the steps before the first."""
    alone = (ends[SAVE_EVERY - 1] - ends[1]) / (SAVE_EVERY - 2)
    with_saves = (ends[SAVE_EVERY * SAVES - 1] - ends[SAVE_EVERY - 1]) / (SAVE_EVERY * (SAVES - 1))
    return (with_saves - alone) * SAVE_EVERY
