"""The election, in virtual time: never two who may act, somebody soon, and at once when one leaves in good order."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest

from support.virtual_time import live, now
from training_operator.cluster import Cluster
from training_operator.election import Election
from training_operator.errors import AlreadyExistsError, ConflictError, RefusedError, TryAgainError
from training_operator.lease import SECONDS, Lease, given_back, read_lease, taken
from unit.operator.factories import NOW

LEASE = "system/operator"


class Server:
    """One Lease, as the API server keeps it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self._version = 0

    def write(self, lease: dict[str, Any]) -> None:
        self._version += 1
        self.lease = {**lease, "metadata": {**lease["metadata"], "resourceVersion": str(self._version)}}

    def create(self, lease: dict[str, Any]) -> None:
        if self.lease is not None:
            raise AlreadyExistsError(409, "there")
        self.write(lease)

    def replace(self, lease: dict[str, Any]) -> None:
        if self.lease is None or self.lease["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            raise ConflictError("changed")
        self.write(lease)

    @property
    def holder(self) -> str | None:
        return read_lease(self.lease).holder_identity


class Line:
    """One replica's line to the server: it has a delay, and can be cut or lose the answers."""

    def __init__(self, server: Server, delay: float = 0.01) -> None:
        self.server, self.delay = server, delay
        self.is_cut = self.loses_answers = False
        self.refuses = False

    async def get(self, plural: str, namespace: str, name: str) -> dict[str, Any] | None:
        assert (plural, f"{namespace}/{name}") == ("leases", LEASE)
        found: dict[str, Any] | None = await self._ask(lambda: self.server.lease, self.delay)
        await asyncio.sleep(self.delay)
        return found

    async def create(self, plural: str, lease: dict[str, Any]) -> None:
        await self._ask(lambda: self.server.create(lease), 2 * self.delay)
        await asyncio.sleep(1e9 if self.loses_answers else self.delay)

    async def replace(self, plural: str, lease: dict[str, Any]) -> None:
        await self._ask(lambda: self.server.replace(lease), 2 * self.delay)
        await asyncio.sleep(1e9 if self.loses_answers else self.delay)

    async def _ask(self, what: Callable[[], Any], delay: float) -> Any:
        """What was sent arrives, even when nobody waits for the answer any more."""
        if self.is_cut:
            await asyncio.sleep(30)
            raise TryAgainError("away")
        if self.refuses:
            raise RefusedError(403, "no right")
        answer = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(delay, self._arrive, what, answer)
        return await answer

    @staticmethod
    def _arrive(what: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
        try:
            result = what()
        except (ConflictError, RefusedError) as error:
            if not answer.cancelled():
                answer.set_exception(error)
        else:
            if not answer.cancelled():
                answer.set_result(result)


class Replica:
    """A candidate and its life."""

    def __init__(self, name: str, server: Server, delay: float = 0.01) -> None:
        self.name, self.line = name, Line(server, delay)
        self.election = Election(cast(Cluster, self.line), LEASE, name, now)
        self.led: list[float] = []
        """When it began to lead."""
        self.is_acting = False
        self._life = asyncio.create_task(self.election.run(self._lead))

    async def _lead(self) -> None:
        self.led.append(now())
        self.is_acting = True
        try:
            await asyncio.sleep(1e9)
        finally:
            self.is_acting = False

    async def stop(self) -> None:
        """SIGTERM."""
        self._life.cancel()
        with suppress(asyncio.CancelledError):
            await self._life

    async def kill(self) -> None:
        """SIGKILL: nothing more is heard of it."""
        self.line.is_cut = True
        await self.stop()

    @property
    def may_act(self) -> bool:
        return self.election.is_leading()


async def two(delay: float = 0.01) -> tuple[Replica, Replica]:
    """One that leads and one that stands by."""
    server = Server()
    first = Replica("first", server, delay)
    await asyncio.sleep(1)
    second = Replica("second", server)
    await asyncio.sleep(30)
    assert (first.may_act, second.may_act) == (True, False)
    assert first.is_acting
    return first, second


async def until_it_leads(replica: Replica) -> float:
    """Seconds until then."""
    began = now()
    while not (replica.may_act and replica.is_acting):
        await asyncio.sleep(0.05)
        assert now() - began < 100
    return now() - began


def test_one_that_is_alone_leads_at_once_and_for_ever() -> None:
    async def life() -> None:
        replica = Replica("only", Server())
        assert await until_it_leads(replica) < 0.2
        await asyncio.sleep(3600)
        assert replica.may_act
        assert len(replica.led) == 1

    live(life())


def test_one_that_leaves_in_good_order_hands_over_at_once() -> None:
    async def life(moment: float) -> None:
        first, second = await two(delay=0.1)
        await asyncio.sleep(moment)
        await first.stop()
        assert await until_it_leads(second) < 1.5

    for tick in range(50):  # also while a renewal is under way
        live(life(tick / 20))


def test_one_that_is_killed_is_followed_within_fifteen_seconds() -> None:
    async def life(moment: float) -> None:
        first, second = await two()
        await asyncio.sleep(moment)
        killed = now()
        await first.kill()
        await until_it_leads(second)
        assert second.led[-1] - killed <= 15

    for tenth in range(20):
        live(life(tenth / 10))


@pytest.mark.parametrize("trouble", ["is_cut", "loses_answers", "refuses"])
def test_one_that_cannot_renew_stops_before_another_may_begin(trouble: str) -> None:
    async def life() -> None:
        first, second = await two()
        setattr(first.line, trouble, True)
        stopped = None
        for _ in range(400):
            await asyncio.sleep(0.05)
            assert not (first.may_act and second.may_act)
            assert not (first.is_acting and second.is_acting)
            stopped = stopped or (None if first.is_acting else now())
        assert stopped is not None
        setattr(first.line, trouble, False)
        await asyncio.sleep(30)
        assert [first.may_act, second.may_act].count(True) == 1

    live(life())


def test_an_outage_for_all_ends_with_one_that_leads() -> None:
    async def life() -> None:
        first, second = await two()
        first.line.is_cut = second.line.is_cut = True
        await asyncio.sleep(100)
        assert not first.is_acting
        assert not second.is_acting
        first.line.is_cut = second.line.is_cut = False
        await asyncio.sleep(5)
        assert [first.is_acting, second.is_acting].count(True) == 1

    live(life())


def test_one_that_stood_still_must_not_act_and_looks_first() -> None:
    async def life() -> None:
        first, second = await two()
        asyncio.get_running_loop().stand_still(60)  # type: ignore[attr-defined]
        assert not first.may_act
        # All that waited goes on at once, before the first look.
        await asyncio.sleep(0)
        assert not first.may_act
        await asyncio.sleep(5)
        assert [first.may_act, second.may_act].count(True) == 1

    live(life())


def test_a_lease_that_is_deleted_is_made_again() -> None:
    async def life(moment: float) -> None:
        first, second = await two()
        await asyncio.sleep(moment)
        first.line.server.lease = None
        for _ in range(100):
            await asyncio.sleep(0.1)
            assert first.is_acting
            assert not second.may_act
        assert first.line.server.holder == "first"

    for tenth in range(20):
        live(life(tenth / 10))


def test_a_lease_that_is_deleted_when_its_holder_is_dead_is_made_by_another() -> None:
    async def life() -> None:
        first, second = await two()
        await first.kill()
        first.line.server.lease = None
        await asyncio.sleep(15)
        assert second.is_acting

    live(life())


def test_a_lease_that_was_given_to_another_by_hand_is_let_go() -> None:
    async def life() -> None:
        first, second = await two()
        server = first.line.server
        assert server.lease is not None
        server.write(taken(server.lease, "system", "operator", "somebody", NOW))
        await asyncio.sleep(5)
        assert not first.is_acting
        assert not second.is_acting
        await asyncio.sleep(10)
        assert [first.may_act, second.may_act].count(True) == 1

    live(life())


def test_what_others_write_on_the_lease_disturbs_nobody() -> None:
    async def life() -> None:
        first, _ = await two()
        server = first.line.server
        for _ in range(100):
            await asyncio.sleep(0.7)
            assert server.lease is not None
            server.write({**server.lease, "metadata": {**server.lease["metadata"], "labels": {"at": str(now())}}})
            assert first.is_acting
        assert len(first.led) == 1
        await asyncio.sleep(5)
        assert server.lease is not None
        assert "labels" in server.lease["metadata"]

    live(life())


def test_a_leader_that_breaks_gives_the_lease_back() -> None:
    async def life() -> None:
        server = Server()

        async def lead() -> None:
            raise ZeroDivisionError

        with pytest.raises(ExceptionGroup):
            await Election(cast(Cluster, Line(server)), LEASE, "broken", now).run(lead)
        assert server.holder == ""

    live(life())


def test_trouble_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    async def life() -> None:
        _, second = await two()
        second.line.refuses = True
        await asyncio.sleep(60)
        assert second.election.problems() == ["the Lease system/operator: no right"]
        second.line.refuses = False
        await asyncio.sleep(5)
        assert second.election.problems() == []

    live(life())
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "the Lease system/operator: no right"
    ]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_never_two_may_act_and_one_does_once_all_is_well(seed: int) -> None:
    async def life() -> None:
        draw, server = random.Random(seed), Server()
        replicas = [Replica(f"{number}", server, delay=draw.choice([0.001, 0.3, 0.9])) for number in range(3)]
        for moment in range(3000):
            await asyncio.sleep(0.1)
            assert sum(replica.may_act for replica in replicas) <= 1, (seed, moment)
            if draw.random() < 0.02:
                one = draw.randrange(3)
                await _disturb(draw, replicas, one, server)
        for replica in replicas:
            replica.line.is_cut = replica.line.loses_answers = False
        await asyncio.sleep(15 + SECONDS)
        assert [replica.may_act for replica in replicas].count(True) == 1, seed

    live(life())


async def _disturb(draw: random.Random, replicas: list[Replica], one: int, server: Server) -> None:
    replica = replicas[one]
    match draw.choice(["cut", "mend", "lose", "stop", "kill", "still"]):
        case "cut":
            replica.line.is_cut = True
        case "mend":
            replica.line.is_cut = replica.line.loses_answers = False
        case "lose":
            replica.line.loses_answers = True
        case "stop":
            await replica.stop()
            replicas[one] = Replica(f"{replica.name}+", server, replica.line.delay)
        case "kill":
            await replica.kill()
            replicas[one] = Replica(f"{replica.name}+", server, replica.line.delay)
        case "still":
            asyncio.get_running_loop().stand_still(draw.uniform(0, 20))  # type: ignore[attr-defined]


def test_a_lease_says_who_holds_it_since_when_and_how_often_that_changed() -> None:
    first = taken(None, "system", "operator", "a", NOW)
    assert first["metadata"] == {"namespace": "system", "name": "operator"}
    renewed = taken({**first, "metadata": {"labels": {}}}, "system", "operator", "a", NOW.replace(second=5))
    assert renewed["metadata"] == {"labels": {}}
    free = given_back(renewed, NOW.replace(second=6))
    again = taken(free, "system", "operator", "b", NOW.replace(second=7))
    told = [read_lease(lease) for lease in (first, renewed, free, again)]
    assert [lease.holder_identity for lease in told] == ["a", "a", "", "b"]
    assert [str(lease.acquire_time)[17:] for lease in told] == ["00.000000Z"] * 3 + ["07.000000Z"]
    assert [str(lease.renew_time)[17:19] for lease in told] == ["00", "05", "06", "07"]
    assert [lease.lease_transitions for lease in told] == [0, 0, 0, 1]


def test_a_lease_of_another_kind_of_program_can_be_read() -> None:
    assert read_lease({"metadata": {}}) == Lease()
    assert read_lease({"spec": {"holderIdentity": "x", "leaseDurationSeconds": 30, "strategy": "?"}}).seconds == 30
