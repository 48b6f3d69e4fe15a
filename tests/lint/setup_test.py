#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What scripts/setup decides to fetch and install. Neither network nor packages are touched: stand-ins for `dpkg-query`, `id`
and `sudo` say what is installed and who asks, and those for Python and apt-get note what they are asked for.
Usage: setup_test.py SOURCE_FOLDER"""
import hashlib
import os
import pty
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PIP = """#!/bin/sh
echo "$*" >>"$CALLS"
while [ $# -gt 0 ]; do [ "$1" = -r ] && echo "$2" >>"$ASKED"; shift; done
"""

APT_GET = """#!/bin/sh
echo "apt-get $* frontend=$DEBIAN_FRONTEND" >>"$CALLS"
"""
# As Debian's: without a terminal (-n) only who needs no password, and the caller's environment is left behind.
SUDO = """#!/bin/sh
case ${SUDO-never},$1 in never,*|password,-n) exit 1 ;; esac
[ "$1" != -n ] || shift
unset DEBIAN_FRONTEND
exec "$@"
"""


class Setup:
    def __init__(self, source, root):
        self.source, self.root = source, root
        tools = root / "tools"
        tools.mkdir()
        for name, text in (("python3", PIP), ("dpkg-query", "#!/bin/sh\necho ${DPKG-install ok installed}\n"),
                           ("apt-get", APT_GET), ("sudo", SUDO),
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

    def calls(self, *options, stdin=subprocess.DEVNULL, **environment):
        """Exit code, words, and what pip and apt-get were asked for, by a call from self.root that finds nothing unpacked."""
        (self.root / "deps/.torch-stamp").unlink(missing_ok=True)
        (self.root / "calls").write_text("")
        done = subprocess.run([self.source / "scripts/setup", "--no-pose", *options], capture_output=True, text=True,
                              stdin=stdin, cwd=self.root, env={**self.environment, **environment})
        return done.returncode, done.stderr, (self.root / "calls").read_text()


    def write_wheel(self, package, version, word):
        """As in the cache; of torch's files those that are unpacked, each with the word in it."""
        cache = self.root / "cache/downloads"
        cache.mkdir(parents=True, exist_ok=True)
        names = {"torch": ["torch/include/torch.h", "torch/lib/libtorch_cpu.so", "torch/lib/libc10.so", "torch/lib/libgomp.so.1",
                           f"torch-{version}.dist-info/licenses/LICENSE"],
                 "nvidia-cuda-cupti": ["nvidia/cu13/lib/libcupti.so.13"],
                 "nvidia-cuda-runtime": ["nvidia/cu13/lib/libcudart.so.13"]}[package]
        with zipfile.ZipFile(cache / f"{package.replace('-', '_')}-{version}-py3-none-any.whl", "w") as wheel:
            for name in names:
                wheel.writestr(name, word)


def check_network(setup):
    """--from is a folder of where the user stands."""
    (setup.root / "wheels").mkdir()
    _, _, calls = setup.calls("--from", "wheels")
    assert f"--no-index --find-links {setup.root.resolve()}/wheels" in calls and "apt-get" not in calls, calls
    code, words, calls = setup.calls("--from", "no-such")
    assert code == 2 and "--from no-such: there is no such folder" in words and not calls, (words, calls)
    _, _, calls = setup.calls()
    assert "--no-index" not in calls, calls
    _, _, calls = setup.calls(DPKG="unknown")
    assert "apt-get install -y" in calls and "zlib1g-dev" in calls, calls
    code, words, calls = setup.calls("--from", "wheels", DPKG="unknown")
    assert code == 1 and "no network (--from), and these packages are missing" in words, words
    assert "download" not in calls and "apt-get" not in calls, calls


def check_who_installs(setup):
    asked = "apt-get install -y -qq --no-install-recommends"
    code, words, calls = setup.calls(DPKG="unknown", ID="1000")
    assert code == 1 and "  sudo apt-get install -y --no-install-recommends" in words, words
    assert "download" not in calls and "apt-get" not in calls, calls
    code, words, calls = setup.calls(DPKG="unknown", ID="1000", SUDO="password")
    assert code == 1 and "apt-get" not in calls, (words, calls)
    terminal, end = pty.openpty()
    try:
        for case in ({}, {"ID": "1000", "SUDO": "free"}, {"ID": "1000", "SUDO": "password", "stdin": end}):
            _, words, calls = setup.calls(DPKG="unknown", **case)
            assert asked in calls and calls.count("frontend=noninteractive") == 2, (case, words, calls)
    finally:
        os.close(terminal)
        os.close(end)


def check_older_wheels_in_the_cache(setup):
    pins = dict(re.findall(r"^([a-z-]+)==(\S+) ", (setup.source / "scripts/pins.txt").read_text(), re.M))
    for package, version in pins.items():
        setup.write_wheel(package, "0.1", "older")
        setup.write_wheel(package, version, "pinned")
    code, words, _ = setup.calls()
    assert code == 0, words
    unpacked = [path for folder in ("torch", "nvidia") for path in (setup.root / "deps" / folder).rglob("*") if path.is_file()]
    assert len(unpacked) == 7 and all(path.read_text() == "pinned" for path in unpacked), unpacked


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
        check_network(setup)
        check_who_installs(setup)
        check_older_wheels_in_the_cache(setup)
    print(f"{len(cases)} decisions as they should be")


if __name__ == "__main__":
    main()
