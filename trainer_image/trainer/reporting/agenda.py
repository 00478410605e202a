"""What is to be done after the last epoch, what of it is done, and how long the rest may take."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from trainingjob_api.progress import Finishing


@dataclass(frozen=True)
class Task:
    """One thing to do."""

    doing: str
    """In words, such as "exporting to ONNX"."""
    seconds: float = 0.0
    """That it usually takes on two cores."""
    rows: int = 0
    """That go through the network for it."""

    def usual(self, rate: float | None) -> float:
        """rate: rows that training does in a second; to look at them takes a third of that."""
        return self.seconds + (self.rows / (3 * rate) if rate else 0.0)


class Agenda:
    """All tasks; several may be under way at the same time."""

    def __init__(self, tasks: Sequence[Task] = ()) -> None:
        self._left = {task.doing: task for task in tasks}
        self._count = len(self._left)
        self._since: dict[str, float] = {}

    @property
    def has_begun(self) -> bool:
        return bool(self._since)

    @contextmanager
    def during(self, doing: str) -> Iterator[None]:
        """The task is under way inside, and over afterwards."""
        self._since = {**self._since, doing: time.monotonic()}  # never changed in place: others read it meanwhile
        yield
        self._left = {each: task for each, task in self._left.items() if each != doing}

    @property
    def shown(self) -> Finishing | None:
        """None before the first task and after the last."""
        left = self._left
        if not self._since or not left:
            return None
        doing = ", ".join(each for each in left if each in self._since) or next(iter(left))
        return Finishing(doing=doing, done=self._count - len(left), tasks=self._count)

    def seconds_left(self, rate: float | None) -> float:
        """An estimate: what the tasks usually take, without the time that those under way have had."""
        now, since = time.monotonic(), self._since
        had = {doing: now - begin for doing, begin in since.items()}
        return sum(max(0.0, task.usual(rate) - had.get(doing, 0.0)) for doing, task in self._left.items())
