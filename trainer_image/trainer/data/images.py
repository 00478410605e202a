"""Reads a folder of images for each class."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainer.data.files import File, Place, explained
from trainer.data.samples import Samples
from trainer.errors import DataError
from trainingjob_api.spec.training import Data

if TYPE_CHECKING:
    from PIL.Image import Image

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
    inputs: NDArray[Any] = np.empty((len(files), size[0] * size[1] * size[2]), dtype=np.uint8)
    for row, (file, _) in enumerate(files):
        pixels = _pixels(file, size)
        inputs = inputs.astype(np.promote_types(inputs.dtype, pixels.dtype), copy=False)
        inputs[row] = pixels.ravel()
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


@contextmanager
def _opened(file: File) -> Iterator["Image"]:
    """What Pillow says of a bad image is a DataError."""
    from PIL import Image

    try:
        with explained(file), file.open() as opened, Image.open(opened) as image:
            yield image
    except (SyntaxError, Image.DecompressionBombError) as error:  # a broken PNG, a size that cannot be meant
        raise DataError(f"{file.name} cannot be read: {error}") from error


def _shape_of(file: File) -> tuple[int, int, int]:
    with _opened(file) as image:
        alone = image.mode in ("1", "L") or _is_deep(image)
        channels = 1 if alone else 4 if image.mode in ("RGBA", "LA", "PA") else 3
        return channels, image.height, image.width


def _pixels(file: File, shape: Sequence[int]) -> NDArray[np.uint8 | np.float32]:
    """(channels, height, width) from 0 to 255; what has 16 bits keeps them as fractions."""
    from PIL.Image import Resampling

    channels, height, width = shape
    with _opened(file) as image:
        if image.mode in ("I", "F") and not _is_deep(image):
            raise DataError(f"{file.name} has 32 bits, and it is not known which value is white: save it with 8 or 16")
        whole = _grey(image) if _is_deep(image) else image.convert(_MODES[channels])
    if whole.size != (width, height):
        whole = whole.resize((width, height), Resampling.BILINEAR)
    values = np.asarray(whole).reshape(height, width, -1).transpose(2, 0, 1)
    if whole.mode == "F":
        values = np.repeat(values, channels, axis=0)
        values[3:] = 255  # opaque
    return values


def _is_deep(image: "Image") -> bool:
    """Grey with 16 bits; to Pillow a pgm with as many has 32."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM")


def _grey(image: "Image") -> "Image":
    """In the range of 8 bits. Pillow itself cuts off what is above 255."""
    from PIL import Image

    return Image.fromarray(np.asarray(image, dtype=np.float32) / 257)


def _name(folder: Place) -> str:
    return folder.root.rpartition("/")[2]
