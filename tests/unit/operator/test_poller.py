"""Following many pods, in virtual time: who answers is asked as often as ever, whoever else does not."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

import pytest

from support.virtual_time import live, now
from training_operator.asking import Source
from training_operator.poller import AT_ONCE, RAREST, SILENCE, Poller
from training_operator.records import Key
from trainingjob_api.progress import Progress
from unit.operator.factories import UID, report

KEY = ("team", "digits")
SOURCE = Source("10.0.0.1", UID, 1)
PACE = 5.0
Pod = Callable[[float], Progress | None]
"""What it answers at a time."""


class Pods:
    """Pods by address, and what became of asking them."""

    def __init__(self, seconds: float = PACE) -> None:
        self.poller = Poller(seconds, self.ask, self._on_report, self._on_news, self._on_silence)
        self.news: list[Key] = []
        self.silent: list[tuple[Key, float]] = []
        self.asked: dict[str, list[float]] = defaultdict(list)
        self._pods: dict[str, tuple[Pod, float]] = {}
        self._at_once = self.most_at_once = 0

    def add(self, name: str, pod: Pod = lambda _: report(), seconds: float = 0.01) -> None:
        """A pod that takes so long to answer; what counts as an answer has no say in it."""
        self._pods[name] = pod, seconds
        self.poller.follow(("team", name), Source(name, UID, 1))

    async def ask(self, source: Source, patience: float) -> Progress | None:
        self.asked[source.pod_ip].append(now())
        pod, seconds = self._pods[source.pod_ip]
        self._at_once += 1
        self.most_at_once = max(self._at_once, self.most_at_once)
        await asyncio.sleep(min(seconds, patience))
        self._at_once -= 1
        return pod(now()) if seconds < patience else None

    def gaps(self, name: str, since: float = 0.0) -> list[float]:
        return [round(b - a, 3) for a, b in pairwise(time for time in self.asked[name] if time >= since)]

    async def _on_report(self, key: Key, source: Source, report: Progress) -> None:
        """Nobody keeps its history."""

    def _on_news(self, key: Key) -> None:
        self.news.append(key)

    def _on_silence(self, key: Key) -> None:
        self.silent.append((key, now()))


DEAF = 1e9
"""Seconds that an answer takes which never comes."""


@pytest.mark.parametrize("others", [0, 300, 3000])
@pytest.mark.parametrize("takes", [DEAF, 2.9], ids=["never answer", "take their time"])
def test_who_answers_is_asked_as_often_as_ever_however_many_others(others: int, takes: float) -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("healthy")
        await asyncio.sleep(10)
        for number in range(others):
            pods.add(f"other-{number}", seconds=takes)
        await asyncio.sleep(600)
        assert max(pods.gaps("healthy")) < PACE + 1
        assert pods.most_at_once <= 3 * AT_ONCE

    live(life())


def test_who_begins_beside_many_silent_ones_is_heard_at_once() -> None:
    async def life() -> None:
        pods = Pods()
        for number in range(3000):
            pods.add(f"deaf-{number}", seconds=DEAF)
        await asyncio.sleep(600)
        pods.add("new")
        await asyncio.sleep(1)
        assert pods.poller.report(("team", "new")) is not None

    live(life())


@pytest.mark.parametrize("takes", [DEAF, 0.001], ids=["deaf", "refuses at once"])
def test_a_silent_one_is_asked_ever_more_rarely_and_never_given_up(takes: float) -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("silent", lambda _: None, seconds=takes)
        await asyncio.sleep(3600)
        gaps = pods.gaps("silent", since=15)
        assert gaps == sorted(gaps)
        assert RAREST <= gaps[-1] < RAREST + 5
        [(_, told)] = pods.silent
        assert SILENCE <= told < 2 * SILENCE

    live(life())


def test_who_answers_again_has_its_old_pace_back() -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("pod", lambda time: None if 100 < time < 2000 else report())
        await asyncio.sleep(3000)
        assert max(pods.gaps("pod", since=2000 + RAREST)) < PACE + 1
        assert len(pods.silent) == 1

    live(life())


def test_one_that_begins_is_asked_every_second_until_it_answers() -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("pod", lambda time: None if time < 8 else report())
        await asyncio.sleep(60)
        assert [round(gap) for gap in pods.gaps("pod")[:9]] == [1] * 8 + [PACE]
        assert pods.news == [("team", "pod")]

    live(life())


def test_a_long_epoch_needs_few_questions() -> None:
    async def life() -> None:
        pods = Pods()
        latest = {"epoch": 3, "trainLoss": 0.5, "secondsPerEpoch": 200}
        pods.add("pod", lambda _: report(latest=latest))
        await asyncio.sleep(600)
        assert {round(gap) for gap in pods.gaps("pod")} == {20}

    live(life())


def test_one_that_is_about_to_end_is_asked_when_it_expects_to_be_over() -> None:
    async def life() -> None:
        pods = Pods()
        latest = {"epoch": 3, "trainLoss": 0.5, "secondsPerEpoch": 200}
        pods.add("pod", lambda time: report(latest=latest, secondsRemaining=max(0.0, 97 - time)) if time < 99 else None)
        await asyncio.sleep(600)
        last = [time for time in pods.asked["pod"] if 90 < time < 99]
        assert [round(time) for time in last] == [97, 98]
        assert min(pods.gaps("pod", since=99)) >= PACE, "one that has gone silent ends nothing"

    live(life())


def test_an_answer_grows_old() -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("pod", lambda time: report(4, 40) if time < 100 else None)
        key = ("team", "pod")
        assert pods.poller.report(key) is None
        await asyncio.sleep(99)
        heard = pods.poller.report(key)
        assert heard is not None
        assert heard.progress.epoch == 4
        assert 0 <= heard.age <= PACE
        await asyncio.sleep(1000)
        old = pods.poller.report(key)
        assert old is not None
        assert old.age > 1000 - PACE
        pods.poller.leave(key)
        assert pods.poller.report(key) is None

    live(life())


def test_only_what_is_worth_a_pass_is_news() -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("pod", lambda time: report(int(time) // 60, int(time)))
        await asyncio.sleep(299)
        assert len(pods.news) == 5
        assert len(pods.asked["pod"]) > 50

    live(life())


def test_another_source_takes_the_place_of_the_first() -> None:
    async def life() -> None:
        pods = Pods()
        pods.add("first")
        pods.add("second")
        pods.poller.follow(("team", "first"), Source("second", UID, 2))
        await asyncio.sleep(60)
        assert pods.asked["first"] == []
        pods.poller.leave_all()
        count = len(pods.asked["second"])
        await asyncio.sleep(60)
        assert len(pods.asked["second"]) == count

    live(life())
