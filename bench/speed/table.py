# SPDX-License-Identifier: Apache-2.0
"""From raw runs to medians, ratios and their intervals."""

import collections
import math
import random

RESAMPLES = 2000
AIMS = {("train", "ours"): 2.0, ("train", "uncached"): 1.3, ("generate", "ours"): 2.0}
START_AIM = 10.0
MEMORY_AIM = {"tiny64": 0.5, "quarter": 0.75}


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def mean_interval(ratios):
    """Of the geometric mean of one ratio a round: rounds are drawn with replacement, 2.5 to 97.5 %."""
    draws = random.Random(0)
    means = sorted(geometric_mean(draws.choices(ratios, k=len(ratios))) for _ in range(2000))
    return means[50], means[1949]


def ratio_interval(pairs, seed=1):
    """pairs: per round (peer's values, ours). -> (ratio, low, high): the ratio of the two medians of a round, geometric mean
    over rounds; 95 % interval by bootstrap: rounds are drawn with replacement, and inside a round the values of each side.
    One value of each side alone has no interval: low and high are None."""
    draw = random.Random(seed)

    def ratio(rounds, resamples):
        again = (lambda values: draw.choices(values, k=len(values))) if resamples else (lambda values: values)
        return geometric_mean([median(again(theirs)) / median(again(our)) for theirs, our in rounds])

    if all(len(theirs) == len(our) == 1 for theirs, our in pairs) and len(pairs) == 1:
        return ratio(pairs, False), None, None
    drawn = sorted(ratio(draw.choices(pairs, k=len(pairs)), True) for _ in range(RESAMPLES))
    return ratio(pairs, False), drawn[int(0.025 * RESAMPLES)], drawn[int(0.975 * RESAMPLES)]


def summarize(lines):
    """One row per scenario, variant of ours and quantity (step or clip, start, memory)."""
    runs = collections.defaultdict(dict)
    for line in lines:
        runs[line["scenario"], line["round"]][line["side"]] = line
    rounds = collections.defaultdict(list)
    for (scenario, _), sides in runs.items():
        for side in sides:
            if side != "peer" and "peer" in sides:
                rounds[scenario, side].append((sides["peer"], sides[side]))
    rows = []
    for (scenario, side), pairs in rounds.items():
        configuration, _, job = scenario.split("/")
        step_aim = AIMS["generate" if job == "generate" else "train", side]
        start_aim = None if job == "generate" else START_AIM  # a first video is mostly the generation itself
        for quantity, aim in (("seconds", step_aim), ("ready_s", START_AIM), ("start_s", start_aim),
                              ("peak_mb", 1 / MEMORY_AIM[configuration])):
            values = [tuple(run[quantity] if quantity == "seconds" else [run[quantity]] for run in pair)
                      for pair in pairs if all(quantity in run for run in pair)]
            if not values:
                continue
            ratio, low, high = ratio_interval(values)
            rows.append({"scenario": scenario, "side": side, "quantity": quantity, "rounds": len(values),
                         "peer": median([v for theirs, _ in values for v in theirs]),
                         "ours": median([v for _, our in values for v in our]),
                         "peer_over_ours": ratio, "low": low, "high": high, "aim": aim,
                         "best_over_best": min(min(t) for t, _ in values) / min(min(our) for _, our in values)})
    return sorted(rows, key=lambda row: (row["quantity"] != "seconds", row["quantity"], row["scenario"], row["side"]))


TITLES = {"seconds": "Seconds of a step or a clip", "ready_s": "Seconds from process start until the first step begins",
          "start_s": "Seconds from process start to the first step or video",
          "peak_mb": "Peak resident memory, MB"}


def markdown(rows):
    text = ""
    for quantity, title in TITLES.items():
        text += f"## {title}\n\n| scenario | side | rounds | peer | ours | peer / ours, 95 % interval | best / best | aim |\n"
        text += "|---|---|---|---|---|---|---|---|\n"
        for row in rows:
            if row["quantity"] != quantity:
                continue
            digits = 0 if quantity == "peak_mb" else 3 if row["ours"] < 1 else 2
            interval = "one pair" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}"
            aim = "" if row["aim"] is None else f"{row['aim']:.2f}"
            text += (f"| {row['scenario']} | {row['side']} | {row['rounds']} | {row['peer']:.{digits}f} | "
                     f"{row['ours']:.{digits}f} | {row['peer_over_ours']:.2f} ({interval}) | "
                     f"{row['best_over_best']:.2f} | {aim} |\n")
        text += "\n"
    return text.rstrip("\n") + "\n"
