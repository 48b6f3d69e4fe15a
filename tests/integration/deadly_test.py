#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A clip that ends every rank that opens it, by SIGSEGV in the thread that decodes: at the second time it is left out, on all
ranks, and the run ends with the bits of one for which that clip is merely no video.
Usage: deadly_test.py FOLDER_OF_PROGRAMS"""
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import Jobs, TRAIN
from ranks_test import Runs as RankRuns
from recovery_test import wait_until

# Stands in for a decoder with a bug: dies when that file is opened.
SOURCE = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
static void look(const char* path) {
  const char* deadly = getenv("ZT_TEST_DEADLY");
  const size_t length = strlen(path), end = deadly ? strlen(deadly) : 0;
  if (end > 0 && length >= end && strcmp(path + length - end, deadly) == 0) raise(SIGSEGV);
}
#define STAND_IN(name) \
  int name(const char* path, int flags, ...) { \
    va_list rest; va_start(rest, flags); const int mode = va_arg(rest, int); va_end(rest); \
    look(path); \
    return ((int (*)(const char*, int, ...))dlsym(RTLD_NEXT, #name))(path, flags, mode); \
  }
STAND_IN(open)
STAND_IN(open64)
"""


class Runs(RankRuns):
    def train(self, name, ranks, environment):
        return self.start("train", "--config", self.config, "--name", name, "--ranks", ranks, "--set", "lanes=2", "--set", "data.train_bs=2",
                          "--set", "threads=1", "--set", "cache.enable=false", "--set", "checkpoint.memory_every_steps=1",
                          "--set", "checkpoint.every_steps=4", "--set", "data.prefetch_batches=0", "--set", "validation.every_steps=0", "--steps", 12, environment=environment)

    def folder(self, name):
        return next(self.root.glob(f"runs/{name}-*"))


def check(runs, name, ranks, clip, environment, wanted):
    began = time.monotonic()
    launcher = runs.train(name, ranks, environment)
    wait_until("the clip to be left out", lambda: f"zoetrope: clip {clip} is left out from here on" in runs.log() or launcher.poll() is not None)
    found_s = time.monotonic() - began
    runs.finish(launcher)
    log, run = runs.log(), runs.folder(name)
    who = "the worker" if ranks == 1 else "rank "
    assert f"zoetrope: clip {clip} is left out from here on" in log, log
    assert f"no samples are taken from clip {clip} (" in log, log
    left_out = json.loads((run / "left-out.json").read_text())["clips"]
    assert [one["clip"] for one in left_out].count(clip) == 1, left_out
    assert "of it in hand both times that it ended by signal 11" in left_out[0]["why"] and who in left_out[0]["why"], left_out
    faults = [json.loads(line) for path in run.glob("events/*.jsonl") for line in path.read_text().splitlines() if "fault_found" in line]
    assert any(f'clip {clip}' in json.dumps(fault) and '"data"' in json.dumps(fault) for fault in faults), faults
    # Only what was in hand with it may be left out too: then other samples were trained on.
    if len(left_out) == 1:
        assert runs.weights(name) == wanted, f"{name}: other weights than with a clip that is no video"
    print(f"{name}: found {found_s:.2f} s after the launch, two deaths included; {len(left_out)} left out, clip {clip} among them",
          flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        root, programs = Path(folder), Path(sys.argv[1]).resolve()
        jobs = Jobs(programs, root)
        jobs.make_inputs()
        encoders = jobs.stage1_run()  # so that no clip is read before training
        (jobs.inputs / "train.yaml").write_text(TRAIN.replace(
            "model:\n", f"model:\n  vae_model_path: {encoders}/codec\n  image_encoder_path: {encoders}/image_encoder\n"))
        runs = Runs(programs, root)
        (root / "deadly.c").write_text(SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", root / "deadly.so", root / "deadly.c", "-ldl"], check=True)
        index = jobs.inputs / "index/index.jsonl"
        entries = [json.loads(line) for line in index.read_text().splitlines()][1:]  # without the header
        clip = 5
        video = index.parent / entries[clip]["video"]
        environment = {"LD_PRELOAD": str(root / "deadly.so"), "ZT_TEST_DEADLY": f"/{video.parent.name}/{video.name}",
                       "ASAN_OPTIONS": "verify_asan_link_order=0:handle_segv=0"}  # a build with it is killed alike
        whole = video.read_bytes()
        video.write_bytes(b"no video")
        runs.finish(runs.train("unreadable", 2, {}))
        wanted = runs.weights("unreadable")
        video.write_bytes(whole)
        for name, ranks in (("two", 2), ("alone", 1)):
            check(runs, name, ranks, clip, environment, wanted)
        left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if str(root).encode() in p.read_bytes()]
        assert not left, f"processes left: {left}"


if __name__ == "__main__":
    main()
