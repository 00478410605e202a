"""The end of a log is found without reading all of it."""

from pathlib import Path

import pytest

from local_cluster.node import logs
from local_cluster.node.instance import Instance
from local_cluster.node.logs import LogRequest, read

TEXT = b"one\ntwo\nthree\n"


async def given(folder: Path, text: bytes, tail: int | None = None, limit: int | None = None) -> bytes:
    instance = Instance(folder)
    instance.log.write_bytes(text)
    return b"".join([chunk async for chunk in read(instance, LogRequest(follow=False, tail=tail, limit=limit))])


@pytest.mark.parametrize("chunk", [1, 2, 5, 1000], ids=lambda size: f"{size} bytes at a time")
@pytest.mark.parametrize(
    ("text", "tail", "expected"),
    [
        (TEXT, None, TEXT),
        (TEXT, 0, b""),
        (TEXT, 1, b"three\n"),
        (TEXT, 2, b"two\nthree\n"),
        (TEXT, 3, TEXT),
        (TEXT, 99, TEXT),
        (b"one\ntwo", 1, b"two"),
        (b"one\n\n\n", 2, b"\n\n"),
        (b"", 5, b""),
    ],
)
async def test_the_last_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, text: bytes, tail: int | None, expected: bytes
) -> None:
    monkeypatch.setattr(logs, "_CHUNK", chunk)
    assert await given(tmp_path, text, tail) == expected


async def test_no_more_bytes_than_asked_for(tmp_path: Path) -> None:
    assert await given(tmp_path, TEXT, limit=5) == b"one\nt"
