#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how long `zoetrope --help` and `--version` take from start to exit, and fails above a generous limit, or if the
program loads FFmpeg, which alone takes more than the aim.

The aim is 10 ms on a quiet machine; the limit allows for a busy one. Usage: start_time.py PROGRAM [LIMIT_MS]
"""
import os
import subprocess
import sys
import time

RUNS = 15


def fastest_ms(command):
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1e3)
    return min(times)


def loads_ffmpeg(program):
    libraries = subprocess.run([program], env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}, check=True,
                               capture_output=True, text=True).stdout
    assert "libc.so" in libraries, libraries
    return "libavcodec" in libraries


def main():
    program, limit = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 50.0
    if loads_ffmpeg(program):
        print(f"{program} loads FFmpeg: see src/cli/media_program.hpp")
        return 1
    slow = False
    for option in ("--help", "--version"):
        took = fastest_ms([program, option])
        slow |= took > limit
        print(f"zoetrope {option}: fastest of {RUNS} starts {took:.2f} ms (aim 10 ms, limit {limit:.0f} ms)")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
