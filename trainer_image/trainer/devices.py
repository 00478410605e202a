"""Which device a rank computes on, and whether that is what was asked for. On GPUs nothing of this has run yet."""

from dataclasses import dataclass

import torch

from trainer.data.dataset import Dataset
from trainer.errors import UserError

_GIB = 2**30


@dataclass(frozen=True)
class Seen:
    """What PyTorch finds in this pod."""

    devices: int
    build: str
    """What PyTorch is built for."""


def seen() -> Seen:
    cuda, rocm = torch.version.cuda, torch.version.hip
    build = f"CUDA {cuda}" if cuda else f"ROCm {rocm}" if rocm else "CPUs alone"
    return Seen(torch.cuda.device_count(), build)


def device_of(local_rank: int, ranks: int, asked: int, seen: Seen) -> torch.device:
    """A device for this rank alone; the CPU where there is none and none was asked for.

    ranks: in this pod; asked: the GPUs of its limits, 0 outside of a cluster.
    """
    if seen.devices < asked:
        raise UserError(
            f"the pod asks for {asked} GPU(s), and PyTorch, built for {seen.build}, sees {seen.devices}: look at the "
            "node's driver and device plugin, at CUDA_VISIBLE_DEVICES, and at what the image's PyTorch is built for"
        )
    if not seen.devices:
        return torch.device("cpu")
    if ranks > seen.devices:
        raise UserError(
            f"{ranks} ranks in a pod that sees {seen.devices} GPU(s): two would share one, which NCCL refuses. Ask for "
            "as many GPUs as processesPerNode (auto does), or set CUDA_VISIBLE_DEVICES to nothing to train on the CPU"
        )
    return torch.device("cuda", local_rank)


def require_precision(precision: str, device: torch.device) -> None:
    """UserError if the device has no bfloat16 of its own: what stands in for it is slower than float32."""
    if (
        device.type == "cuda"
        and precision == "bfloat16"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        name = torch.cuda.get_device_name(device)
        raise UserError(
            f"training.precision: {name} has no bfloat16 (from Ampere on they have); use float16 or float32"
        )


def moved(data: Dataset, device: torch.device) -> Dataset:
    """The rows on the device, where they stay; whoever has no room for them is told that it is they."""
    try:
        return data.to(device)
    except torch.OutOfMemoryError as error:
        free, total = (amount / _GIB for amount in torch.cuda.mem_get_info(device))
        raise torch.OutOfMemoryError(
            f"the rows do not fit into the device's memory, {free:.1f} GiB of {total:.1f} GiB are free. "
            "data.loading: stream leaves csv and parquet in their files; a smaller batchSize does not help"
        ) from error
