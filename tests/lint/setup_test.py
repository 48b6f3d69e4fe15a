#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/setup decides to fetch. Neither network nor packages are touched: `dpkg-query` says that everything is installed,
and a stand-in for Python notes which lists of pins pip is asked for. Usage: setup_test.py SOURCE_FOLDER"""
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PIP = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = -r ] && echo "$2" >>"$ASKED"; shift; done
"""


class Setup:
    def __init__(self, source, root):
        self.source, self.root = source, root
        tools = root / "tools"
        tools.mkdir()
        for name, text in (("python3", PIP), ("dpkg-query", "#!/bin/sh\necho install ok installed\n")):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ZT_DEPS_DIR": str(root / "deps"),
                            "ZT_CACHE_DIR": str(root / "cache"), "ASKED": str(root / "asked")}

    def stamp(self, cuda, old=False):
        """As an earlier call leaves it."""
        pins = ["pins.txt"] + (["pins-cuda.txt"] if cuda else [])
        text = b"".join((self.source / "scripts" / name).read_bytes() for name in pins) + (b"older" if old else b"")
        return f"{hashlib.sha256(text).hexdigest()} cuda={cuda}\n"

    def asked(self, stamp, *options):
        """The lists of pins that a call fetches, when the last one left this stamp."""
        deps, asked = self.root / "deps", self.root / "asked"
        deps.mkdir(exist_ok=True)
        (deps / ".torch-stamp").write_text(stamp)
        asked.write_text("")
        subprocess.run([self.source / "scripts/setup", "--no-pose", *options], env=self.environment, capture_output=True)
        return [Path(line).name for line in asked.read_text().split()]


def main():
    source = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(source, Path(folder))
        both = ["pins.txt", "pins-cuda.txt"]
        cases = [
            ("plain after plain", setup.stamp(0), (), []),
            ("plain after --cuda", setup.stamp(1), (), []),
            ("--cuda after plain", setup.stamp(0), ("--cuda",), both),
            ("--cuda after --cuda", setup.stamp(1), ("--cuda",), []),
            ("--no-cuda after --cuda", setup.stamp(1), ("--no-cuda",), ["pins.txt"]),
            ("plain after --cuda with older pins", setup.stamp(1, old=True), (), both),
            ("first call", "", (), ["pins.txt"]),
        ]
        for name, stamp, options, wanted in cases:
            found = setup.asked(stamp, *options)
            assert found == wanted, f"{name}: fetches {found}, wanted {wanted}"
    print(f"{len(cases)} decisions as they should be")


if __name__ == "__main__":
    main()
