#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One rank of the peer, started by torchrun; trains until it is killed or has done --steps.

  torchrun --standalone --nproc-per-node 2 bench/peer/ranks.py --engine ddp --stage 1 --report FOLDER
  bench/peer/ranks.py --engine single --parts 2 --report FOLDER       # what two ranks must be equal to

Writes FOLDER/rank-R.jsonl: first who it is and when it was ready, then a line per finished step: Unix time, loss, norm of the gradients, bytes sent
to others, most bytes that tensors held, seconds that saving blocked it. With --save-every it saves below FOLDER, and goes on
from the last whole checkpoint when it is started again."""

import argparse
import ctypes
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import time

TCP_INFO_BYTES_SENT = 200  # offset in struct tcp_info, since Linux 4.19
PR_SET_PDEATHSIG = 1
KEPT_CHECKPOINTS = 2


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", required=True)
    parser.add_argument("--configuration", default="tiny64", choices=("tiny64", "quarter"))
    parser.add_argument("--stage", type=int, default=1, choices=(1, 2))
    parser.add_argument("--batch", type=int, default=1, help="samples of a rank; stage 2 takes one clip")
    parser.add_argument("--parts", type=int, default=1, help="of the single process")
    parser.add_argument("--cached", action="store_true", help="latents and embeddings are given; no VAE, no CLIP")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=10**6)
    parser.add_argument("--save-every", type=int, default=0)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--allocator", help="counting_allocator.so, as bench/setup builds it")
    return parser.parse_args()


def sent_bytes():
    """Payload that the TCP sockets of this process have sent so far."""
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            is_socket = os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
            if not is_socket:
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed meanwhile, or not TCP
            continue
        total += struct.unpack_from("<Q", info, TCP_INFO_BYTES_SENT)[0]
    return total


class Job:
    def __init__(self, options, rank):
        import torch
        import torch.distributed as dist

        from configurations import CONFIGURATIONS, with_batch
        from engines import ENGINES
        from networks import build
        from training import CachedTrainer, Trainer

        self.options, self.rank, self.torch = options, rank, torch
        torch.set_num_threads(options.threads)
        torch.manual_seed(1)  # all ranks start from the same weights
        if options.engine != "single":
            dist.init_process_group("gloo")
        configuration = with_batch(CONFIGURATIONS[options.configuration], options.batch)
        networks = build(configuration, has_motion=options.stage == 2)
        kind = CachedTrainer if options.cached else Trainer
        self.trainer = kind(configuration, networks, options.stage, "fp32", False)
        self.trained_parameters = sum(p.numel() for p in self.trainer.parameters)
        arguments = (options.parts,) if options.engine == "single" else ()
        self.engine = ENGINES[options.engine](self.trainer, *arguments)

    def step(self, number):
        """-> (mean loss of what this process did, norm)."""
        losses = []

        def loss(part):
            random.seed(number)  # whether a step is unconditional is one decision: ranks must run the same networks
            self.torch.manual_seed(number * 1000 + part)
            losses.append(self.trainer.loss(self.trainer.random_batch()))
            return losses[-1]

        norm = self.engine.step(loss)
        return sum(value.item() for value in losses) / len(losses), norm

    def checkpoints(self):
        """Whole ones, oldest first."""
        folders = sorted(self.options.report.glob("step-*"))
        return [folder for folder in folders if self.engine.is_whole(folder)]

    def save(self, number):
        begin = time.perf_counter()
        self.engine.save(str(self.options.report / f"step-{number:08}"))
        blocked = time.perf_counter() - begin
        if self.rank == 0:
            for old in self.checkpoints()[:-KEPT_CHECKPOINTS]:
                shutil.rmtree(old, ignore_errors=True)
        return blocked

    def resume(self):
        """-> the step that was done last."""
        if not self.options.save_every or not self.checkpoints():
            return 0
        last = self.checkpoints()[-1]
        self.engine.load(str(last))
        return int(last.name.removeprefix("step-"))


def main():
    options = parse()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a benchmark that dies leaves no rank behind
    rank = int(os.environ.get("RANK", "0"))
    options.report.mkdir(parents=True, exist_ok=True)
    import torch  # noqa: F401  (its libraries must be there for the allocator's)

    allocator = ctypes.CDLL(options.allocator) if options.allocator else None
    if allocator:
        allocator.peak_tensor_bytes.restype = ctypes.c_int64
        allocator.install()
    job = Job(options, rank)
    with open(options.report / f"rank-{rank}.jsonl", "a") as lines:
        def write(line):
            lines.write(json.dumps(line) + "\n")
            lines.flush()

        write({"pid": os.getpid(), "rank": rank, "attempt": int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")),
               "trained_parameters": job.trained_parameters, "time": time.time()})
        blocked = None
        for number in range(job.resume() + 1, options.steps + 1):
            loss, norm = job.step(number)
            write({"step": number, "time": time.time(), "loss": loss, "norm": norm, "sent_bytes": sent_bytes(),
                   "tensor_peak_bytes": allocator.peak_tensor_bytes() if allocator else None, "save_s": blocked})
            blocked = job.save(number) if options.save_every and number % options.save_every == 0 else None


if __name__ == "__main__":
    main()
