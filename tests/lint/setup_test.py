#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/setup decides to fetch and install. Neither network nor packages are touched: stand-ins for `dpkg-query`, `id`
and `sudo` say what is installed and who asks, and those for Python and apt-get note what they are asked for.
Usage: setup_test.py SOURCE_FOLDER"""
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PIP = """#!/bin/sh
echo "$*" >>"$CALLS"
while [ $# -gt 0 ]; do [ "$1" = -r ] && echo "$2" >>"$ASKED"; shift; done
"""


class Setup:
    def __init__(self, source, root):
        self.source, self.root = source, root
        tools = root / "tools"
        tools.mkdir()
        for name, text in (("python3", PIP), ("dpkg-query", "#!/bin/sh\necho ${DPKG-install ok installed}\n"),
                           ("apt-get", '#!/bin/sh\necho "apt-get $*" >>"$CALLS"\n'), ("sudo", "#!/bin/sh\nexit 1\n"),
                           ("id", "#!/bin/sh\necho ${ID-0}\n")):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ZT_DEPS_DIR": str(root / "deps"),
                            "ZT_CACHE_DIR": str(root / "cache"), "ASKED": str(root / "asked"), "CALLS": str(root / "calls")}

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


    def calls(self, *options, **environment):
        """Exit code, words, and what pip and apt-get were asked for, by a call that finds nothing unpacked."""
        (self.root / "deps/.torch-stamp").unlink(missing_ok=True)
        (self.root / "calls").write_text("")
        done = subprocess.run([self.source / "scripts/setup", "--no-pose", *options], capture_output=True, text=True,
                              env={**self.environment, **environment})
        return done.returncode, done.stderr, (self.root / "calls").read_text()


def check_packages_and_network(setup):
    _, _, calls = setup.calls("--from", "wheels")
    assert "--no-index --find-links wheels" in calls and "apt-get" not in calls, calls
    _, _, calls = setup.calls()
    assert "--no-index" not in calls, calls
    _, _, calls = setup.calls(DPKG="unknown")
    assert "apt-get install -y" in calls and "zlib1g-dev" in calls, calls
    code, words, calls = setup.calls("--from", "wheels", DPKG="unknown")
    assert code == 1 and "no network (--from), and these packages are missing" in words, words
    assert "download" not in calls and "apt-get" not in calls, calls
    code, words, calls = setup.calls(DPKG="unknown", ID="1000")
    assert code == 1 and "  apt-get install -y --no-install-recommends" in words, words
    assert "download" not in calls and "apt-get" not in calls, calls


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
        check_packages_and_network(setup)
    print(f"{len(cases)} decisions as they should be")


if __name__ == "__main__":
    main()
