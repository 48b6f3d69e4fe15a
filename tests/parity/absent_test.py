#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a folder lacks is no success: such checks are absent, and a folder that allows none fails.
Usage: absent_test.py ZT_PARITY FOLDER_OF_TENSORS"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def check(program, tensors, files):
    """Exit code and lines for a folder that has the manifest and these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("MANIFEST.json", *files):
            shutil.copy(tensors / name, folder)
        run = subprocess.run([program, folder], capture_output=True, text=True, timeout=120)
        return run.returncode, run.stdout.splitlines()


def main():
    program, tensors = sys.argv[1], Path(sys.argv[2])

    code, lines = check(program, tensors, ["context_windows.json"])
    verdicts = [line.split()[-1] for line in lines[1:-1]]
    assert code == 0, lines
    assert verdicts.count("ok") == 1 and set(verdicts) == {"ok", "absent"}, lines
    assert lines[-1] == f"{len(verdicts)} checks: 1 passed, 0 failed, {len(verdicts) - 1} absent", lines

    code, lines = check(program, tensors, [])
    assert code == 1, lines
    count = len(lines) - 2
    assert lines[-1] == f"{count} checks: 0 passed, 0 failed, {count} absent: nothing was compared", lines


if __name__ == "__main__":
    main()
