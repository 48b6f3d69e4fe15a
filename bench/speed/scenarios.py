# SPDX-License-Identifier: Apache-2.0
"""What is compared: every configuration x number format x job."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Scenario:
    configuration: str  # bench/configs/NAME.yaml and bench/peer/configurations.py
    dtype: str
    job: str  # stage1, stage2, generate
    lanes: int  # ours: equal parts that the batch is cut into
    batch: int
    repetitions: int  # timed, after those that warm up
    warm_up: int
    denoising_steps: int  # of a generated clip

    @property
    def name(self):
        return f"{self.configuration}/{self.dtype}/{self.job}"

    @property
    def variants(self):
        """Of ours: training with warm caches, and with the encoders in every step."""
        return ("ours",) if self.job == "generate" else ("ours", "uncached")


def scenarios():
    # A clip takes the peer minutes at quarter width: 4 denoising steps there, and the first clip counts.
    for configuration, batch, lanes, steps, warm_up, clips_before, denoising in (
            ("tiny64", 4, 2, (30, 30), 3, 1, 10), ("quarter", 1, 1, (6, 4), 1, 0, 4)):
        for dtype in ("fp32", "bf16"):
            yield Scenario(configuration, dtype, "stage1", lanes, batch, steps[0], warm_up, denoising)
            yield Scenario(configuration, dtype, "stage2", 1, 1, steps[1], warm_up, denoising)
            yield Scenario(configuration, dtype, "generate", 1, 1, 1, clips_before, denoising)


SCENARIOS = list(scenarios())
