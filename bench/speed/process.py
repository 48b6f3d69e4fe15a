# SPDX-License-Identifier: Apache-2.0
"""Runs a program and takes its time and memory from the operating system."""

import os
import subprocess
import sys
import tempfile
import time


def run(command, threads):
    """-> (standard output, Unix time of the start, seconds, most MB resident in one of its processes)."""
    # Each side waits as it does by itself: libgomp's threads spin for long, zoetrope's briefly, if the machine is free.
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    environment.pop("OMP_WAIT_POLICY", None)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.time()
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.time() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            sys.exit(f"bench/compare: {command[0]} ended with {process.returncode}:\n{errors.read().decode()[-2000:]}")
        return output.read().decode(), start, seconds, usage.ru_maxrss / 1024
