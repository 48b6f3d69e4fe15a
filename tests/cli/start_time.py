#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`zoetrope --help` and `--version` take at most 10 ms from start to exit, in the fastest of many starts: on a quiet machine the
first takes 3 to 4 ms, on a busy one some start is left alone. Nor does the program load FFmpeg, which alone takes longer.

Usage: start_time.py PROGRAM [LIMIT_MS]
"""
import os
import subprocess
import sys
import time

RUNS = 200


def fastest_ms(command, limit):
    """Of up to RUNS starts; the first within the limit ends it."""
    times = []
    while len(times) < RUNS and min(times, default=limit + 1) > limit:
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append((time.perf_counter() - start) * 1e3)
    return min(times), len(times)


def loads_ffmpeg(program):
    libraries = subprocess.run([program], env={**os.environ, "LD_TRACE_LOADED_OBJECTS": "1"}, check=True,
                               capture_output=True, text=True).stdout
    assert "libc.so" in libraries, libraries
    return "libavcodec" in libraries


def main():
    program, limit = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    if loads_ffmpeg(program):
        print(f"{program} loads FFmpeg: see src/cli/media_program.hpp")
        return 1
    slow = False
    for option in ("--help", "--version"):
        took, starts = fastest_ms([program, option], limit)
        slow |= took > limit
        print(f"zoetrope {option}: fastest of {starts} starts {took:.2f} ms (limit {limit:.0f} ms)")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
