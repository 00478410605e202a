"""Which format a recipe's data has, and how its files are read into memory."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from trainer.config import Mounts
from trainer.data.arrays import Arrays, idx_files, read_idx, read_npz
from trainer.data.choices import Choices
from trainer.data.classes import as_read_at_once
from trainer.data.files import File, Listing, PassedOver, Place, locate, private
from trainer.data.images import class_folders, read_images
from trainer.data.notices import Notices
from trainer.data.partitions import require_none
from trainer.data.samples import Samples
from trainer.data.synthetic import make_samples
from trainer.data.tabular import Columns, TableFormat, choose_columns, read_samples, require_in_all
from trainer.errors import DataError, UserError
from trainingjob_api.spec.training import Data, Test, Training, Validation
from trainingjob_api.spec.training.data import Csv

Format = Literal["csv", "parquet", "npz", "idx", "imageFolder", "synthetic"]
_SUFFIXES: Mapping[str, Format] = {
    ".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet", ".npz": "npz",
    "-ubyte": "idx", "-ubyte.gz": "idx", ".idx": "idx",
}  # fmt: skip

Held = Validation | Test
"""Data beside the training data."""


@dataclass(frozen=True)
class Source:
    """The data of a recipe, before anything is read."""

    recipe: Training
    mounts: Mounts
    format: Format
    choices: Choices
    notices: Notices = field(default_factory=Notices)

    @property
    def data(self) -> Data:
        return self.recipe.data

    @property
    def table_format(self) -> TableFormat | None:
        """None: it has no columns."""
        return self.format if self.format == "csv" or self.format == "parquet" else None

    def read_training(self) -> Samples:
        """Everything that data.path leads to."""
        if self.format == "synthetic":
            return make_samples(self.data, self.recipe.task, self.recipe.seed)
        place, shape = self._place(None), tuple(self.data.shape) if self.data.shape else None
        if self.table_format is None:
            return self._read(place, None, shape)
        files = self.files(None)
        columns = self.columns(files)
        text = self._text_target(columns)
        samples = read_samples(files, self.table_format, columns, shape, text)
        return replace(samples, targets=as_read_at_once(samples.targets)) if text else samples

    def read_like(self, held: Held, training: Samples) -> Samples:
        """Other rows with the same columns and shape."""
        if self.table_format is None:
            self._require_apart(held)
            return self._read(self._place(held), held, training.shape)
        files, columns = self.files(held), Columns(training.features, training.target, self.data.csv or Csv())
        require_in_all(files, self.table_format, columns)
        return read_samples(files, self.table_format, columns, training.shape, self._text_target(columns))

    def files(self, held: Held | None) -> list[File]:
        """Of tables. None: those that are trained on."""
        if held is not None:
            self._require_apart(held)
        return self._fitting(self._place(held))

    def columns(self, files: Sequence[File]) -> Columns:
        """Those that the recipe means."""
        assert self.table_format is not None
        return choose_columns(files, self.table_format, self.data, self.choices.as_meant, self.notices)

    def _place(self, held: Held | None) -> Place:
        path = self.data.path if held is None else held.path
        assert path is not None
        return locate(path, self.mounts)

    def _text_target(self, columns: Columns) -> bool:
        """Whether the target of csv is read as text; not one that is an input as well, the past of a series."""
        is_classes = self.recipe.task == "classification"
        return is_classes and self.format == "csv" and columns.target not in columns.features

    def _read(self, place: Place, held: Held | None, shape: tuple[int, ...] | None) -> Samples:
        if self.format == "npz":
            return read_npz(self._fitting(place), self._arrays(held), self._all_arrays(), shape, self.notices)
        if self.format == "idx":
            return read_idx(place, _idx_prefix(held), self.data, shape, self.notices)
        return read_images(place, self.data, shape, self.choices.as_meant, self.notices)

    def _fitting(self, place: Place) -> list[File]:
        """The files of this format, where a folder or a pattern leads to others as well."""
        listing = place.listing(_passed_over(self.choices))
        _require_files(place, listing)
        fitting = [file for file in listing.files if _format_of_name(file.name) == self.format] or listing.files
        others = [place.name_of(file) for file in listing.files if file not in fitting]
        folders = [f"{place.name_of(folder.file)}/" for folder in listing.folders]
        self.notices.not_read(place.name, [*others, *folders, *listing.passed_over])
        return fitting

    def _arrays(self, held: Held | None) -> Arrays:
        """Of npz: their names."""
        of_training = Arrays(tuple(self.data.features or ["x"]), self.data.target or "y")
        if held is None:
            return of_training
        return Arrays(tuple(held.features or of_training.inputs), held.target or of_training.target)

    def _all_arrays(self) -> set[str]:
        """That the recipe means."""
        sections = (None, self.data.validation, self.data.test)
        return {name for section in sections for name in self._arrays(section).names}

    def _require_apart(self, held: Held) -> None:
        """What measures a network must not be what it has learned, perhaps by heart."""
        section = "validation" if isinstance(held, Validation) else "test"
        if (held.features or held.target) and self.format != "npz":
            raise UserError(
                f"data.{section}: features and target name arrays of npz; columns are called alike everywhere"
            )
        trained, measured = self._origins(None), self._origins(held)
        if not (common := sorted(name for origin, name in measured.items() if origin in trained)):
            return
        text = (
            f"data.{section}.path leads to what is trained on, {common[0]}: measured on that, what is only learned by "
            f"heart looks perfect. Give other data, or {section}.fraction"
        )
        if self.choices.as_meant:
            raise DataError(text)
        self.notices.add(text)

    def _origins(self, held: Held | None) -> dict[str, str]:
        """Files, arrays or folders that are read, and their names for people."""
        place = self._place(held)
        if self.format == "idx":
            files = idx_files(place, _idx_prefix(held))
        elif self.format == "imageFolder":
            files = [folder.file for folder, _ in class_folders(place, self.choices.as_meant)]
        else:
            files = self._fitting(place)
        arrays = f", arrays {' and '.join(self._arrays(held).names)}" if self.format == "npz" else ""
        return {
            f"{os.path.realpath(file.place) if file.is_local else file.place}{arrays}": f"{file.name}{arrays}"
            for file in files
        }


def source_of(recipe: Training, mounts: Mounts, choices: Choices) -> Source:
    """DataError if the format is to be found out and the names do not tell."""
    data = recipe.data
    if data.format != "auto":
        return Source(recipe, mounts, data.format, choices)
    assert data.path is not None
    return Source(recipe, mounts, _format_of(locate(data.path, mounts), _passed_over(choices)), choices)


def _idx_prefix(held: Held | None) -> str:
    return "train" if held is None else "t10k"


def _passed_over(choices: Choices) -> PassedOver:
    return private if choices.as_meant else lambda parts: private(parts[-1:])


def _require_files(place: Place, listing: Listing) -> None:
    if not listing.files:
        require_none(place.name, [place.name_of(folder.file) for folder in listing.folders])
    place.require_files(listing.files)


def _format_of(place: Place, passed_over: PassedOver) -> Format:
    by_name = _format_of_name(place.name)
    if by_name is not None and not place.pattern:
        return by_name
    listing = place.listing(passed_over)
    formats = {found for file in listing.files if (found := _format_of_name(file.name)) is not None}
    if not formats and listing.folders and not place.pattern:
        require_none(place.name, [place.name_of(folder.file) for folder in listing.folders])
        return "imageFolder"
    _require_files(place, listing)
    if len(formats) == 1:
        return formats.pop()
    what = f"holds {' and '.join(sorted(formats))} files" if formats else "does not say by its name what it is"
    shown = f"{place.name}/{place.pattern}" if place.pattern else place.name
    raise DataError(f"{shown} {what}: give data.format")


def _format_of_name(name: str) -> Format | None:
    return next((found for suffix, found in _SUFFIXES.items() if name.lower().endswith(suffix)), None)
