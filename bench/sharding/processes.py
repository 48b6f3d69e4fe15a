# SPDX-License-Identifier: Apache-2.0
"""Starts a program with its ranks, stops and continues it, and takes its memory from the operating system."""

import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
POLL_S = 0.02
MB = 1e6


def start(command, log, environment):
    """In a session of its own; it dies with this process."""
    # Threads that spin while they wait ruin both sides when anything else runs: neither spins.
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1", **environment}
    with open(log, "ab") as output:
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                env=environment, start_new_session=True,
                                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def descendants(pid):
    """Of a process, without itself."""
    found = []
    for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # a thread that ended meanwhile
            for child in map(int, children.read_text().split()):
                found += [child, *descendants(child)]
    return found


def command_line(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def send(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end(process, grace_s=0.0):
    """Asks for an end for as long as `grace_s`, then kills the program and everything below it."""
    if grace_s:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace_s)
    if process.poll() is None:
        send([*descendants(process.pid), process.pid], signal.SIGKILL)
        process.wait()


def pss_mb(pids):
    """Proportional set size of all of them together: pages shared among n processes count 1/n in each."""
    kib = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as rollup:
            kib += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return kib * 1024 / MB


def wait_until(condition, timeout_s, process, log):
    """Polls; the reason of a failure is the end of the program's log."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            what = f"ended with {process.returncode}" if ended else f"did nothing for {timeout_s:.0f} s"
            raise RuntimeError(f"{process.args[0]} {what}:\n{pathlib.Path(log).read_text(errors='replace')[-3000:]}")
        time.sleep(POLL_S)
