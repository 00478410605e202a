"""Reads a folder of images for each class."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainer.data.files import File, Place, explained
from trainer.data.samples import Samples
from trainer.errors import DataError
from trainingjob_api.spec.training import Data

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def read_images(place: Place, data: Data, shape: Sequence[int] | None) -> Samples:
    """Every image brought to one size and number of channels: to the shape, or to those of the first."""
    by_class = {_name(folder): _images(folder) for folder in place.folders()} if place.is_folder() else {}
    files = [(file, label) for label, held in by_class.items() for file in held]
    if not files:
        raise DataError(f"{place.name} has no folders with images in them; each class needs one of its own")
    size = tuple(shape) if shape else _shape_of(files[0][0])
    if len(size) != 3 or size[0] not in _MODES:
        raise DataError(f"{place.name}: data.shape must be [channels, height, width] with 1, 3 or 4 channels")
    inputs = np.empty((len(files), size[0] * size[1] * size[2]), dtype=np.uint8)
    for row, (file, _) in enumerate(files):
        inputs[row] = _pixels(file, size).ravel()
    labels = pa.chunked_array([pa.array([label for _, label in files])])
    return Samples(place.name, ("image",), size, inputs, data.target or "class", labels, lambda row: files[row][0].name)


def _images(folder: Place) -> list[File]:
    with explained(folder.file):
        names = sorted(each["name"] for each in folder.system.ls(folder.root, detail=True) if each["type"] == "file")
    return [
        File(f"{folder.name}/{name.rpartition('/')[2]}", name, folder.system)
        for name in names
        if name.lower().endswith(_SUFFIXES)
    ]


def _shape_of(file: File) -> tuple[int, int, int]:
    from PIL import Image

    with explained(file), file.open() as opened, Image.open(opened) as image:
        channels = {"1": 1, "L": 1, "I": 1, "I;16": 1, "F": 1, "RGBA": 4, "LA": 4, "PA": 4}.get(image.mode, 3)
        return channels, image.height, image.width


def _pixels(file: File, shape: Sequence[int]) -> NDArray[np.uint8]:
    """(channels, height, width)"""
    from PIL import Image

    channels, height, width = shape
    try:
        with explained(file), file.open() as opened, Image.open(opened) as image:
            whole = image.convert(_MODES[channels])
    except (SyntaxError, Image.DecompressionBombError) as error:  # what Pillow says of a broken PNG
        raise DataError(f"{file.name} cannot be read: {error}") from error
    if whole.size != (width, height):
        whole = whole.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(whole, dtype=np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def _name(folder: Place) -> str:
    return folder.root.rpartition("/")[2]
