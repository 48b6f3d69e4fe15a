#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What share/ says of the program: the shell's completion finds verbs, options and keys, and the man page names every verb.
Usage: share_test.py PROGRAM SHARE"""
import re
import subprocess
import sys
from pathlib import Path

PROGRAM, SHARE = Path(sys.argv[1]), Path(sys.argv[2])


def completed(*words):
    """What the last word may become."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _zoetrope; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", script, "complete", SHARE / "zoetrope.bash-completion", PROGRAM, *words],
                          capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def main():
    verbs = re.findall(r"^  ([a-z]+) ", subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True)
                       .stdout.split("Subcommands:")[1], re.M)
    assert len(verbs) > 5 and "train" in verbs, verbs
    assert completed("") == verbs, completed("")
    assert completed("t") == ["train"], completed("t")
    assert completed("data", "in") == ["ingest", "inspect"], completed("data", "in")
    assert completed("train", "--resu") == ["--resume"], completed("train", "--resu")
    assert completed("train", "--config", "job.yaml", "--ra") == ["--ranks"], "a file's name is no verb"
    assert completed("train", "--set", "data.train_b") == ["data.train_bs="], completed("train", "--set", "data.train_b")
    assert completed("data", "synth", "--set", "num_tra") == ["num_train="], completed("data", "synth", "--set", "num_tra")
    assert completed("plan", "--set", "parallel.zero_s") == ["parallel.zero_stage="], completed("plan", "--set", "parallel.zero_s")
    assert completed("[", "t") == ["train"] and completed(".*", "t") == ["train"], "a word is no pattern"
    assert completed("nonsense", "x") == [], completed("nonsense", "x")

    page = (SHARE / "zoetrope.1").read_text()
    named = re.findall(r"^\.TP\n\.B ([a-z]+)$", page, re.M)
    assert named and sorted(named) == sorted(verbs), f"man page: {sorted(set(named) ^ set(verbs))}"


if __name__ == "__main__":
    main()
