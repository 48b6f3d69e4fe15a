# SPDX-License-Identifier: Apache-2.0
"""How several ranks share a training step: DDP, FSDP2, DeepSpeed's ZeRO, or one process that does the ranks' parts in turn.

Every engine has step(loss) -> norm of all gradients before clipping, and save(folder) and load(folder) for what its users
save. `loss` is called once a step (the single process: once a part) and goes through the engine's wrapped networks."""

import pathlib

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from training import ADAMW

CLIP_NORM = 1.0


class Together(nn.Module):
    """The three networks of a step as the one module that an engine wraps."""

    def __init__(self, trainer):
        super().__init__()
        self.reference_net, self.denoiser = trainer.n.reference_net, trainer.n.denoiser
        self.pose_guider = trainer.n.pose_guider
        self.run = trainer.networks_forward

    def forward(self, *inputs):
        return self.run(*inputs)


def adamw(parameters):
    return torch.optim.AdamW(parameters, fused=True, **ADAMW)  # the fastest of torch's forms on CPU


class Single:
    """One process; `parts` batches in turn, whose mean is the loss: what the sharded ones must be equal to."""

    def __init__(self, trainer, parts=1):
        self.trainer, self.parts = trainer, parts
        self.trainer.optimizer = adamw(trainer.parameters)

    def step(self, loss):
        for part in range(self.parts):
            (loss(part) / self.parts).backward()
        return self.update()

    def update(self):
        norm = torch.nn.utils.clip_grad_norm_(self.trainer.parameters, CLIP_NORM)
        self.trainer.optimizer.step()
        self.trainer.optimizer.zero_grad()
        return float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)


class Torch(Single):
    """What DDP and FSDP2 share: torch's optimizer, and checkpoints that are copied and then written beside the training."""

    def __init__(self, trainer, module):
        super().__init__(trainer)
        self.module, self.pending = module, None
        self.saving_group = dist.new_group(backend="gloo")

    def step(self, loss):
        loss(dist.get_rank()).backward()
        return self.update()

    def save(self, folder):
        if self.pending is not None:
            self.pending.result()
        model, optimizer = get_state_dict(self.module, self.trainer.optimizer)
        self.pending = dcp.async_save({"model": model, "optimizer": optimizer}, checkpoint_id=folder,
                                      process_group=self.saving_group)

    def load(self, folder):
        model, optimizer = get_state_dict(self.module, self.trainer.optimizer)
        state = {"model": model, "optimizer": optimizer}
        dcp.load(state, checkpoint_id=folder)
        set_state_dict(self.module, self.trainer.optimizer, model_state_dict=state["model"],
                       optim_state_dict=state["optimizer"])

    @staticmethod
    def is_whole(folder):
        return (pathlib.Path(folder) / ".metadata").exists()  # written last


class Ddp(Torch):
    def __init__(self, trainer):
        # Stage 1: an unconditional step leaves ReferenceNet out, so the reference searches for unused parameters too.
        module = DistributedDataParallel(Together(trainer), find_unused_parameters=trainer.stage == 1,
                                         gradient_as_bucket_view=True)
        trainer.forward = module
        super().__init__(trainer, module)


class Fsdp2(Torch):
    """Units are the blocks of the UNets. ReferenceNet's stay gathered: what they leave in the banks has gradients that reach
    backward past FSDP2's hooks, which without that fail with "data is not allocated yet"."""

    def __init__(self, trainer, zero_stage):
        module, mesh = Together(trainer), dist.init_device_mesh("cpu", (dist.get_world_size(),))
        frees = zero_stage == 3
        for network, is_freed in ((module.denoiser, frees), (module.reference_net, False)):
            for block in (*network.down_blocks, network.mid_block, *network.up_blocks):
                fully_shard(block, mesh=mesh, reshard_after_forward=is_freed)
        fully_shard(module.pose_guider, mesh=mesh, reshard_after_forward=frees)
        fully_shard(module, mesh=mesh, reshard_after_forward=False)  # conv_in, norms: used again at once
        trainer.forward = module
        trainer.parameters = [p for p in module.parameters() if p.requires_grad]
        super().__init__(trainer, module)


class DeepSpeed:
    """DeepSpeed's defaults, except that the bucket of gradients is no larger than all of them: its own 500 million elements
    would be 2 GB of tensors, if never touched."""

    def __init__(self, trainer, zero_stage):
        import deepspeed  # slow, and only here

        self.trainer = trainer
        bucket_size = sum(p.numel() for p in trainer.parameters)
        deepspeed.init_distributed(dist_backend="gloo")
        self.engine, *_ = deepspeed.initialize(
            model=Together(trainer), model_parameters=trainer.parameters, optimizer=adamw(trainer.parameters),
            config={"train_micro_batch_size_per_gpu": trainer.batch, "gradient_accumulation_steps": 1,
                    "gradient_clipping": CLIP_NORM, "zero_optimization": {"stage": zero_stage, "reduce_bucket_size": bucket_size},
                    "zero_allow_untested_optimizer": True, "steps_per_print": 10**9})
        trainer.forward = self.engine

    def step(self, loss):
        self.engine.backward(loss(dist.get_rank()))
        self.engine.step()
        return float(self.engine.get_global_grad_norm() or 0)

    def save(self, folder):
        self.engine.save_checkpoint(folder, tag="all")

    def load(self, folder):
        self.engine.load_checkpoint(folder, tag="all")

    @staticmethod
    def is_whole(folder):
        return (pathlib.Path(folder) / "latest").exists()  # written last


ENGINES = {
    "single": Single,
    "ddp": Ddp,
    "fsdp2-2": lambda trainer: Fsdp2(trainer, 2),
    "fsdp2-3": lambda trainer: Fsdp2(trainer, 3),
    **{f"deepspeed-{stage}": lambda trainer, stage=stage: DeepSpeed(trainer, stage) for stage in range(4)},
}
