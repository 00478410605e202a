"""Tensors to bytes and back, as safetensors: nothing that is read can run code."""

from collections.abc import Iterable, Mapping

import safetensors.torch
import torch
from torch import Tensor


def encode(tensors: Mapping[str, Tensor]) -> bytes:
    """One safetensors file; the tensors may lie on any device."""
    content: bytes = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )
    return content


def decode(content: bytes) -> dict[str, Tensor]:
    """The tensors of one safetensors file, on the CPU."""
    tensors: dict[str, Tensor] = safetensors.torch.load(content)
    return tensors


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value is NaN or infinite; one host synchronisation for each device."""
    numbers = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    # Summing zeros keeps NaN and infinity (0 x inf is NaN) and cannot overflow.
    return not numbers or all(bool(torch.isfinite((tensor * 0).sum())) for tensor in numbers)
