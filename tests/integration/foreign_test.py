#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sample's DeepSpeed configuration, unchanged, trains on 2 and 4 ranks: as the same values said in our own words on
one process, bit for bit; and the run goes on without the file. Usage: foreign_test.py FOLDER_OF_PROGRAMS SAMPLE_YAML"""
import re
import sys
import tempfile
from pathlib import Path

from kill_test import Jobs
from ranks_test import Runs


def main():
    programs, sample = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        Jobs(programs, root).make_inputs()
        runs = Runs(programs, root)
        runs.finish(runs.train("own", "--set", "precision.mixed_precision=fp16"))
        wanted = runs.weights("own")
        runs.finish(runs.train("sample", "--accelerate", sample))
        assert "4 ranks" in runs.log(), runs.log()
        assert runs.weights("sample") == wanted, "4 ranks by the sample's file have other weights"
        runs.finish(runs.train("two", "--accelerate", sample, "--ranks", 2, "--steps", 6))
        text = next(runs.root.glob("runs/two-*/run.yaml")).read_text()
        assert re.search(r"zero_stage: 2 +# .*ds_config.yaml:8:deepspeed_config.zero_stage", text), text
        runs.finish(runs.start("train", "--resume", "two", "--ranks", 2, "--steps", 12))
        assert runs.weights("two") == wanted, "2 ranks, resumed without the file, have other weights"


if __name__ == "__main__":
    main()
