# SPDX-License-Identifier: Apache-2.0
"""What is compared: configuration x stage x ranks x ZeRO stage, and which peers share like ours does there."""

import dataclasses

PEERS = {
    0: ("ddp", "deepspeed-0"),
    1: ("deepspeed-1",),
    2: ("deepspeed-2", "fsdp2-2"),
    3: ("deepspeed-3", "fsdp2-3"),
}
OURS_UNSHARDED = "ours-zero0"  # stands among the peers of ZeRO-3, in its default form: what full sharding costs us
BATCH = {"tiny64": 4, "quarter": 1}  # of stage 1, by all ranks together, at least one sample each
# What is encoded in every step. usual: ours trains from its warm cache, the peer runs VAE and CLIP, as both do by default;
# cached: neither encodes; encoded: both do (ours decodes the video too).
WORKS = ("usual", "cached", "encoded")


@dataclasses.dataclass(frozen=True)
class Cell:
    configuration: str  # bench/configs/NAME.yaml and bench/peer/configurations.py
    stage: int
    ranks: int
    zero_stage: int
    work: str

    @property
    def name(self):
        return f"{self.configuration}/stage{self.stage}/ranks{self.ranks}/zero{self.zero_stage}/{self.work}"

    @property
    def rank_batch(self):
        return max(1, BATCH[self.configuration] // self.ranks) if self.stage == 1 else 1

    @property
    def warm_up(self):
        """Steps of a fresh process of ours that do not count."""
        return 3 if self.configuration == "tiny64" else 1

    def timed_steps(self, pace_s):
        """Of one turn: about a second's worth, enough for a median and not too long for the others."""
        return min(6, max(2, round(1.2 / pace_s)))


def all_cells():
    return [Cell(configuration, stage, ranks, zero_stage, work) for configuration in BATCH for stage in (1, 2)
            for ranks in (2, 4) for work in WORKS for zero_stage in PEERS]
