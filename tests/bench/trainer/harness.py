"""How two ways of doing the same are compared: interleaved, as ratios of neighbours, with equal results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal


def one_thread(gpu: bool = False) -> dict[str, str]:
    """The environment of every process on both sides; a GPU is seen only where one is asked for."""
    return {"OMP_NUM_THREADS": "1", **({} if gpu else {"CUDA_VISIBLE_DEVICES": ""})}


@dataclass(frozen=True)
class Measured:
    """One run of one side."""

    value: float
    loss: float | None = None
    """What the training came to, to see that both sides did the same work."""


Side = Callable[[Path], Measured]
"""Runs once in an empty folder of its own."""


@dataclass(frozen=True)
class Rival:
    """What ours is compared with."""

    name: str
    run: Side
    aim: float
    """What ours divided by this should be: at least, or at most where less is better."""


@dataclass(frozen=True)
class Comparison:
    """Ours and its rivals, which take turns."""

    name: str
    what: str
    unit: str
    ours: Side
    rivals: tuple[Rival, ...]
    better: Literal["more", "less"] = "more"
    tolerance: float = 1e-3
    """Relative difference of final losses that rounding explains."""
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot be measured here."""
    advice: str = ""
    """What to do with the table."""


@dataclass(frozen=True)
class Verdict:
    """Ours against one rival: medians, and the ratio of each pair of neighbours."""

    rival: Rival
    ours: float
    theirs: float
    ratios: tuple[float, ...]
    loss_difference: float | None

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    def is_reached(self, comparison: Comparison) -> bool:
        return self.ratio >= self.rival.aim if comparison.better == "more" else self.ratio <= self.rival.aim

    def is_same_work(self, comparison: Comparison) -> bool:
        return self.loss_difference is None or self.loss_difference <= comparison.tolerance


@dataclass
class Runs:
    """What all sides have measured, in the order of the runs; the first of each warms up what is shared."""

    ours: list[Measured] = field(default_factory=list)
    theirs: dict[str, list[Measured]] = field(default_factory=dict)


def take_turns(comparison: Comparison, repeats: int, scratch: Path, tell: Callable[[str], None]) -> Runs:
    """A B C A B C ...: `repeats` rounds after one that does not count."""
    sides: Mapping[str, Side] = {"ours": comparison.ours, **{each.name: each.run for each in comparison.rivals}}
    runs = Runs(theirs={each.name: [] for each in comparison.rivals})
    for number in range(repeats + 1):
        for place, (name, side) in enumerate(sides.items()):
            tell(f"{comparison.name}: {name}, round {number} of {repeats}")
            folder = scratch / f"{comparison.name}-{number}-{place}"
            folder.mkdir(parents=True)
            (runs.ours if place == 0 else runs.theirs[name]).append(side(folder))
    return runs


def judge(comparison: Comparison, runs: Runs) -> list[Verdict]:
    """The warm-up round left out."""
    ours = runs.ours[1:]
    return [_verdict(rival, ours, list(islice(runs.theirs[rival.name], 1, None))) for rival in comparison.rivals]


def _verdict(rival: Rival, ours: list[Measured], theirs: list[Measured]) -> Verdict:
    pairs = list(zip(ours, theirs, strict=True))
    differences = [abs(a.loss - b.loss) / abs(b.loss) for a, b in pairs if a.loss is not None and b.loss is not None]
    return Verdict(
        rival,
        median(each.value for each in ours),
        median(each.value for each in theirs),
        tuple(a.value / b.value for a, b in pairs),
        max(differences) if differences else None,
    )
