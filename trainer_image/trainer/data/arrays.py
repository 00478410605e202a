"""Reads npz files and MNIST's idx files."""

import gzip
import io
import re
import struct
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from trainer.data.files import File, Place, explained
from trainer.data.notices import Notices
from trainer.data.samples import TARGETS, Samples, shaped
from trainer.errors import DataError
from trainingjob_api.spec.training import Data

Array = NDArray[Any]
_MNIST = re.compile(r"(train|t10k)-(images.idx3|labels.idx1)-ubyte(\.gz)?")
_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


@dataclass(frozen=True)
class Arrays:
    """The names of arrays of an npz file."""

    inputs: tuple[str, ...]
    target: str

    @property
    def names(self) -> tuple[str, ...]:
        return *self.inputs, self.target


def read_npz(
    files: Sequence[File], arrays: Arrays, used: Set[str], shape: Sequence[int] | None, notices: Notices
) -> Samples:
    """Inputs (rows, ...) and targets (rows,). used: the names of all arrays that the recipe means."""
    inputs, target = arrays.inputs, arrays.target
    parts = [_npz_part(file, arrays, used, notices) for file in files]
    name, first = files[0].name, parts[0][0]
    for file, (x, _) in zip(files, parts, strict=True):
        if x.shape[1:] != first.shape[1:]:
            raise DataError(f"{file.name}: a row has the shape {x.shape[1:]}, in {name} it has {first.shape[1:]}")
    found = first.shape[1:] if len(first.shape) in (3, 4) else (first[0].size,)
    names = [f"{file.name}, array {target!r}" for file in files]
    return _samples(name, names, parts, inputs, shaped(name, found, shape), target)


def _npz_part(file: File, named: Arrays, used: Set[str], notices: Notices) -> tuple[Array, Array]:
    """One array of inputs (rows, ...) and one of targets (rows,)."""
    inputs, target = named.inputs, named.target
    with explained(file), file.open() as opened:
        archive = np.load(io.BytesIO(opened.read()), allow_pickle=False)
        if not isinstance(archive, NpzFile):
            raise DataError(f"{file.name} is a single array: write inputs and targets with numpy.savez")
        missing = [name for name in named.names if name not in archive.files]
        if missing:
            raise DataError(f"{file.name}: there is no array {missing[0]!r}; it has {', '.join(archive.files)}")
        arrays = {name: archive[name] for name in named.names}
        notices.not_read(file.name, (f"array {name!r}" for name in set(archive.files) - used))
    if arrays[target].ndim == 2 and arrays[target].shape[1] == 1:
        arrays[target] = arrays[target][:, 0]
    rows = len(arrays[target]) if arrays[target].ndim == 1 else -1
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != rows:
            raise DataError(f"{file.name}: array {name!r} has the shape {array.shape}; {target!r} must be (rows,)")
    if rows == 0:
        raise DataError(f"{file.name} has no rows")
    for name in inputs:
        _require_numbers(file, name, arrays[name])
    chosen = [arrays[name] for name in inputs]
    x = chosen[0] if len(chosen) == 1 else np.concatenate([each.reshape(rows, -1) for each in chosen], axis=1)
    return x, _targets(file, target, arrays[target])


def _targets(file: File, name: str, values: Array) -> Array:
    """As types that pyarrow, JSON and so a checkpoint have."""
    kind = values.dtype.kind
    if kind == "S":
        return _decoded(file, name, values)
    if kind not in "biufU":
        raise DataError(f"{file.name}: array {name!r} holds {values.dtype} values; {TARGETS}")
    return values.astype(np.float64) if kind == "f" and values.dtype.itemsize not in (4, 8) else values


def _decoded(file: File, name: str, values: Array) -> Array:
    """numpy's byte strings as text."""
    try:
        return np.char.decode(values, "utf-8")
    except UnicodeDecodeError as error:
        row = values.tolist().index(error.object)
        place = f"{file.name}, row {row + 1}, array {name!r}"
        raise DataError(f"{place}: {error.object!r} is not UTF-8: save the text as UTF-8") from None


def _require_numbers(file: File, name: str, values: Array) -> None:
    if values.dtype.kind not in "biuf":
        raise DataError(f"{file.name}: array {name!r} holds {values.dtype} values, not numbers")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        row, *place = (int(number) for number in np.argwhere(~np.isfinite(values))[0])
        value = values[(row, *place)]
        raise DataError(f"{file.name}, row {row + 1}, array {name!r}, column {place or [0]}: the value is {value}")


def idx_files(place: Place, prefix: str) -> list[File]:
    """Of images; of a folder the one whose name begins with the prefix."""
    listing = place.listing()
    if place.is_folder():
        return _in_folder(place, listing.files, prefix)
    place.require_files(listing.files)
    return listing.files


def read_idx(place: Place, prefix: str, data: Data, shape: Sequence[int] | None, notices: Notices) -> Samples:
    """Images with their labels beside them."""
    images = idx_files(place, prefix)
    if place.is_folder():
        listing = place.listing()
        others = [place.name_of(file) for file in [*listing.files, *(folder.file for folder in listing.folders)]]
        notices.not_read(place.name, (name for name in others if not _MNIST.fullmatch(name)))
    parts = [(_idx(file), _idx(_labels_beside(file))) for file in images]
    for file, (x, y) in zip(images, parts, strict=True):
        if x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
            raise DataError(f"{file.name}: images of the shape {x.shape} do not go with labels of the shape {y.shape}")
        if x.shape[1:] != parts[0][0].shape[1:]:
            raise DataError(f"{file.name}: images of {x.shape[1:]}, in {images[0].name} of {parts[0][0].shape[1:]}")
        _require_numbers(file, "images", x)
    found = parts[0][0].shape[1:]
    found = (1, *found) if len(found) == 2 else found
    names = [_labels_beside(file).name for file in images]
    target = data.target or "label"
    return _samples(images[0].name, names, parts, ("image",), shaped(images[0].name, found, shape), target)


def _in_folder(place: Place, files: Sequence[File], prefix: str) -> list[File]:
    place.require_files(files)
    found = [file for file in files if re.fullmatch(rf"{prefix}-images.idx3-ubyte(\.gz)?", _last(file.name))]
    if not found:
        held = ", ".join(_last(file.name) for file in files)
        raise DataError(f"{place.name}: there is no {prefix}-images-idx3-ubyte or its .gz; the folder holds {held}")
    return found[:1]


def _labels_beside(images: File) -> File:
    """By MNIST's convention: labels for images, idx1 for idx3; one of them may be gzipped without the other."""
    folder, slash, name = images.place.rpartition("/")
    labels = re.sub(r"idx\d", "idx1", name.replace("images", "labels"))
    if labels == name:
        raise DataError(f"{images.name}: its name must hold the word images; that of its labels has labels instead")
    other = labels.removesuffix(".gz") if labels.endswith(".gz") else f"{labels}.gz"
    with explained(images):
        exists = images.system.exists
        chosen = labels if exists(folder + slash + labels) or not exists(folder + slash + other) else other
    return File(images.name.removesuffix(name) + chosen, folder + slash + chosen, images.system)


def _idx(file: File) -> Array:
    """http://yann.lecun.com/exdb/mnist: two zeros, the type, the number of dimensions, the dimensions, the values."""
    with explained(file), file.open() as opened:
        content = opened.read()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise DataError(f"{file.name} is not an idx file")
    kind, dimensions = np.dtype(_IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:start]) if len(content) >= start else ()
    if len(content) != start + kind.itemsize * int(np.prod(shape)) or not shape or shape[0] == 0:
        raise DataError(f"{file.name}: {len(content)} bytes do not make the values that its header promises {shape}")
    values: Array = np.frombuffer(content, kind, offset=start).reshape(shape)
    return values.astype(kind.newbyteorder("="), copy=False)


def _samples(
    name: str,
    target_names: Sequence[str],
    parts: Sequence[tuple[Array, Array]],
    features: tuple[str, ...],
    shape: tuple[int, ...],
    target: str,
) -> Samples:
    ends = np.cumsum([len(y) for _, y in parts])

    def where(row: int) -> str:
        number = int(np.searchsorted(ends, row, side="right"))
        return f"{target_names[number]}, row {row - int(ends[number]) + len(parts[number][1]) + 1}"

    x = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    y = np.concatenate([part[1] for part in parts])
    values = pa.chunked_array([pa.array(y.tolist() if y.dtype.kind == "U" else y)])
    return Samples(name, features, shape, x.reshape(len(x), -1), target, values, where)


def _last(name: str) -> str:
    return name.rpartition("/")[2]
