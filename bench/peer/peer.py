#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Does the job with torch and diffusers the way the reference does it, and prints one JSON line about it.

  peer.py train --stage 1 --configuration tiny64 --dtype fp32 --threads 2 --steps 20 [--compile]
  peer.py generate --configuration quarter --dtype bf16 --threads 2 --repeats 3
With --wait it does one repetition per line read from stdin, so that a benchmark can alternate it with another program."""

import argparse
import json
import os
import random
import resource
import sys
import time


def seconds_since_start():
    """Since this process was started, imports included."""
    with open("/proc/self/stat") as stat, open("/proc/uptime") as uptime:
        started = int(stat.read().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - started


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", choices=("train", "generate"))
    parser.add_argument("--configuration", default="tiny64", choices=("tiny64", "quarter", "sd15"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--cached", action="store_true", help="train on latents and embeddings: no VAE, no CLIP")
    parser.add_argument("--image-px", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--frames", type=int)
    parser.add_argument("--stage", type=int, default=1, choices=(1, 2))
    parser.add_argument("--dtype", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="training steps that are timed")
    parser.add_argument("--repeats", type=int, default=1, help="clips that are generated")
    parser.add_argument("--denoising-steps", type=int, default=10, help="of each clip")
    parser.add_argument("--compile", action="store_true", help="torch.compile the networks (train)")
    parser.add_argument("--wait", action="store_true", help="one repetition per line of stdin, its JSON at once")
    parser.add_argument("--seed", type=int, default=12580)
    return parser.parse_args()


def repetitions(options, count):
    if not options.wait:
        yield from range(count)
        return
    print(json.dumps({"ready_s": seconds_since_start()}), flush=True)
    for i, _ in enumerate(sys.stdin):
        yield i


def main():
    options = parse()
    os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    import torch  # after the thread count is set

    from configurations import CONFIGURATIONS, with_sizes
    from generation import Generator
    from networks import build
    from training import CachedTrainer, Trainer

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    configuration = with_sizes(CONFIGURATIONS[options.configuration], image_px=options.image_px, batch=options.batch,
                               frames=options.frames)
    trains = options.job == "train"
    with torch.device(options.device):
        networks = build(configuration, has_motion=not trains or options.stage == 2)
    if trains:
        kind = CachedTrainer if options.cached else Trainer
        trainer = kind(configuration, networks, options.stage, options.dtype, options.compile)

        def job():
            with torch.device(options.device):
                batch = trainer.random_batch()
            return trainer.step(batch)
        count = options.steps + 1  # the first one warms up
    else:
        generator = Generator(configuration, networks, options.dtype, options.denoising_steps)
        job, count = lambda: float(generator.run().mean()), options.repeats

    report = {"ready_s": seconds_since_start(), "first_done_s": None, "seconds": [], "results": []}
    for _ in repetitions(options, count):
        begin = time.perf_counter()
        report["results"].append(job())
        report["seconds"].append(time.perf_counter() - begin)
        report["first_done_s"] = report["first_done_s"] or seconds_since_start()
        if options.wait:
            print(json.dumps({"seconds": report["seconds"][-1], "result": report["results"][-1]}), flush=True)
    report["peak_resident_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.device.startswith("cuda"):
        report["peak_gpu_mb"] = torch.cuda.max_memory_allocated() / 2**20
    report["trained_parameters"] = sum(p.numel() for p in trainer.parameters) if trains else 0
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main()
