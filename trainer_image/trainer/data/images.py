"""Reads a folder of images for each class."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from trainer.data.files import File, Place, explained
from trainer.data.notices import Notices
from trainer.data.samples import Samples
from trainer.errors import DataError
from trainingjob_api.spec.training import Data

if TYPE_CHECKING:
    from PIL.Image import Image

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def class_folders(place: Place, as_meant: bool, notices: Notices | None = None) -> list[tuple[Place, list[File]]]:
    """The folder of each class with its images; as_meant: not hidden ones."""
    if not place.is_folder():
        return []
    passed_over = _hidden if as_meant else _nothing
    listing = place.listing(passed_over)
    others, found = [*map(place.name_of, listing.files), *listing.passed_over], []
    for folder in listing.folders:
        inside, name = folder.listing(passed_over), place.name_of(folder.file)
        images = [file for file in inside.files if file.name.lower().endswith(_SUFFIXES)]
        if images:
            found.append((folder, images))
            rest = [folder.name_of(file) for file in inside.files if file not in images]
            folders = [f"{folder.name_of(each.file)}/" for each in inside.folders]
            others += [f"{name}/{each}" for each in (*rest, *folders, *inside.passed_over)]
        else:
            others.append(f"{name}/ (no images)")
    if notices is not None:
        notices.not_read(place.name, others)
    return found


def _hidden(parts: Sequence[str]) -> bool:
    """What notebooks and file managers leave behind."""
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _nothing(parts: Sequence[str]) -> bool:
    return False


def read_images(place: Place, data: Data, shape: tuple[int, ...] | None, as_meant: bool, notices: Notices) -> Samples:
    """Every image brought to one size and number of channels: to the shape, or to those of the first.

    as_meant: held as the camera was.
    """
    folders = class_folders(place, as_meant, notices)
    files = [(file, place.name_of(folder.file)) for folder, images in folders for file in images]
    if not files:
        raise DataError(f"{place.name} has no folders with images in them; each class needs one of its own")
    size = shape or _shape_of(files[0][0], as_meant)
    if len(size) != 3 or size[0] not in _MODES:
        raise DataError(f"{place.name}: data.shape must be [channels, height, width] with 1, 3 or 4 channels")
    inputs: NDArray[Any] = np.empty((len(files), size[0] * size[1] * size[2]), dtype=np.uint8)
    lost = _Lost(by_request=shape is not None)
    for row, (file, _) in enumerate(files):
        pixels = _pixels(file, size, as_meant, lost)
        inputs = inputs.astype(np.promote_types(inputs.dtype, pixels.dtype), copy=False)
        inputs[row] = pixels.ravel()
    lost.tell(place.name, notices)
    labels = pa.chunked_array([pa.array([label for _, label in files])])
    return Samples(place.name, ("image",), size, inputs, data.target or "class", labels, lambda row: files[row][0].name)


class _Lost:
    """Counts what images have, and the rows that are made of them have not."""

    def __init__(self, by_request: bool) -> None:
        """by_request: the manifest says how many channels there are to be."""
        self._by_request = by_request
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def look_at(self, file: File, image: "Image", channels: int) -> None:
        if getattr(image, "n_frames", 1) > 1:
            self._add("further frames", file)
        if self._by_request:
            return
        if channels == 1 and not (image.mode in ("1", "L", "LA") or _is_deep(image)):
            self._add("colours", file)
        if channels != 4 and image.has_transparency_data:
            self._add("transparency", file)

    def _add(self, what: str, file: File) -> None:
        self._counts[what] += 1
        self._first.setdefault(what, file.name)

    def tell(self, place: str, notices: Notices) -> None:
        for what, count in self._counts.items():
            images = "one image" if count == 1 else f"{count} images"
            notices.add(f"{place}: the {what} of {images} are not read, such as {self._first[what]}")


@contextmanager
def _opened(file: File, as_meant: bool) -> Iterator["Image"]:
    """As every viewer shows it: cameras write beside the pixels how they were held. A bad image is a DataError."""
    from PIL import Image, ImageOps

    try:
        with explained(file), file.open() as opened, Image.open(opened) as image:
            if as_meant:
                ImageOps.exif_transpose(image, in_place=True)
            yield image
    except (SyntaxError, Image.DecompressionBombError) as error:  # a broken PNG, a size that cannot be meant
        raise DataError(f"{file.name} cannot be read: {error}") from error


def _shape_of(file: File, as_meant: bool) -> tuple[int, int, int]:
    with _opened(file, as_meant) as image:
        alone = image.mode in ("1", "L") or _is_deep(image)
        channels = 1 if alone else 4 if image.mode in ("RGBA", "LA", "PA") else 3
        return channels, image.height, image.width


def _pixels(file: File, shape: Sequence[int], as_meant: bool, lost: _Lost) -> NDArray[np.uint8 | np.float32]:
    """(channels, height, width) from 0 to 255; what has 16 bits keeps them as fractions."""
    from PIL.Image import Resampling

    channels, height, width = shape
    with _opened(file, as_meant) as image:
        if image.mode in ("I", "F") and not _is_deep(image):
            raise DataError(f"{file.name} has 32 bits, and it is not known which value is white: save it with 8 or 16")
        lost.look_at(file, image, channels)
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
