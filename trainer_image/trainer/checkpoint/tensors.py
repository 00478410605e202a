"""Tensors to bytes and back, as safetensors: nothing that is read can run code.

https://github.com/huggingface/safetensors#format. Written here with one copy of the data, the one that training has
to wait for; the library makes three.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

import torch
from torch import Tensor

from trainer.checkpoint.files import Content

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
    "C64": torch.complex64,
}
_CODES = {dtype: code for code, dtype in _TYPES.items()}
_LENGTH = struct.Struct("<Q")
_CACHE_LINE = 64  # bytes; a copy that begins between two of them takes a quarter longer
_HEADER_LIMIT = 100 * 1000 * 1000  # bytes; the library's own


@dataclass(frozen=True)
class _Layout:
    """A file that only its tensors' values are missing in."""

    kinds: tuple[tuple[str, torch.dtype, torch.Size], ...]
    names: list[str]
    places: list[Tensor]
    """One for each name, in the file's memory."""
    content: memoryview

    def fill(self, tensors: Mapping[str, Tensor]) -> memoryview:
        if self.places:
            torch._foreach_copy_(self.places, [tensors[name].detach() for name in self.names])
        return self.content


class Encoder:
    """Encodes files that are written again and again: where their tensors lie is found out once."""

    def __init__(self) -> None:
        self._layouts: dict[str, _Layout] = {}

    def encode(self, name: str, tensors: Mapping[str, Tensor]) -> memoryview:
        """As the function `encode`; the bytes are whole until the next file of this name."""
        layout = self._layouts.get(name)
        if layout is None or layout.kinds != _kinds(tensors):
            self._layouts.pop(name, None)  # before there is memory for two of them
            layout = self._layouts[name] = _lay_out(tensors)
        return layout.fill(tensors)


def encode(tensors: Mapping[str, Tensor]) -> memoryview:
    """One safetensors file; the tensors may lie on any device. TypeError for a type that the format has not."""
    return _lay_out(tensors).fill(tensors)


def decode(content: Content) -> dict[str, Tensor]:
    """The tensors of one safetensors file, on the CPU, in memory of their own. ValueError: it is not such a file."""
    view = memoryview(content)
    if len(view) < _LENGTH.size:
        raise ValueError(f"{len(view)} bytes are no safetensors file")
    (length,) = _LENGTH.unpack(view[: _LENGTH.size])
    begin = _LENGTH.size + length
    if length > min(_HEADER_LIMIT, len(view) - _LENGTH.size):
        raise ValueError(f"a header of {length} bytes in a safetensors file of {len(view)}")
    try:
        header = json.loads(bytes(view[_LENGTH.size : begin]))
        header.pop("__metadata__", None)
        return {name: _tensor(view[begin:], **entry) for name, entry in header.items()}
    except (AttributeError, KeyError, OverflowError, RecursionError, RuntimeError, TypeError) as error:
        raise ValueError(f"the header of a safetensors file cannot be understood: {error!r}") from error


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether no value is NaN or infinite; nothing of their size is allocated for it."""
    real = [_real(tensor.detach()) for tensor in tensors if tensor.numel()]
    numbers = [tensor for tensor in real if tensor.is_floating_point()]
    # The sum passes on what is not finite, in half the time of a look at each value; it may also be just too large.
    sums = zip(numbers, _sums(numbers), strict=True)
    return all(isfinite(total) or all(isfinite(end.item()) for end in torch.aminmax(tensor)) for tensor, total in sums)


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _sums(tensors: Sequence[Tensor]) -> list[float]:
    """Of each; a device is waited for once, not for every tensor."""
    sums = [tensor.sum().double() for tensor in tensors]
    for device in {total.device for total in sums if total.device.type != "cpu"}:
        here = [number for number, total in enumerate(sums) if total.device == device]
        for number, total in zip(here, torch.stack([sums[number] for number in here]).cpu(), strict=True):
            sums[number] = total
    return [total.item() for total in sums]


def _kinds(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, torch.dtype, torch.Size], ...]:
    return tuple((name, tensor.dtype, tensor.shape) for name, tensor in tensors.items())


def _lay_out(tensors: Mapping[str, Tensor]) -> _Layout:
    # The largest types first: every tensor then begins at a multiple of its type's size.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0]))
    header, size = _describe(ordered)
    memory = torch.empty(len(header) + size, dtype=torch.uint8)
    content: memoryview = memory.numpy().data
    content[: len(header)] = header
    begin = len(header)
    names, places = [], []
    for name, tensor in ordered:
        end = begin + tensor.nbytes
        if tensor.numel():
            names.append(name)
            places.append(memory[begin:end].view(tensor.dtype).view(tensor.shape))
        begin = end
    return _Layout(_kinds(tensors), names, places, content)


def _describe(ordered: Iterable[tuple[str, Tensor]]) -> tuple[bytes, int]:
    """The file up to the data, padded to whole lines of a processor's cache; and the size of the data."""
    entries: dict[str, Any] = {}
    end = 0
    for name, tensor in ordered:
        if tensor.dtype not in _CODES:
            raise TypeError(f"{name}: a checkpoint cannot hold {tensor.dtype}")
        begin, end = end, end + tensor.nbytes
        entries[name] = {"dtype": _CODES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH.size + len(text)) % _CACHE_LINE)
    return _LENGTH.pack(len(text)) + text, end


def _tensor(data: memoryview, dtype: str, shape: list[int], data_offsets: list[int]) -> Tensor:
    kind = _TYPES[dtype]
    begin, end = data_offsets
    if not (0 <= begin <= end <= len(data) and all(size >= 0 for size in shape)):
        raise ValueError(f"offsets {begin} to {end} of a tensor in {len(data)} bytes")
    if prod(shape) * kind.itemsize != end - begin:
        raise ValueError(f"a tensor {shape} of {dtype} in {end - begin} bytes")
    tensor = torch.empty(shape, dtype=kind)
    if begin < end:
        tensor.view(-1).view(torch.uint8).numpy()[:] = data[begin:end]
    return tensor
