"""Python imports this before all else if its folder is in PYTHONPATH: a disk across a network, which takes 30 ms."""

import os
import time

_SECONDS = 0.03
_fsync = os.fsync


def _slow_fsync(descriptor: int) -> None:
    time.sleep(_SECONDS)
    _fsync(descriptor)


os.fsync = _slow_fsync  # type: ignore[assignment]
