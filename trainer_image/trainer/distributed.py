"""The group of ranks: who this one is, and the few things it does together with the others."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer import devices
from trainer.checkpoint.files import Content
from trainer.config import RankConfig
from trainer.shared_sum import SharedSum, shared_sum
from trainingjob_api.spec.lifecycle import Deadlines


@dataclass(frozen=True)
class World:
    """All ranks, seen from one. At size 1 there is no process group and every method is the identity."""

    rank: int
    size: int
    device: torch.device
    control: dist.ProcessGroup | None = None
    """For what is agreed rather than computed: gloo, on the CPU, apart from the gradients' group."""
    sums: SharedSum | None = None
    """For the gradients of CPUs in one pod."""

    @property
    def is_rank_zero(self) -> bool:
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass sums gradients over the ranks; itself at size 1, where DDP only costs."""
        if self.size == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        parallel = DistributedDataParallel(
            model,
            device_ids=devices,
            gradient_as_bucket_view=True,
            forward_sync_buffers=not _has_statistics_only(model),
        )
        if self.sums is not None:
            parallel.register_comm_hook(self.sums, _average)
        return parallel

    def sum_on_all(self, numbers: Tensor) -> Tensor:
        """Sums over the ranks, the same on each to the last bit: rank 0's word counts.

        In place; returned on the CPU, which is one host synchronisation.
        """
        if self.size > 1:
            dist.all_reduce(numbers)
            dist.broadcast(numbers, src=0)
        return numbers.cpu()

    def maximum(self, numbers: Sequence[int]) -> list[int]:
        """The largest of each number over the ranks."""
        tensor = torch.tensor(numbers, dtype=torch.int64)
        if self.control is not None:
            dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.control)
        values: list[int] = tensor.tolist()
        return values

    def gather(self, content: bytes) -> list[bytes]:
        """Every rank's bytes, on every rank."""
        if self.control is None:
            return [content]
        longest = self.maximum([len(content)])[0]
        row = torch.frombuffer(bytearray(content.ljust(longest + 8)), dtype=torch.uint8)
        row[longest:] = torch.frombuffer(bytearray(len(content).to_bytes(8)), dtype=torch.uint8)
        rows = [torch.empty_like(row) for _ in range(self.size)]
        dist.all_gather(rows, row, group=self.control)
        padded = [row.numpy().tobytes() for row in rows]
        return [each[: int.from_bytes(each[longest:])] for each in padded]

    def from_rank_zero(self, content: Content | None) -> Content:
        """Rank 0's bytes on every rank; what the others pass does not count."""
        if self.control is None:
            assert content is not None
            return content
        own = content if self.is_rank_zero else None
        # Not by a broadcast: gloo's root only sends, and then may wait for ever for a peer that has died just now.
        length = self.maximum([len(own) if own is not None else 0])[0]
        if not length:
            return b""
        if own is None:
            buffer = torch.empty(length, dtype=torch.uint8)
        else:  # in place where it is large; torch refuses what it may not write to
            writable = bytearray(own) if isinstance(own, bytes) else own
            buffer = torch.frombuffer(writable, dtype=torch.uint8)
        dist.broadcast(buffer, src=0, group=self.control)
        return memoryview(buffer.numpy()) if own is None else own  # type: ignore[arg-type]

    def share(self, tensors: Iterable[Tensor]) -> None:
        """Gives the tensors rank 0's values on every rank."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def wait_for_all(self) -> None:
        self.maximum([0])


def meet(config: RankConfig) -> object:
    """Waits until all ranks are there; the store serves every group of theirs for as long as rank 0 keeps it."""
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    limit, is_host = _collective_timeout(config.run.deadlines), config.rank == 0
    store = dist.TCPStore(  # type: ignore[attr-defined]
        host, port, None, is_host, limit, wait_for_workers=False, multi_tenant=True
    )
    store.set(f"met/{config.rank}", "")
    store.wait([f"met/{rank}" for rank in range(config.world_size)], limit)
    return store


def join(config: RankConfig) -> World:
    """Meets the other ranks; returns once all are there."""
    world = join_on(_device(config), config.world_size, config.run.deadlines)
    if world.size == 1 or world.size > config.local_world_size or world.device.type != "cpu":
        return world
    limit = _collective_timeout(config.run.deadlines)
    return replace(world, sums=shared_sum(world.rank, world.size, world.gather, limit))


def join_on(device: torch.device, size: int, deadlines: Deadlines) -> World:
    """The same, for a device that is chosen already; a process group that exists is used as it is."""
    if size == 1:
        return World(0, 1, device)
    limit = _collective_timeout(deadlines)
    if not dist.is_initialized():
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=limit, device_id=device if device.type == "cuda" else None)
    control = dist.new_group(backend="gloo", timeout=limit)
    assert isinstance(control, dist.ProcessGroup)
    return World(dist.get_rank(), dist.get_world_size(), device, control)


def _has_statistics_only(model: nn.Module) -> bool:
    """Whether its buffers are running statistics of batch norm, which nearly all steps in training only write.

    Rank 0's are those that count, and the learner shares them before they are used: DDP need not do so in every step.
    """
    norms = [each for each in model.modules() if isinstance(each, nn.modules.batchnorm._BatchNorm)]
    known = {id(buffer) for norm in norms for buffer in norm.buffers(recurse=False)}
    return all(id(buffer) in known for buffer in model.buffers())


def _average(
    sums: SharedSum,
    bucket: dist.GradBucket,  # type: ignore[name-defined]
) -> torch.futures.Future[Tensor]:
    """DDP's way to average gradients, where it is not by its process group."""
    gradients = bucket.buffer().div_(sums.size)
    sums.add_up(gradients)
    future: torch.futures.Future[Tensor] = torch.futures.Future()
    future.set_result(gradients)
    return future


def _device(config: RankConfig) -> torch.device:
    device = devices.device_of(config.local_rank, config.local_world_size, config.gpus, devices.seen())
    if device.type == "cuda":
        torch.cuda.set_device(device)
        # TF32 in tensor cores, as convolutions do without being told. NVIDIA's libraries obey the variable by
        # themselves, what torch.compile makes obeys the setting.
        is_whole = os.environ.get("NVIDIA_TF32_OVERRIDE") == "0"
        torch.set_float32_matmul_precision("highest" if is_whole else "high")
        torch.backends.cudnn.allow_tf32 = not is_whole
    return device


def _collective_timeout(deadlines: Deadlines) -> timedelta:
    """Later than the supervisors' deadlines, which know better what is slow: this one is the last resort."""
    return timedelta(seconds=max(2 * deadlines.start_seconds, deadlines.step_seconds + deadlines.save_seconds) + 30)
