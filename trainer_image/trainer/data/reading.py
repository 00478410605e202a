"""Which format a recipe's data has, and how its files are read into memory."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from trainer.config import Mounts
from trainer.data.arrays import read_idx, read_npz
from trainer.data.classes import as_read_at_once
from trainer.data.files import File, Place, locate
from trainer.data.images import read_images
from trainer.data.samples import Samples
from trainer.data.synthetic import make_samples
from trainer.data.tabular import Columns, choose_columns, read_samples, require_in_all
from trainer.errors import DataError
from trainingjob_api.spec.training import Data, Training
from trainingjob_api.spec.training.data import Csv

Format = Literal["csv", "parquet", "npz", "idx", "imageFolder", "synthetic"]
_SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".npz": "npz",
    "-ubyte": "idx", "-ubyte.gz": "idx", ".idx": "idx",
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """The data of a recipe, before anything is read."""

    recipe: Training
    mounts: Mounts
    format: Format

    @property
    def data(self) -> Data:
        return self.recipe.data

    def read_training(self) -> Samples:
        """Everything that data.path leads to."""
        if self.format == "synthetic":
            return make_samples(self.data, self.recipe.task, self.recipe.seed)
        assert self.data.path is not None
        place, shape = locate(self.data.path, self.mounts), self.data.shape
        if self.format == "csv" or self.format == "parquet":
            files = self.files(place)
            columns = choose_columns(files, self.format, self.data)
            text = self._text_target(columns)
            samples = read_samples(files, self.format, columns, shape, text)
            return replace(samples, targets=as_read_at_once(samples.targets)) if text else samples
        return self._read(place, "train", tuple(shape) if shape else None)

    def read_like(self, path: str, training: Samples) -> Samples:
        """Other rows with the same columns and shape."""
        place = locate(path, self.mounts)
        if self.format == "csv" or self.format == "parquet":
            files, columns = self.files(place), Columns(training.features, training.target, self.data.csv or Csv())
            require_in_all(files, self.format, columns)
            return read_samples(files, self.format, columns, training.shape, self._text_target(columns))
        return self._read(place, "t10k", training.shape)

    def _text_target(self, columns: Columns) -> bool:
        """Whether the target of csv is read as text; not one that is an input as well, the past of a series."""
        is_classes = self.recipe.task == "classification"
        return is_classes and self.format == "csv" and columns.target not in columns.features

    def _read(self, place: Place, idx_prefix: str, shape: tuple[int, ...] | None) -> Samples:
        if self.format == "npz":
            return read_npz(self.files(place), self.data, shape)
        if self.format == "idx":
            return read_idx(place, idx_prefix, self.data, shape)
        return read_images(place, self.data, shape)

    def files(self, place: Place) -> list[File]:
        """Those of this format, where a folder or a pattern leads to others as well."""
        files = place.files()
        fitting = [file for file in files if _format_of_name(file.name) == self.format]
        return fitting or files


def source_of(recipe: Training, mounts: Mounts) -> Source:
    """DataError if the format is to be found out and the names do not tell."""
    data = recipe.data
    if data.format != "auto":
        return Source(recipe, mounts, data.format)
    assert data.path is not None
    return Source(recipe, mounts, _format_of(locate(data.path, mounts)))


def _format_of(place: Place) -> Format:
    by_name = _format_of_name(place.name)
    if by_name is not None and not place.pattern:
        return by_name
    if place.is_folder() and place.folders() and not _formats_in(place):
        return "imageFolder"
    formats = _formats_in(place)
    if len(formats) == 1:
        return formats.pop()
    what = f"holds {' and '.join(sorted(formats))} files" if formats else "does not say by its name what it is"
    shown = f"{place.name}/{place.pattern}" if place.pattern else place.name
    raise DataError(f"{shown} {what}: give data.format")


def _formats_in(place: Place) -> set[Format]:
    try:
        files = place.files()
    except DataError:
        if place.is_folder() and place.folders():
            return set()
        raise
    return {found for file in files if (found := _format_of_name(file.name)) is not None}


def _format_of_name(name: str) -> Format | None:
    return next((found for suffix, found in _SUFFIXES.items() if name.lower().endswith(suffix)), None)
