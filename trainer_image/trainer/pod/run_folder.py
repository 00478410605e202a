"""The folder in which the processes of one pod leave word for the supervisor: signs of life, ends, progress."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from trainingjob_api.progress import Outcome, Progress


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

    def _replace(self, name: str, text: str) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_text(text)
        temporary.replace(self.path / name)

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text()
        except FileNotFoundError:
            return None
