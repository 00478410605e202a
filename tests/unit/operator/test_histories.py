"""What becomes of epochs: asked for, written once a minute and at an end, whoever is away; in virtual time."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from support.virtual_time import VirtualTime, live, now
from training_operator.asking import Source
from training_operator.attempt import Attempt, PodEnd
from training_operator.cluster import Cluster
from training_operator.errors import TryAgainError
from training_operator.histories import AT_ONCE, PATIENCE, UNSERVED_SECONDS, Histories
from trainingjob_api.history import Columns, History, HistoryPage, Row, TrainingHistory, with_tail
from trainingjob_api.progress import Outcome, Progress, TerminationMessage
from trainingjob_api.resource import TrainingJob
from unit.operator.factories import UID, raw_training_job, report
from unit.operator.world.api import ApiServer
from unit.operator.world.clock import Clock
from unit.operator.world.endpoint import Endpoint, parse, status
from unit.operator.world.objects import Raw

KEY, OTHER = ("team", "digits"), ("team", "other")
POLL = 5.0
PAGE = 10


@dataclass(kw_only=True)
class Wire(Cluster):
    """The real client down to the bytes, and a server in memory."""

    api: ApiServer
    calls: Counter[str] = field(default_factory=Counter)
    refuses: Callable[[str], tuple[int, str] | None] = field(default=lambda method: None)

    async def _send(self, method: str, path: str, query: dict[str, str], body: Raw | None) -> tuple[int, bytes]:
        await asyncio.sleep(0.01)
        self.calls[method] += 1
        if refusal := self.refuses(method):
            return status(*refusal, "no")
        return Endpoint(self.api).answer(parse(method, path, query, json.loads(json.dumps(body))))


class Life:
    """One TrainingJob whose rank 0 does an epoch whenever it is told to."""

    def __init__(self) -> None:
        self.api = ApiServer(Clock(cast(VirtualTime, asyncio.get_running_loop())))
        self.cluster = Wire(connection=cast(Any, None), api=self.api)
        self.uid, self.attempt, self.began, self.rows = UID, 1, 0, dict[int, Row]()
        self.is_silent = False
        self.histories = self.new_operator()
        self.writer = asyncio.create_task(self.histories.run())

    def new_operator(self) -> Histories:
        return Histories(self.cluster, self.ask, self.job_of, lambda: datetime.now(UTC), POLL)

    def job_of(self, key: tuple[str, str]) -> TrainingJob | None:
        return TrainingJob.model_validate(raw_training_job(key[1], self.uid)) if key in (KEY, OTHER) else None

    # The trainer

    def does(self, last: int) -> None:
        for epoch in range(self.done + 1, last + 1):
            self.rows[epoch] = Row(epoch, self.attempt, 10 * epoch, None, {"trainLoss": 1 / epoch})

    def begins(self, attempt: int, began: int) -> None:
        self.attempt, self.began = attempt, began
        self.rows = {epoch: row for epoch, row in self.rows.items() if epoch <= began}

    @property
    def done(self) -> int:
        return max(self.rows, default=self.began)

    def page(self, after: int, most: int = PAGE) -> HistoryPage:
        rows = [row for epoch, row in self.rows.items() if epoch > after]
        columns, more = Columns.of(rows[:most]), len(rows) > most
        ours = {"uid": self.uid, "attempt": self.attempt, "began": self.began, "done": self.done}
        return HistoryPage(**ours, columns=columns, more=more)

    async def ask(self, source: Source, after: int, patience: float) -> HistoryPage | None:
        await asyncio.sleep(patience if self.is_silent else 0.01)
        return None if self.is_silent else self.page(after)

    # The operator

    async def polls(self, seconds: float) -> None:
        """Its progress is asked for, again and again."""
        until = now() + seconds
        while now() < until:
            source = Source(f"10.0.0.{self.attempt}", self.uid, self.attempt)
            await self.histories.catch_up(KEY, source, self.says())
            await asyncio.sleep(POLL)

    def says(self) -> Progress:
        return report(self.done, 10 * self.done, attempt=self.attempt).model_copy(update={"uid": self.uid})

    def ended(self, tail_from: int | None) -> Attempt:
        """Its pods are over, and have left the epochs from one on; None: SIGKILL."""
        said = None
        if tail_from is not None:
            words = TerminationMessage(
                uid=self.uid,
                attempt=self.attempt,
                node_rank=0,
                outcome=Outcome.CRASH,
                exit_code=1,
                time=datetime.now(UTC),
                progress=self.says(),
            )
            said = with_tail(words, self.page(tail_from - 1, most=1000))
        end = PodEnd("pod", 0, 1, False, "Error", None, False, None, said)
        return Attempt(number=self.attempt, ends=(end,), report=self.says())

    async def ends(self, tail_from: int | None) -> None:
        job = self.job_of(KEY)
        assert job is not None
        await self.histories.conclude(job, self.ended(tail_from))

    # What is written

    @property
    def history(self) -> History:
        raw = self.api.get("traininghistories", "digits")
        assert raw is not None
        return TrainingHistory.model_validate(raw).history()

    @property
    def written(self) -> tuple[list[int], list[tuple[int, int]]]:
        return [row.epoch for row in self.history.rows], [tuple(span) for span in self.history.missing]

    @property
    def writes(self) -> int:
        return self.cluster.calls["POST"] + self.cluster.calls["PUT"]


Story = Callable[[Life], Awaitable[None]]


def lived(story: Story) -> None:
    async def life() -> None:
        one = Life()
        try:
            await story(one)
        finally:
            one.writer.cancel()

    live(life())


def epochs(last: int, first: int = 1) -> list[int]:
    return list(range(first, last + 1))


def test_a_running_job_is_written_at_once_and_then_once_a_minute() -> None:
    async def story(life: Life) -> None:
        life.does(3)
        await life.polls(10)
        assert life.written == (epochs(3), [])
        for epoch in range(4, 604):
            life.does(epoch)
            await life.polls(1)
        assert life.writes <= 3 + 603 * POLL / 60
        await life.polls(120)
        assert life.written == (epochs(603), [])

    lived(story)


def test_nothing_is_asked_or_written_in_idle_time() -> None:
    async def story(life: Life) -> None:
        life.does(3)
        await life.polls(100)
        before = Counter(life.cluster.calls)
        await life.polls(3600)
        assert life.cluster.calls == before

    lived(story)


def test_the_object_belongs_to_the_job_and_keeps_what_others_wrote_on_it() -> None:
    async def story(life: Life) -> None:
        life.does(3)
        await life.polls(10)
        life.api.change("traininghistories", "digits", {"metadata": {"annotations": {"a": "b"}, "labels": {"c": "d"}}})
        life.does(4)
        await life.polls(70)
        raw = life.api.get("traininghistories", "digits")
        assert raw is not None
        [owner] = raw["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"], owner["controller"]) == ("TrainingJob", UID, True)
        assert raw["metadata"]["annotations"] == {"a": "b"}
        assert raw["metadata"]["labels"]["c"] == "d"
        assert raw["epochs"] == 4

    lived(story)


def test_the_end_of_an_attempt_is_written_at_once_with_what_the_pod_has_left() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(1)
        life.does(9)
        await life.ends(tail_from=6)
        assert life.written == (epochs(9), [])

    lived(story)


def test_what_lies_between_the_last_look_and_the_tail_is_missing_until_the_next_attempt_tells_it() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(1)
        life.does(30)
        await life.ends(tail_from=21)
        assert life.written == (epochs(5) + epochs(30, 21), [(6, 20)])
        life.begins(2, began=28)
        life.does(31)
        await life.polls(70)
        assert life.written == (epochs(31), [])
        assert [row.attempt for row in life.history.rows[27:]] == [1, 2, 2, 2]

    lived(story)


def test_after_sigkill_what_was_known_to_be_done_is_missing() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(1)
        life.does(8)
        await life.ends(tail_from=None)
        assert life.written == (epochs(5), [(6, 8)])

    lived(story)


def test_a_trainer_that_tells_no_epochs_leaves_them_missing() -> None:
    async def story(life: Life) -> None:
        life.does(8)
        life.is_silent = True
        await life.polls(60)
        await life.ends(tail_from=None)
        assert life.written == ([], [(1, 8)])

    lived(story)


def test_an_operator_that_takes_over_asks_for_everything() -> None:
    async def story(life: Life) -> None:
        life.does(35)
        await life.polls(10)
        life.does(50)
        life.histories = life.new_operator()
        await life.polls(10)
        await life.ends(tail_from=None)
        assert life.written == (epochs(50), [])

    lived(story)


def test_an_operator_that_finds_only_pods_that_are_over_reads_what_they_left() -> None:
    async def story(life: Life) -> None:
        life.does(20)
        await life.ends(tail_from=3)
        assert life.written == (epochs(20, 3), [(1, 2)])

    lived(story)


def test_a_history_that_somebody_has_deleted_is_told_again_by_who_runs() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(10)
        life.api.delete("traininghistories", "digits")
        life.does(6)
        await life.polls(200)
        assert life.written == (epochs(6), [])

    lived(story)


@pytest.mark.parametrize("data", ["", "nonsense"])
def test_a_history_that_somebody_has_damaged_begins_anew(data: str) -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(10)
        life.api.change("traininghistories", "digits", {"data": data, "epochs": -1})
        life.does(6)
        life.begins(2, 6)
        await life.polls(70)
        assert life.written == (epochs(6), [])

    lived(story)


def test_a_new_job_of_the_same_name_takes_it_over() -> None:
    async def story(life: Life) -> None:
        life.does(50)
        await life.polls(10)
        life.uid, life.rows = "another", {}
        life.does(2)
        await life.polls(70)
        assert life.history.uid == "another"
        assert life.written == (epochs(2), [])

    lived(story)


def test_a_long_history_is_asked_for_in_parts() -> None:
    async def story(life: Life) -> None:
        life.does(50 * PAGE)
        await life.polls(10)
        assert 0 < life.history.epochs < 50 * PAGE
        assert life.history.missing == ()
        await life.polls(300)
        assert life.written == (epochs(50 * PAGE), [])

    lived(story)


@pytest.mark.parametrize("code", [404, 403, 422])
def test_a_cluster_without_histories_is_asked_rarely_and_has_them_once_it_has_the_kind(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(life: Life) -> None:
        life.cluster.refuses = lambda method: (404, "NotFound") if method == "GET" else (code, "Refused")
        for epoch in range(1, 60):
            life.does(epoch)
            await life.polls(10)
            await life.ends(tail_from=epoch)
        assert len(caplog.records) == life.writes <= 2 + 60 * 10 / UNSERVED_SECONDS
        life.cluster.refuses = lambda method: None
        life.does(60)
        await life.polls(2 * UNSERVED_SECONDS)
        assert life.written == (epochs(60), [])

    lived(story)


def test_of_a_history_that_is_refused_no_other_suffers(caplog: pytest.LogCaptureFixture) -> None:
    async def story(life: Life) -> None:
        life.cluster.refuses = lambda method: (403, "Forbidden") if method == "POST" else None
        life.does(5)
        await life.polls(10)
        life.cluster.refuses = lambda method: None
        await life.histories.catch_up(OTHER, Source("10.0.1.1", UID, 1), life.says())
        await asyncio.sleep(10)
        assert [raw["metadata"]["name"] for raw in life.api.objects("traininghistories")] == ["other"]
        assert [record.getMessage().split(":")[0] for record in caplog.records] == [
            "the history of team/digits is refused"
        ]

    lived(story)


def test_that_there_are_no_histories_is_said_once_for_all(caplog: pytest.LogCaptureFixture) -> None:
    async def story(life: Life) -> None:
        life.cluster.refuses = lambda method: (404, "NotFound")
        life.does(5)
        for key in (KEY, OTHER):
            await life.histories.catch_up(key, Source("10.0.1.1", UID, 1), life.says())
        await asyncio.sleep(300)
        assert life.writes == 2
        assert len(caplog.records) == 1
        assert "kubectl apply --server-side -k crds" in caplog.records[0].getMessage()

    lived(story)


def test_an_api_server_that_is_away_costs_nothing_but_time() -> None:
    async def story(life: Life) -> None:
        life.cluster.refuses = lambda method: (503, "Busy")
        life.does(5)
        await life.polls(100)
        with pytest.raises(TryAgainError):
            await life.ends(tail_from=None)
        life.cluster.refuses = lambda method: None
        await life.ends(tail_from=None)
        assert life.written == (epochs(5), [])

    lived(story)


def test_the_end_does_not_wait_for_ever() -> None:
    async def story(life: Life) -> None:
        life.cluster.refuses = lambda method: (503, "Busy")
        life.does(5)
        for _ in range(2):
            with pytest.raises(TryAgainError):
                await life.ends(tail_from=1)
        await life.ends(tail_from=1)

    lived(story)


def test_whoever_else_writes_at_the_same_time_loses_nothing() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        await life.polls(10)
        life.does(6)
        conflicts = iter([(409, "Conflict")])
        life.cluster.refuses = lambda method: next(conflicts, None) if method == "PUT" else None
        await life.polls(200)
        assert life.written == (epochs(6), [])

    lived(story)


def test_pods_that_keep_their_epochs_to_themselves_keep_nobody_waiting() -> None:
    async def story(life: Life) -> None:
        life.is_silent = True
        life.does(1)
        sources = [Source(f"10.0.1.{number}", UID, 1) for number in range(3 * AT_ONCE)]
        began = now()
        await asyncio.gather(
            *(life.histories.catch_up(("team", source.pod_ip), source, life.says()) for source in sources)
        )
        assert now() - began <= PATIENCE

    lived(story)


def test_a_page_about_nothing_that_anybody_did_ends_the_asking() -> None:
    async def story(life: Life) -> None:
        asked = Counter[int]()

        async def ask(source: Source, after: int, patience: float) -> HistoryPage | None:
            asked[after] += 1
            return HistoryPage(uid=UID, attempt=1, began=0, done=2**63 - 1, more=True)

        histories = Histories(life.cluster, ask, life.job_of, lambda: datetime.now(UTC), POLL)
        await histories.catch_up(KEY, Source("10.0.0.1", UID, 1), report(1, 10))
        assert sum(asked.values()) <= 2

    lived(story)


def test_a_job_that_is_gone_is_forgotten() -> None:
    async def story(life: Life) -> None:
        life.does(5)
        source = Source("10.0.0.1", UID, 1)
        await life.histories.catch_up(("team", "gone"), replace(source), life.says())
        await asyncio.sleep(100)
        assert life.api.objects("traininghistories") == []

    lived(story)
