"""The folder in which the processes of one pod leave word for the supervisor: signs of life, ends, progress, epochs."""

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from trainingjob_api.history import Columns, HistoryPage
from trainingjob_api.progress import Outcome, Progress

_EPOCHS, _EPOCHS_BEFORE = "epochs.jsonl", "epochs.before.jsonl"
_EPOCHS_SIZE = 64 * 1024  # bytes; more than a termination message has room for

RUNS = "runs"
"""Below a job's checkpoints: a folder for each named training of its program."""


@dataclass(frozen=True)
class RankEnd:
    """How one rank ended, in its own words."""

    rank: int
    outcome: Outcome
    time: float
    message: str = ""
    exception: str | None = None
    place: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """File names of a pod's run; every file is replaced whole, so that a reader never sees half of one."""

    path: Path

    def pulse(self, rank: int) -> Path:
        return self.path / f"rank-{rank}.pulse"

    def ranks(self) -> list[int]:
        """Those of this pod that have said something."""
        return sorted(int(path.name.split(".")[0].removeprefix("rank-")) for path in self.path.glob("rank-*.pulse"))

    def write_neighbours(self, addresses: Sequence[str]) -> None:
        """The other pods' IPs, once the ranks have met."""
        self._replace("neighbours.json", json.dumps(addresses))

    def read_neighbours(self) -> list[str]:
        """Empty as long as they are not known."""
        return list(json.loads(self._read("neighbours.json") or "[]"))

    def write_end(self, end: RankEnd) -> None:
        self._replace(f"rank-{end.rank}.end.json", json.dumps(asdict(end)))

    def read_end(self, rank: int) -> RankEnd | None:
        text = self._read(f"rank-{rank}.end.json")
        if text is None:
            return None
        fields = json.loads(text)
        return RankEnd(**{**fields, "outcome": Outcome(fields["outcome"])})

    def write_progress(self, progress: Progress) -> None:
        self._replace("progress.json", progress.model_dump_json(by_alias=True, exclude_none=True))

    def read_progress(self) -> Progress | None:
        text = self._read("progress.json")
        return Progress.model_validate_json(text) if text else None

    def add_page(self, page: HistoryPage) -> None:
        """An epoch more, for the last word; one that does not fit on the disk is not in it."""
        path = self.path / _EPOCHS
        with suppress(OSError), path.open("a") as file:
            file.write(page.model_dump_json(by_alias=True) + "\n")
            if file.tell() > _EPOCHS_SIZE:
                path.replace(self.path / _EPOCHS_BEFORE)

    def read_page(self) -> HistoryPage | None:
        """The newest epochs of this attempt as one page."""
        lines = [line for name in (_EPOCHS_BEFORE, _EPOCHS) for line in (self._read(name) or "").splitlines()]
        pages = [page for line in lines if (page := _page(line))]
        if not pages:
            return None
        rows = {row.epoch: row for page in pages for row in page.columns.rows() if row.epoch <= pages[-1].done}
        return pages[-1].model_copy(update={"columns": Columns.of([rows[epoch] for epoch in sorted(rows)])})

    def write_place(self, checkpoints: str) -> None:
        """Where the training that goes on has its checkpoints: one of several in a program has a folder of its own."""
        self._replace("place", checkpoints)

    def read_place(self) -> str | None:
        return self._read("place")

    def _replace(self, name: str, text: str) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_text(text)
        temporary.replace(self.path / name)

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None


def _page(line: str) -> HistoryPage | None:
    """None: its writer was killed in the middle of it."""
    with suppress(ValueError):
        return HistoryPage.model_validate_json(line)
    return None
