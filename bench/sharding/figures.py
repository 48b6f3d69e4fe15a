# SPDX-License-Identifier: Apache-2.0
"""From turns to medians, ratios and their intervals."""

import collections

from sharding.cells import OURS_UNSHARDED, PEERS
from speed.table import median, ratio_interval

TITLES = {
    "step_s": "Seconds of a step",
    "tensor_mb": "Most that tensors held, MB per rank (rank 0)",
    "pss_mb": "Proportional set size, MB per rank, largest of the samples",
    "sent_mb": "Sent to other ranks, MB per step (rank 0)",
    "loop_s": "Seconds from launch until the first step begins",
    "ready_s": "Seconds from launch to the first finished step",
    "blocked_s": "Seconds that a checkpoint blocks the steps",
    "saving_costs_s": "Seconds that a checkpoint adds to the steps until the next, blocking included",
    "killed_to_step_s": "Seconds from kill -9 of the last rank to the next finished step",
}
DIGITS = {"tensor_mb": 0, "pss_mb": 0, "sent_mb": 1}
STARTS = ("loop_s", "ready_s")
MOST = ("pss_mb",)  # the peak is asked for: the largest value of a side instead of its median
PSS_AIM = {"tiny64": 0.5, "quarter": 0.75}


def aim(cell, peer, quantity):
    """Of peer / ours."""
    if peer == OURS_UNSHARDED:
        is_recomputed = "gradient_checkpointing=true" in cell
        return 1 / (1.6 if is_recomputed else 1.3) if quantity == "step_s" else None
    if quantity == "pss_mb":
        return 1 / PSS_AIM[cell.split("/")[0]]
    return {"step_s": 1 / 0.8, "loop_s": 10.0, "ready_s": 10.0}.get(quantity)


def complete_rounds(lines, cell, verb, all_sides):
    """Rounds of a cell, named with its settings, in which every side had its turn."""
    sides = collections.defaultdict(set)
    for line in lines:
        if line["cell"] == cell and line["verb"] == verb:
            sides[line["round"]].add(line["side"])
    return sum(set(all_sides) <= seen for seen in sides.values())


def missing_turns(lines):
    """A sentence for each side that has fewer turns of a cell and verb in the store than ours: one that was cut off, or left out."""
    turns = collections.Counter((line["cell"], line["verb"], line["side"]) for line in lines if line["verb"] != "start")
    sentences = []
    for (cell, verb, side), number in sorted(turns.items()):
        if side != "ours":
            continue
        peers = PEERS[int(cell.split("/zero")[1][0])]
        sentences += [f"- {cell}, {verb}: {peer} had {turns[cell, verb, peer]} of {number} turns"
                      for peer in peers if turns[cell, verb, peer] < number]
    return "\n## Turns that are missing\n\n" + "\n".join(sentences) + "\n" if sentences else ""


def summarize(lines):
    """One row per cell, peer and quantity. Pairs are of one round; a peer's start, which `steps` has once for many rounds, is
    paired with the first round after it."""
    turns = collections.defaultdict(dict)
    for line in lines:
        turns[line["cell"], line["verb"], line["round"]][line["side"]] = line
    pairs = collections.defaultdict(list)
    started = {}
    for (cell, verb, _), sides in sorted(turns.items(), key=lambda item: item[0][2]):
        for name, theirs in sides.items():
            if verb == "start":
                started[cell, name] = {key: theirs[key] for key in STARTS if key in theirs}
            if name == "ours" or "ours" not in sides:
                continue
            our = sides["ours"]
            if verb == "steps" and (cell, name) in started:
                theirs = {**theirs, **started.pop((cell, name))}
            for quantity in TITLES:
                if theirs.get(quantity) and our.get(quantity):
                    pairs[cell, name, quantity].append((theirs[quantity], our[quantity]))
    return [row(*key, values) for key, values in sorted(pairs.items(), key=lambda item: (list(TITLES).index(item[0][2]), item[0]))]


def row(cell, peer, quantity, pairs):
    theirs, our = [v for pair in pairs for v in pair[0]], [v for pair in pairs for v in pair[1]]
    typical = max if quantity in MOST else median
    result = {"cell": cell, "peer": peer, "quantity": quantity, "rounds": len(pairs), "theirs": typical(theirs),
              "ours": typical(our), "aim": aim(cell, peer, quantity), "peer_over_ours": None, "low": None, "high": None}
    if quantity in MOST:
        result["peer_over_ours"] = max(theirs) / max(our)
    elif min(our) > 0 and min(theirs) > 0:
        result["peer_over_ours"], result["low"], result["high"] = ratio_interval(pairs)
    return result


def ratio_text(row):
    if row["peer_over_ours"] is None:
        return ""
    interval = "" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})"
    return f"{row['peer_over_ours']:.2f}{interval}" if row["peer_over_ours"] < 1000 else "over 1000"


def markdown(rows):
    """Best peer of a cell and quantity in bold."""
    best = {}
    for r in (r for r in rows if r["peer"] != OURS_UNSHARDED):
        key = r["cell"], r["quantity"]
        best[key] = min(best.get(key, r["theirs"]), r["theirs"])
    text = ""
    for quantity, title in TITLES.items():
        chosen = [r for r in rows if r["quantity"] == quantity]
        if not chosen:
            continue
        text += f"## {title}\n\n| cell | peer | rounds | peer's | ours | peer / ours, 95 % interval | aim |\n"
        text += "|---|---|---|---|---|---|---|\n"
        digits = DIGITS.get(quantity, 3)
        for r in chosen:
            name = f"**{r['peer']}**" if r["theirs"] == best.get((r["cell"], quantity)) else r["peer"]
            aimed = "" if r["aim"] is None else f"{r['aim']:.2f}"
            text += (f"| {r['cell']} | {name} | {r['rounds']} | {r['theirs']:.{digits}f} | {r['ours']:.{digits}f} | "
                     f"{ratio_text(r)} | {aimed} |\n")
        text += "\n"
    return text.rstrip("\n") + "\n"
