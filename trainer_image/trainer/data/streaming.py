"""Data that stays in its files: looked through once, in pieces, for everything that must be known of the whole."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from pyarrow import parquet
from torch import Tensor

from trainer.data.choices import Choices
from trainer.data.classes import Classes, Label, as_read_at_once
from trainer.data.dataset import DataFacts, Dataset, streamed
from trainer.data.files import File, explained
from trainer.data.pieces import Cursor, Piece, walk
from trainer.data.reading import Held, Source
from trainer.data.resident import scaling_of, target_scaling_of
from trainer.data.samples import shaped
from trainer.data.scaling import Statistics
from trainer.data.split import Dealer, Fractions, Mask, Part
from trainer.data.stream import StreamedRows
from trainer.data.stream_split import Dealt, DrawnByPiece, Split, Splits, Whole
from trainer.data.table import Table
from trainer.data.tabular import Columns, TableFormat, require_in_all
from trainer.errors import DataError
from trainingjob_api.spec.training import Training

_BYTES_PER_VALUE = 20  # while a table is read: as it was found, in float64, and scaled in float32


def load_streamed(recipe: Training, source: Source, choices: Choices) -> Dataset:
    """One pass over the files; two where rows are held back, the first over the targets alone.

    Memory holds one piece of them, the labels, what is known of each piece, and two bits or three of each row.
    """
    data, kind = recipe.data, _table_format(source)
    files = _files(source, None)
    look = _Look(kind, source.columns(files), is_classes=recipe.task == "classification")
    splits = _splits(recipe, look, files, choices)
    survey = look.over_training(files, splits)
    if not any(splits.training.rows(piece) for piece in survey.pieces):
        raise DataError(f"{files[0].name}: {survey.rows} rows are too few to hold back a fraction of them")
    facts = survey.facts(recipe, kind, files[0].name)
    decode = _Decode(look, facts, survey.classes)

    def other(held: Held) -> StreamedRows:
        return look.rows(look.over_others(_files(source, held), decode), Whole(), decode)

    def held_back(split: Split | None) -> StreamedRows | None:
        return None if split is None else look.rows(survey.pieces, split, decode)

    train = look.rows(survey.pieces, splits.training, decode)
    validation, test = held_back(splits.validation), held_back(splits.test)
    if data.validation and data.validation.path:
        validation = other(data.validation)
    digest = look.digest.hexdigest()
    if data.test and data.test.path:
        test = other(data.test)
    return Dataset(facts, train, validation, test, streamed(digest))


@dataclass(frozen=True)
class _Decode:
    """A table to scaled inputs and targets."""

    look: "_Look"
    facts: DataFacts
    classes: Classes | None

    def __call__(self, table: Table) -> tuple[Tensor, Tensor]:
        names = self.look.columns.features
        inputs = self.facts.scaling.apply_float32(
            table.numbers(names), lambda row, column: table.place(names[column], row)
        )
        return torch.from_numpy(inputs), self.targets(table)

    def targets(self, table: Table) -> Tensor:
        target = self.look.columns.target
        if self.classes is not None:
            numbers = self.classes.numbers(table.labels(target), lambda row: table.place(target, row))
            return torch.from_numpy(numbers)
        assert self.facts.target_scaling is not None
        column = self.facts.target_scaling.apply_float32(
            table.numbers([target]), lambda row, _: table.place(target, row)
        )
        return torch.from_numpy(column[:, 0])

    @property
    def nothing(self) -> tuple[Tensor, Tensor]:
        """Rows, but none."""
        kind = torch.float32 if self.classes is None else torch.int64
        return torch.empty(0, self.facts.inputs), torch.empty(0, dtype=kind)


@dataclass(frozen=True)
class _Look:
    """How the files are gone through."""

    kind: TableFormat
    columns: Columns
    is_classes: bool
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    """Of what was seen."""

    @property
    def _text_target(self) -> bool:
        return self.is_classes and self.kind == "csv"

    def _pieces(self, files: Sequence[File]) -> Iterator[tuple[Piece, Table, NDArray[np.float64]]]:
        for piece, table in walk(files, self.kind, self.columns, self._text_target):
            inputs = table.numbers(self.columns.features)
            self.digest.update(inputs.data)
            yield piece, table, inputs

    def over_targets(self, files: Sequence[File]) -> tuple[int, dict[Label, int]]:
        """How many rows there are, and of a classification how many of each label."""
        rows, labels = 0, Counter[Label]()
        target = self.columns.target
        for piece, table in walk(files, self.kind, Columns((), target, self.columns.csv), self._text_target):
            rows += piece.rows
            if self.is_classes:
                labels.update({each["values"]: each["counts"] for each in _counted(table.labels(target))})
        return rows, labels

    def over_training(self, files: Sequence[File], splits: "Splits") -> "_Survey":
        """Checks every value and gathers what the facts are made of."""
        survey = _Survey(self.columns, classes=splits.classes)
        for piece, table, inputs in self._pieces(files):
            splits.deal(piece, table)
            mask = splits.training.mask(piece)
            survey.pieces.append(piece)
            survey.add_inputs(Statistics.of(inputs if mask is None else inputs[mask]))
            if self.is_classes:
                labels = table.labels(self.columns.target)
                unique, trained = (pc.unique(each) for each in (labels, _chosen(labels, mask)))
                survey.add_labels(unique.to_pylist(), trained.to_pylist())
                self.digest.update(str(unique.to_pylist()).encode())
                self.digest.update(pc.index_in(labels, value_set=unique).to_numpy().data)
            else:
                targets = table.numbers([self.columns.target])
                survey.add_targets(Statistics.of(targets if mask is None else targets[mask]))
                self.digest.update(targets.data)
        return survey

    def over_others(self, files: Sequence[File], decode: _Decode) -> list[Piece]:
        """Checks every value."""
        require_in_all(files, self.kind, self.columns)
        pieces = []
        for piece, table, _ in self._pieces(files):
            self.digest.update(decode.targets(table).numpy().data)
            pieces.append(piece)
        return pieces

    def rows(self, pieces: Sequence[Piece], split: Split, decode: _Decode) -> StreamedRows:
        return StreamedRows(pieces, split, decode.nothing, lambda: Cursor(self.columns, self._text_target), decode)


def _counted(labels: pa.ChunkedArray) -> list[dict[str, Any]]:
    return pc.value_counts(labels).to_pylist()  # type: ignore[no-any-return]


def _chosen(labels: pa.ChunkedArray, mask: Mask | None) -> pa.ChunkedArray:
    return labels if mask is None else labels.filter(pa.array(mask))


def _splits(recipe: Training, look: _Look, files: Sequence[File], choices: Choices) -> Splits:
    fractions, name = Fractions.of(recipe.data), files[0].name
    if not fractions.parts:
        return Splits(look.columns.target)
    if not choices.by_class:
        assert fractions.validation is not None
        training, validation = (DrawnByPiece(recipe.seed, fractions.validation, held) for held in (False, True))
        return Splits(look.columns.target, training, validation)
    rows, labels = look.over_targets(files)
    counts, classes = np.array([rows]), None
    if look.is_classes:
        typed = _as_one_type(list(labels), look.kind)
        classes = Classes.of(look.columns.target, typed, name)
        counts = np.zeros(len(classes.labels), dtype=np.int64)
        np.add.at(counts, [classes.number_of(label) for label in typed], list(labels.values()))
    held_back = {part: Dealt(part) for part in fractions.parts}
    return Splits(
        look.columns.target,
        Dealt(Part.TRAINING),
        held_back.get(Part.VALIDATION),
        held_back.get(Part.TEST),
        Dealer(recipe.seed, counts, fractions, name),
        classes,
    )


@dataclass
class _Survey:
    """What one pass over the training files tells."""

    columns: Columns
    pieces: list[Piece] = field(default_factory=list)
    inputs: Statistics | None = None
    targets: Statistics | None = None
    labels: dict[Label, bool] = field(default_factory=dict)
    """Of all rows, and whether rows that are not held back have them."""
    classes: Classes | None = None

    @property
    def rows(self) -> int:
        return sum(piece.rows for piece in self.pieces)

    def add_inputs(self, statistics: Statistics) -> None:
        self.inputs = self.inputs.merged(statistics) if self.inputs else statistics

    def add_targets(self, statistics: Statistics) -> None:
        self.targets = self.targets.merged(statistics) if self.targets else statistics

    def add_labels(self, found: Sequence[Label], trained: Sequence[Label]) -> None:
        for label in found:
            self.labels.setdefault(label, False)
        self.labels.update(dict.fromkeys(trained, True))

    def facts(self, recipe: Training, kind: TableFormat, name: str) -> DataFacts:
        assert self.inputs is not None
        if self.labels:
            found = _as_one_type(list(self.labels), kind)
            self.classes = self.classes or Classes.of(self.columns.target, found, name)
            trained = [label for label, is_trained in zip(found, self.labels.values(), strict=True) if is_trained]
            self.classes.require_all(map(self.classes.number_of, trained), name)
        shape = shaped(name, [len(self.columns.features)], recipe.data.shape)
        return DataFacts(
            self.columns.features,
            shape,
            self.columns.target,
            scaling_of(self.inputs, recipe.data, shape, name, self.columns.features),
            self.classes.labels if self.classes else None,
            target_scaling_of(self.targets, name, self.columns.target) if self.targets else None,
        )


def _as_one_type(labels: Sequence[Label], kind: TableFormat) -> Sequence[Label]:
    """What text means in csv all of it shows; text in parquet is meant as such."""
    if not any(isinstance(label, str) for label in labels):
        return labels
    texts = [str(label) for label in labels]
    return as_read_at_once(pa.array(texts)).to_pylist() if kind == "csv" else texts


def resident_bytes(source: Source) -> int | None:
    """About the most memory that reading the training rows at once would take; None if nothing but that is possible."""
    kind = _table_format(source)
    files = source.files(None)
    if any(file.name.endswith(".gz") for file in files):
        return None
    columns = source.columns(files)
    return sum(_rows(file, kind) for file in files) * len(columns.names) * _BYTES_PER_VALUE


def _rows(file: File, kind: TableFormat) -> int:
    """Of csv: by the length of the first lines."""
    with explained(file):
        if kind == "parquet":
            with file.open() as opened:
                return int(parquet.read_metadata(opened).num_rows)
        size = file.size()
        beginning = file.part(0, min(size, 1 << 18))
        return beginning.count(b"\n") * size // max(1, len(beginning))


def _files(source: Source, held: Held | None) -> list[File]:
    files = source.files(held)
    for file in files:
        if file.name.endswith(".gz"):
            raise DataError(f"{file.name}: gzip cannot be read piece by piece: unpack it, or convert it to parquet")
    return files


def _table_format(source: Source) -> TableFormat:
    assert source.table_format is not None
    return source.table_format
