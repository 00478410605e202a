"""Events are written beside the work: in order, once, and without anybody waiting."""

import asyncio
import logging
from typing import Any, cast

import pytest
from tests.unit.operator.factories import NOW, training_job

from support.virtual_time import live, now
from training_operator import recorder as module
from training_operator.builders.event import Note
from training_operator.cluster import Cluster
from training_operator.errors import error_of
from training_operator.recorder import EventRecorder


class ApiServer:
    """Takes events, unless it has something else to say to one."""

    def __init__(self, answers: dict[str, Exception] | None = None) -> None:
        self.answers, self.taken = answers or {}, asyncio.Queue[str]()

    async def create(self, _plural: str, manifest: dict[str, Any]) -> dict[str, Any]:
        if error := self.answers.get(manifest["reason"]):
            raise error
        self.taken.put_nowait(manifest["reason"])
        return manifest


def recorder_for(server: ApiServer) -> EventRecorder:
    return EventRecorder(cast(Cluster, server), lambda: NOW)


async def test_nobody_waits_for_one_and_they_are_written_in_order() -> None:
    server = ApiServer()
    recorder = recorder_for(server)
    for reason in ("AttemptStarted", "Completed"):
        recorder.tell(training_job(), 1, Note(reason, "words"))
    assert server.taken.empty()
    writing = asyncio.create_task(recorder.run())
    assert [await server.taken.get(), await server.taken.get()] == ["AttemptStarted", "Completed"]
    writing.cancel()


@pytest.mark.parametrize(
    ("error", "is_told"),
    [
        pytest.param(
            error_of("POST", "events", 409, b'{"reason": "AlreadyExists"}'), False, id="one that is there is written"
        ),
        pytest.param(error_of("POST", "events", 503, b"{}"), True, id="the API server is away"),
        pytest.param(error_of("POST", "events", 403, b"{}"), True, id="it refuses it"),
    ],
)
async def test_what_cannot_be_written_keeps_no_other_back(
    error: Exception, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = ApiServer({"First": error})
    recorder = recorder_for(server)
    for reason in ("First", "Second"):
        recorder.tell(training_job(), 1, Note(reason, "words"))
    writing = asyncio.create_task(recorder.run())
    assert await server.taken.get() == "Second"
    writing.cancel()
    assert (
        any("no event" in record.message for record in caplog.records if record.levelno >= logging.WARNING) is is_told
    )


async def test_what_is_too_much_is_in_the_log_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    server = ApiServer()
    recorder = recorder_for(server)
    with caplog.at_level(logging.INFO):
        for reason in ("First", "Second"):
            recorder.tell(training_job(), 1, Note(reason, "words"))
    assert "Second: words" in caplog.text
    assert "no event of it" in caplog.text
    writing = asyncio.create_task(recorder.run())
    assert await server.taken.get() == "First"
    writing.cancel()
    assert server.taken.empty()


class SlowServer(ApiServer):
    """Takes as many seconds for one."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    async def create(self, plural: str, manifest: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(self.seconds)
        return await super().create(plural, manifest)


STOPS: dict[str, tuple[float, float, list[str], float]] = {
    # Seconds of a write, when it is told to stop, what is written in the end, and when it has ended.
    "before anything is written": (0.1, 0.2, ["First", "Second"], 0.4),
    "in the middle of a write": (0.1, 0.55, ["First", "Second"], 0.75),
    "when all is written": (0.1, 5, ["First", "Second"], 5),
    "while the API server does not answer": (60, 0.2, [], 2.2),
}


@pytest.mark.parametrize(("seconds", "stopped", "written", "ended"), STOPS.values(), ids=STOPS)
def test_what_is_left_is_written_when_it_is_told_to_stop(
    seconds: float, stopped: float, written: list[str], ended: float
) -> None:
    async def life() -> tuple[list[str], float]:
        server, began = SlowServer(seconds), now()
        recorder = recorder_for(server)
        for reason in ("First", "Second"):
            recorder.tell(training_job(), 1, Note(reason, "words"))
        writing = asyncio.create_task(recorder.run())
        await asyncio.sleep(stopped)
        writing.cancel()
        await asyncio.wait([writing])
        return [server.taken.get_nowait() for _ in range(server.taken.qsize())], round(now() - began, 3)

    assert live(life()) == (written, ended)
