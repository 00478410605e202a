"""Where a job's checkpoints and its model lie, and what becomes of them: one answer for all that ask."""

from typing import Any

import pytest

from support.manifests import ABSENT, manifest
from trainingjob_client.job import Job
from trainingjob_client.keeping import what_stays
from trainingjob_client.places import folder_of, model_of

_OWN = {"claimTemplate": {"size": "1Gi"}}
_MODELS = {
    "pod__volumes": [{"name": "m", "persistentVolumeClaim": {"claimName": "models"}}, {"name": "t", "emptyDir": {}}],
    "pod__volumeMounts": [
        {"name": "m", "mountPath": "/models", "subPath": "team"},
        {"name": "t", "mountPath": "/models/tmp"},
    ],
}


def _job(volume: Any, **changes: Any) -> Job:
    made = manifest("net", checkpoint__volume=volume, **changes)
    return Job({**made, "metadata": {"name": "net", "namespace": "team", "uid": "u1"}})


@pytest.mark.parametrize(
    ("job", "folder", "model"),
    [
        pytest.param(_job(_OWN), ("net-checkpoints", "team/net"), ("net-checkpoints", "team/net/model"), id="its own"),
        pytest.param(
            _job({"claimName": "ours"}, checkpoint__subPath="a/b"), ("ours", "a/b"), ("ours", "a/b/model"), id="named"
        ),
        pytest.param(
            _job(_OWN, checkpoint__startFresh=True),
            ("net-checkpoints", "team/net-u1"),
            ("net-checkpoints", "team/net-u1/model"),
            id="a fresh folder",
        ),
        pytest.param(_job({"emptyDir": {}}), (None, "/checkpoints"), (None, "/checkpoints/model"), id="an emptyDir"),
        pytest.param(
            _job(_OWN, training__export={"path": "/checkpoints/out/final"}),
            ("net-checkpoints", "team/net"),
            ("net-checkpoints", "team/net/out/final"),
            id="a model in another folder",
        ),
        pytest.param(
            _job(_OWN, training__export={"path": "/models/net"}, **_MODELS),
            ("net-checkpoints", "team/net"),
            ("models", "team/net"),
            id="a model in another claim",
        ),
        pytest.param(
            _job(_OWN, training=ABSENT, script={"path": "/a.py"}),
            ("net-checkpoints", "team/net"),
            ("net-checkpoints", "team/net/output"),
            id="what a program has written",
        ),
        pytest.param(
            _job(_OWN, training__export={"path": "/models/tmp/net"}, **_MODELS),
            ("net-checkpoints", "team/net"),
            (None, "/models/tmp/net"),
            id="a model that goes with the pod",
        ),
    ],
)
def test_files_are_in_a_claim_or_in_none(
    job: Job, folder: tuple[str | None, str], model: tuple[str | None, str]
) -> None:
    found = [folder_of(job), model_of(job)]
    assert [(place.claim, place.path) for place in found] == [folder, model]


@pytest.mark.parametrize(
    ("volume", "keep", "words"),
    [
        (_OWN, None, "stay in claim net-checkpoints, and a job of the same name goes on from them"),
        (_OWN, False, "Claim net-checkpoints is deleted with it"),
        ({"claimTemplate": {"size": "1Gi", "retain": False}}, None, "Claim net-checkpoints is deleted with it"),
        ({"claimTemplate": {"size": "1Gi", "retain": False}}, True, "stay in claim net-checkpoints"),
        ({"claimName": "ours"}, None, "stay in claim ours."),
        ({"emptyDir": {}}, None, "Its emptyDir has gone with it"),
    ],
)
def test_what_stays_is_told(volume: Any, keep: bool | None, words: str) -> None:
    assert words in what_stays(_job(volume), keep)
