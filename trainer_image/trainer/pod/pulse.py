"""Signs of life: each rank says until when it will be heard of again; the supervisor notices when it is not.

A few bytes of shared memory instead of a watchdog thread: also a rank that is stopped, or holds the interpreter
lock for ever, is found out.
"""

import mmap
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

from trainingjob_api.progress import State

_LAYOUT = struct.Struct("<qqqqqdd")
_STATES = tuple(State)


@dataclass(frozen=True)
class Pulse:
    """What a rank last said. `deadline` is CLOCK_MONOTONIC, which all processes of a machine share; it was `within`
    seconds away."""

    pid: int
    has_stepped: bool
    state: State
    step: int
    epoch: int
    """Whole ones done."""
    deadline: float
    within: float

    def is_overdue(self, now: float) -> bool:
        return now > self.deadline


class PulseWriter:
    """A rank's side; a write is a few bytes of memory, cheap enough for every step."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_LAYOUT.size))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _LAYOUT.size)
        self._pid = os.getpid()
        self.has_stepped = False

    def beat(self, state: State, step: int, within: float, epoch: int = 0) -> None:
        """Promises the next beat within so many seconds."""
        deadline = time.monotonic() + within
        # Not pack_into: it clears the place before it writes, and a reader would see a deadline of 0.
        number = _STATES.index(state)
        self._memory[:] = _LAYOUT.pack(self._pid, self.has_stepped, number, step, epoch, deadline, within)


def read_pulse(path: Path) -> Pulse | None:
    """What the rank last said, or None if it has not said anything yet."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(content) < _LAYOUT.size:
        return None
    pid, has_stepped, state, *rest = _LAYOUT.unpack(content)
    return Pulse(pid, bool(has_stepped), _STATES[state], *rest) if pid else None
