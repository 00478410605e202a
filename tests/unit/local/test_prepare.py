"""What is said while the environment and the control plane are made, and how it ends."""

import threading
from collections.abc import Sequence

import pytest

from local_cluster import build
from local_cluster.estimate import words
from quickstart.prepare import MEANWHILE, Downloads, Screen, Work, follow
from support.waiting import PATIENCE


@pytest.mark.parametrize(
    ("share", "seconds", "expected"),
    [
        pytest.param(0.0, 100, "", id="nothing is known before anything is done"),
        pytest.param(0.02, 100, "", id="nor soon after"),
        pytest.param(0.25, 60, ", about 3 min left", id="as long for the rest as for what is done"),
        pytest.param(0.5, 50, ", less than a minute left", id="soon"),
        pytest.param(1.0, 500, ", less than a minute left", id="all is done"),
        pytest.param(1.1, 500, ", less than a minute left", id="more is done than was known of"),
    ],
)
def test_how_long_work_may_still_take(share: float, seconds: float, expected: str) -> None:
    assert words(share, seconds) == expected


def test_what_uv_says_becomes_a_sum() -> None:
    downloads = Downloads()
    told = [
        downloads.state(line)
        for line in (
            "Resolved 3 packages in 1.11s",
            "Downloading torch (1.5GiB)",
            "Downloading numpy (16.1MiB)",
            "Downloading six (512.0KiB)",
            "Downloaded numpy",
            "Downloaded unheard-of",
            "Installed 3 packages in 117ms",
        )
    ]
    assert told == [
        "Resolved 3 packages in 1.11s",
        "downloaded 0 of 1536 MiB",
        "downloaded 0 of 1552 MiB",
        "downloaded 0 of 1553 MiB",
        "downloaded 16 of 1553 MiB",
        "downloaded 16 of 1553 MiB",
        "compiling bytecode, a minute or two",
    ]


class Shown(Screen):
    """Keeps what a person would see, and lets work go on once that has been seen."""

    def __init__(self, seen: threading.Event, once_told: bool = False) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.said: list[str] = []
        self._seen, self._once_told = seen, once_told

    def show(self, lines: Sequence[str]) -> None:
        self.lines += lines
        if self.said or not self._once_told:
            self._seen.set()

    def say(self, text: str) -> None:
        self.said.append(text)


def busy(name: str, until: threading.Event) -> Work:
    """Has said so when this returns."""
    said = threading.Event()

    def work(tell: build.Report) -> None:
        tell("is busy")
        said.set()
        assert until.wait(PATIENCE)

    begun = Work(name, work)
    assert said.wait(PATIENCE)
    return begun


def nothing(tell: build.Report) -> None:
    """Is done at once."""


def failing(tell: build.Report) -> None:
    raise RuntimeError("no network")


def test_who_waits_for_the_control_plane_hears_what_can_be_done_without() -> None:
    built = threading.Event()
    screen = Shown(built, once_told=True)
    assert follow(Work("environment", nothing), busy("control plane", until=built), screen) == 0
    assert screen.said == [MEANWHILE]
    assert {"environment: ready", "control plane: is busy"} <= set(screen.lines)


def test_who_waits_for_the_environment_does_not() -> None:
    made = threading.Event()
    screen, control_plane = Shown(made), Work("control plane", nothing)
    assert control_plane.is_done(PATIENCE)
    assert follow(busy("environment", until=made), control_plane, screen) == 0
    assert {"environment: is busy", "control plane: ready"} <= set(screen.lines)
    assert screen.said == []


def test_who_waits_for_nothing_hears_and_sees_nothing() -> None:
    works = [Work("environment", nothing), Work("control plane", nothing)]
    assert all(work.is_done(PATIENCE) for work in works)
    screen = Shown(threading.Event())
    assert follow(*works, screen) == 0
    assert screen.said == screen.lines == []


def test_a_problem_of_one_is_the_end_of_both() -> None:
    never = threading.Event()
    screen, environment = Shown(threading.Event()), Work("environment", failing)
    assert environment.is_done(PATIENCE)
    assert follow(environment, busy("control plane", until=never), screen) == 1
    assert screen.said == ["environment: begins\nno network"]
    never.set()
