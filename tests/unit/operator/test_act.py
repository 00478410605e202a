"""Children whose names are in use already: adopted, waited for, or a person's to decide about."""

from typing import Any, cast

import pytest

from training_operator.act import Actor
from training_operator.cluster import Cluster
from training_operator.errors import AlreadyExistsError
from training_operator.obstacle import BlockedError, Obstacle
from training_operator.plan import CreateChildren
from training_operator.store import Store
from trainingjob_api.status import Reason
from unit.operator.factories import NOW, UID, look, open_status, raw_job, text, training_job

LABELS = {"trainingjob.dev/name": "digits"}


def owned_by(uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"kind": "TrainingJob", "name": "digits", "uid": uid, "controller": True}]}


OURS, OF_BEFORE, FREE = owned_by(UID), owned_by("of before"), dict[str, Any]()
GOING = {"deletionTimestamp": text(NOW)}


class OneIsTaken:
    """Has one child under the name that is asked for; everything else can be created."""

    def __init__(self, plural: str, **metadata: Any) -> None:
        self._plural, self._metadata = plural, metadata

    async def create(self, plural: str, manifest: dict[str, Any]) -> dict[str, Any]:
        if plural == self._plural:
            raise AlreadyExistsError(409, "already exists")
        made = {"uid": f"made-{plural}", "resourceVersion": "2"}
        return {**manifest, "metadata": {**manifest["metadata"], **made}}

    async def get(self, plural: str, namespace: str, name: str) -> dict[str, Any]:
        there = {"name": name, "namespace": namespace, "uid": "there", "resourceVersion": "1", "labels": LABELS}
        return {"metadata": {**there, **self._metadata}}


async def met(plural: str, retain: bool = False, **metadata: Any) -> Obstacle | None:
    """What keeps the second attempt of two nodes with a claim of their own from being created."""
    volume = {"claimTemplate": {"size": "1Gi", "accessModes": ["ReadWriteMany"], "retain": retain}}
    job = training_job(open_status(2, recorded=False), nodes=2, checkpoint__volume=volume)
    actor = Actor(cast(Cluster, OneIsTaken(plural, **metadata)), Store(), "trainer:1", ("10.0.0.0/8",))
    try:
        await actor.carry_out(look(job), (CreateChildren(),))
    except BlockedError as blocked:
        return blocked.obstacle
    return None


CHILDREN = ["persistentvolumeclaims", "services", "networkpolicies"]


@pytest.mark.parametrize("plural", CHILDREN)
async def test_what_is_ours_is_used(plural: str) -> None:
    assert await met(plural, **OURS) is None


@pytest.mark.parametrize("plural", [*CHILDREN, "jobs"])
@pytest.mark.parametrize("metadata", [OF_BEFORE, GOING, OF_BEFORE | GOING])
async def test_what_goes_soon_is_waited_for(plural: str, metadata: dict[str, Any]) -> None:
    obstacle = await met(plural, **metadata)
    assert obstacle is not None
    assert (obstacle.reason, obstacle.needs_a_person) == (Reason.STILL_TERMINATING, False)
    assert "of before is deleted" in obstacle.message


@pytest.mark.parametrize("plural", [*CHILDREN, "jobs"])
async def test_what_is_somebody_elses_is_a_persons_to_decide_about(plural: str) -> None:
    obstacle = await met(plural, labels={})
    assert obstacle is not None
    assert (obstacle.reason, obstacle.needs_a_person) == (Reason.NAME_TAKEN, True)


@pytest.mark.parametrize(
    ("metadata", "is_adopted"),
    [(FREE, True), (GOING, False), (OF_BEFORE, False), ({"labels": {"trainingjob.dev/name": "letters"}}, False)],
    ids=["free", "on its way out", "still owned", "of another TrainingJob"],
)
async def test_a_retained_claim_is_adopted_unless_it_goes_or_has_an_owner(
    metadata: dict[str, Any], is_adopted: bool
) -> None:
    assert (await met("persistentvolumeclaims", retain=True, **metadata) is None) is is_adopted


@pytest.mark.parametrize("attempt", [2, 3])
async def test_a_job_of_ours_is_this_attempts_only_by_its_number(attempt: int) -> None:
    there = raw_job(attempt, name="digits-2")["metadata"]
    obstacle = await met("jobs", **{key: there[key] for key in ("labels", "ownerReferences", "annotations")})
    assert (obstacle is None) is (attempt == 2)
