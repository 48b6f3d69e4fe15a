#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs command-line transcripts and compares what the program did with what the transcript says.

A case file (cases/*.case) is one session in a fresh folder, which holds a copy of index.jsonl (an index of one clip,
"walk" of the split "train", whose files are not there) and nothing else:

    # a comment
    $ zoetrope runs ls          a command for sh; `zoetrope` is the program under test
    > text                      a line of standard output
    ! text                      a line of standard error
    ? 66                        the exit code, when it is not 0

$SOURCE is the source tree. In expected lines `*` stands for any text, and a line `...` for any number of lines. Everything else is literal.
Usage: run_cases.py --program PATH [--worker PATH] CASE...
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

TIMEOUT_S = 60
HERE = os.path.dirname(os.path.abspath(__file__))
INDEX = os.path.join(HERE, "index.jsonl")


class Step:
    def __init__(self, command, line):
        self.command, self.line = command, line
        self.out, self.err, self.code = [], [], 0


def parse(path):
    steps = []
    for number, text in enumerate(open(path, encoding="utf-8"), 1):
        text = text.rstrip("\n")
        if not text.strip() or text.startswith("#"):
            continue
        mark, rest = text[0], text[2:]
        if mark == "$":
            steps.append(Step(rest, number))
        elif mark in ">!?" and steps:
            if mark == "?":
                steps[-1].code = int(rest)
            else:
                (steps[-1].out if mark == ">" else steps[-1].err).append(rest)
        else:
            raise SystemExit(f"{path}:{number}: a line starts with '$ ', '> ', '! ', '? ' or '#'")
    return steps


def line_matches(wanted, found):
    pattern = re.escape(wanted).replace(r"\*", ".*")
    return re.fullmatch(pattern, found) is not None


def lines_match(wanted, found):
    if not wanted:
        return not found
    if wanted[0] == "...":
        return any(lines_match(wanted[1:], found[i:]) for i in range(len(found) + 1))
    return bool(found) and line_matches(wanted[0], found[0]) and lines_match(wanted[1:], found[1:])


def run_case(path, environment):
    """The differences found, as text; empty if the case holds."""
    problems = []
    with tempfile.TemporaryDirectory(prefix="zt-case-") as folder:
        shutil.copy(INDEX, folder)
        for step in parse(path):
            done = subprocess.run(["sh", "-c", step.command], cwd=folder, env=environment, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
            wrong = []
            if done.returncode != step.code:
                wrong.append(f"  exit code {done.returncode}, wanted {step.code}")
            for name, wanted, text in (("stdout", step.out, done.stdout), ("stderr", step.err, done.stderr)):
                if not lines_match(wanted, text.splitlines()):
                    wrong.append(f"  {name} wanted:\n" + "".join(f"    |{line}\n" for line in wanted) +
                                 f"  {name} found:\n" + "".join(f"    |{line}\n" for line in text.splitlines()))
            if wrong:
                problems.append(f"{path}:{step.line}: $ {step.command}\n" + "\n".join(wrong))
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--worker", help="stands in for zoetrope-worker")
    parser.add_argument("cases", nargs="+")
    options = parser.parse_args()
    environment = dict(os.environ, LC_ALL="C.UTF-8", TERM="dumb", SOURCE=os.path.dirname(os.path.dirname(HERE)),
                       PATH=os.path.dirname(os.path.abspath(options.program)) + ":" + os.environ["PATH"])
    environment.pop("NO_COLOR", None)
    if options.worker:
        environment["ZT_WORKER"] = os.path.abspath(options.worker)
    failed = 0
    for path in options.cases:
        problems = run_case(path, environment)
        failed += bool(problems)
        print("FAILED" if problems else "ok    ", os.path.basename(path))
        for problem in problems:
            print(problem)
    print(f"{len(options.cases) - failed} of {len(options.cases)} cases hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
