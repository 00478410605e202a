"""Rows as columns, and as text: columns of numbers that are alike compress well."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from trainingjob_api.base import Report
from trainingjob_api.history.packing import pack, unpack
from trainingjob_api.history.row import Row
from trainingjob_api.progress import EXTRA_NAME_LIMIT

NAMES_LIMIT = 64
"""Columns of metrics, and as many of a program's own."""
_UNPACKED_LIMIT = 32 * 1024**2  # bytes
_LAST_SECOND = 253_402_300_799  # of the year 9999

_Number = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Epoch = Annotated[int, Field(ge=1, le=2**63 - 1)]
_Second = Annotated[int, Field(ge=0, le=_LAST_SECOND)]
_Name = Annotated[str, Field(pattern=rf"^[a-zA-Z0-9_.-]{{1,{EXTRA_NAME_LIMIT}}}$")]
_Metrics = Annotated[dict[_Name, list[float | None]], Field(max_length=NAMES_LIMIT)]


class Columns(Report):
    """A list for each column, all of the same length; null: not known, or not measured in that epoch."""

    epoch: list[_Epoch] = Field(default=[])
    attempt: list[_Number | None] = Field(default=[])
    step: list[_Number | None] = Field(default=[])
    ended_at: list[_Second | None] = Field(default=[], description="Unix seconds.")
    metrics: _Metrics = Field(default={})
    extra: _Metrics = Field(default={})

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        lengths = {len(self.attempt), len(self.step), len(self.ended_at)}
        lengths |= {len(column) for columns in (self.metrics, self.extra) for column in columns.values()}
        if lengths != {len(self.epoch)}:
            raise ValueError("the columns must be equally long")
        if any(one >= next for one, next in zip(self.epoch, self.epoch[1:], strict=False)):
            raise ValueError("epochs must be in order, each once")
        return self

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Columns":
        return cls.model_construct(
            epoch=[row.epoch for row in rows],
            attempt=[row.attempt for row in rows],
            step=[row.step for row in rows],
            ended_at=[None if row.ended_at is None else int(row.ended_at.timestamp()) for row in rows],
            metrics=_by_name([row.metrics for row in rows]),
            extra=_by_name([row.extra for row in rows]),
        )

    def rows(self) -> tuple[Row, ...]:
        metrics, extra = _by_row(self.metrics, len(self.epoch)), _by_row(self.extra, len(self.epoch))
        facts = zip(self.epoch, self.attempt, self.step, self.ended_at, metrics, extra, strict=True)
        return tuple(
            Row(epoch, attempt, step, None if ended is None else datetime.fromtimestamp(ended, UTC), numbers, more)
            for epoch, attempt, step, ended, numbers, more in facts
        )

    def packed(self) -> str:
        """JSON, compressed by gzip, as base64; the same rows are always the same text."""
        return pack(self.model_dump_json(by_alias=True))

    @classmethod
    def unpacked(cls, text: str) -> Self:
        """What was packed; ValueError for anything else."""
        return cls.model_validate_json(unpack(text, _UNPACKED_LIMIT)) if text else cls()


def _by_name(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float | None]]:
    """A column for each name, the most frequent ones where there are too many."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in row:
            counts[name] = counts.get(name, 0) + 1
    names = sorted(counts, key=lambda name: -counts[name])[:NAMES_LIMIT]
    return {name: [row.get(name) for row in rows] for name in names}


def _by_row(columns: Mapping[str, Sequence[float | None]], length: int) -> Iterable[Mapping[str, float]]:
    if not columns:
        return [{} for _ in range(length)]
    rows = zip(*columns.values(), strict=True)
    return [{name: number for name, number in zip(columns, row, strict=True) if number is not None} for row in rows]
