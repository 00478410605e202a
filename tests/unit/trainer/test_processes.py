"""Processes of Linux, as they really are."""

import os
import signal
from pathlib import Path

from trainer.pod.processes import descendants


def test_a_name_that_is_no_text_hides_nobody() -> None:
    """The kernel keeps 15 bytes of a name: a long one may end within a letter."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        Path("/proc/self/comm").write_bytes(b"12345678901234\xd0\xbe")
        os.write(writing, b"named")
        signal.pause()
    try:
        assert os.read(reading, 5) == b"named"
        assert b"\xd0" in Path(f"/proc/{child}/stat").read_bytes()
        assert child in descendants(os.getpid())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
