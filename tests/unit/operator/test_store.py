"""The store: never an older version, never a resurrection, and no pod's end is lost before it is recorded."""

from typing import Any

import pytest

from training_operator.records import Key
from training_operator.store import Kind, Store
from trainingjob_api.reading import ReadInPart
from unit.operator.factories import ended_status, open_status, raw_job, raw_pod, raw_training_job

KEY = ("team", "digits")


def at(raw: dict[str, Any], version: int) -> dict[str, Any]:
    return {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(version)}}


def merge(
    store: Store, kind: Kind, raws: list[dict[str, Any]], version: str, now: float = 0, namespace: str | None = None
) -> set[Key]:
    """A whole LIST."""
    news = store.put_listed(kind, raws, unseen_since=now)
    return news | store.remove_unlisted(kind, {raw["metadata"]["uid"] for raw in raws}, version, namespace)


def names(store: Store) -> list[str]:
    return [pod.name for pod in store.view(KEY).pods]


def test_an_older_version_is_no_news() -> None:
    store = Store()
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 5)) == {KEY}
    assert store.put(Kind.POD, at(raw_pod(phase="Pending", started=None), 4)) == set()
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 5)) == set()
    assert store.view(KEY).pods[0].status.phase == "Running"


def test_what_is_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    objects = {Kind.POD: raw_pod(), Kind.JOB: raw_job(), Kind.TRAINING_JOB: raw_training_job()}
    for kind, raw in objects.items():
        store.put(kind, raw)
    monkeypatch.setattr("training_operator.store._read", None)
    for kind, raw in objects.items():
        assert merge(store, kind, [raw], "999999") == set()


SUSPENDED = {"type": "Suspended", "status": "True"}
UNUSED: list[tuple[str, Kind, dict[str, Any], dict[str, Any]]] = [
    ("an annotation", Kind.POD, {"metadata": {"annotations": {"a": "b"}}}, {}),
    ("a finalizer", Kind.POD, {"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}}, {}),
    ("a managed field", Kind.JOB, {"metadata": {"managedFields": [{"manager": "kubectl"}]}}, {}),
    ("a Job's pods", Kind.JOB, {"status": {"active": 1, "ready": 1}}, {}),
    ("a suspended Job's pods", Kind.JOB, {}, {"status": {"conditions": [SUSPENDED]}}),
    ("an annotation of a TrainingJob", Kind.TRAINING_JOB, {"metadata": {"annotations": {"a": "b"}}}, {}),
    (
        "a restart that is asked for",
        Kind.TRAINING_JOB,
        {},
        {"metadata": {"annotations": {"trainingjob.dev/restarted-at": "now"}}},
    ),
    ("a pod's address", Kind.POD, {}, {"status": {"podIP": "10.0.0.10"}}),
    ("a Job's suspension", Kind.JOB, {}, {"spec": {"suspend": True}}),
    ("a TrainingJob's status", Kind.TRAINING_JOB, {}, {"status": {"attempt": 1}}),
    ("its deletion", Kind.TRAINING_JOB, {}, {"metadata": {"deletionTimestamp": "2026-01-31T12:00:00Z"}}),
]


@pytest.mark.parametrize(("kind", "unused", "used"), [row[1:] for row in UNUSED], ids=[row[0] for row in UNUSED])
def test_only_what_is_used_is_news(kind: Kind, unused: dict[str, Any], used: dict[str, Any]) -> None:
    store, make = Store(), {Kind.POD: raw_pod, Kind.JOB: raw_job, Kind.TRAINING_JOB: raw_training_job}[kind]
    first = at(make(), 5)
    store.put(kind, first)
    change = unused or used
    changed = {**first, **{part: {**first.get(part, {}), **fields} for part, fields in change.items()}}
    assert store.put(kind, at(changed, 6)) == ({KEY} if used else set())
    assert store._objects[kind][first["metadata"]["uid"]].version == 6  # which a write must name


def test_versions_are_numbers() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(phase="Pending", started=None), 9))
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 10)) == {KEY}


def test_a_deleted_pod_leaves_its_end() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert store.remove(Kind.POD, at(raw_pod(code=43), 6)) == {KEY}
    view = store.view(KEY)
    assert view.pods == ()
    assert view.gone_pods[0].container.terminated is not None


def test_a_pod_that_was_only_ever_seen_to_be_deleted_leaves_its_end() -> None:
    store = Store()
    assert store.remove(Kind.POD, at(raw_pod(code=43), 6)) == {KEY}
    assert len(store.view(KEY).gone_pods) == 1


def test_what_is_gone_stays_gone() -> None:
    store = Store()
    store.remove(Kind.POD, at(raw_pod(), 6))
    assert store.put(Kind.POD, at(raw_pod(), 5)) == set()
    merge(store, Kind.POD, [at(raw_pod(), 5)], "5", now=0)
    assert names(store) == []


def test_an_end_is_kept_until_it_is_recorded() -> None:
    store = Store()
    store.put(Kind.TRAINING_JOB, raw_training_job())
    store.remove(Kind.POD, raw_pod(attempt=1, code=43))
    store.remove(Kind.POD, raw_pod(attempt=2, code=43))
    store.sweep(0)
    store.forget_ends(KEY, 1)
    assert [pod.attempt for pod in store.view(KEY).gone_pods] == [2]


def test_an_end_that_comes_after_a_list_without_the_pod_counts() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    store.put_pods(KEY, [], "9")
    assert store.view(KEY).gone_pods[0].container.terminated is None
    assert store.put(Kind.POD, at(raw_pod(code=43), 6)) == {KEY}
    assert store.remove(Kind.POD, at(raw_pod(code=43), 7)) == set()
    view = store.view(KEY)
    assert view.pods == ()
    assert view.gone_pods[0].container.terminated is not None


def test_an_end_that_is_recorded_does_not_come_back() -> None:
    store = Store()
    store.remove(Kind.POD, at(raw_pod(code=43), 6))
    store.forget_ends(KEY, 1)
    assert store.remove(Kind.POD, at(raw_pod(code=43), 7)) == set()
    assert store.view(KEY).gone_pods == ()


def test_a_training_job_is_alone_while_nothing_else_of_its_name_is_or_was() -> None:
    store = Store()
    store.put(Kind.TRAINING_JOB, at(raw_training_job(), 5))
    assert store.view(KEY).is_alone
    store.put(Kind.POD, at(raw_pod(), 6))
    assert not store.view(KEY).is_alone
    store.remove(Kind.POD, at(raw_pod(), 7))
    store.forget_ends(KEY, 1)
    assert not store.view(KEY).is_alone
    store.sweep(7)
    assert store.view(KEY).is_alone


def test_a_training_job_made_anew_is_not_alone() -> None:
    store = Store()
    store.put(Kind.TRAINING_JOB, at(raw_training_job(uid="old"), 5))
    store.remove(Kind.TRAINING_JOB, at(raw_training_job(uid="old"), 6))
    store.put(Kind.TRAINING_JOB, at(raw_training_job(uid="new"), 7))
    assert not store.view(KEY).is_alone


def test_a_job_that_we_have_deleted_is_gone_at_once() -> None:
    store = Store()
    store.put(Kind.JOB, at(raw_job(), 5))
    store.forget_job(store.view(KEY).jobs[0])
    assert store.view(KEY).jobs == ()
    assert store.put(Kind.JOB, at(raw_job(), 4)) == set()


def test_a_pod_whose_label_is_changed_moves() -> None:
    store, moved = Store(), at(raw_pod(), 6)
    moved["metadata"]["labels"] = {"trainingjob.dev/name": "iris"}
    store.put(Kind.POD, at(raw_pod(), 5))
    assert store.put(Kind.POD, moved) == {KEY, ("team", "iris")}
    assert names(store) == []
    assert len(store.view(("team", "iris")).pods) == 1


def test_ends_of_a_training_job_that_is_gone_are_swept() -> None:
    store = Store()
    store.remove(Kind.POD, raw_pod(code=43))
    store.sweep(0)
    assert store.view(KEY).gone_pods == ()


def test_ends_that_another_replica_has_recorded_are_swept() -> None:
    store = Store()
    for attempt in (1, 2, 3):
        store.remove(Kind.POD, raw_pod(attempt=attempt, code=43))
    statuses = [open_status(2), ended_status(2)]
    for status, kept in zip(statuses, ([2, 3], [3]), strict=True):
        store.put(Kind.TRAINING_JOB, {**raw_training_job(), "status": status.to_json_object()})
        store.sweep(0)
        assert [pod.attempt for pod in store.view(KEY).gone_pods] == kept


def test_a_list_heals_what_a_watch_missed() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(0), 5))
    store.put(Kind.POD, at(raw_pod(1), 5))
    news = merge(store, Kind.POD, [at(raw_pod(1), 5), at(raw_pod(2), 7)], "8", now=0)
    assert news == {KEY}
    assert names(store) == ["digits-1-1-abcde", "digits-1-2-abcde"]
    assert [pod.rank for pod in store.view(KEY).gone_pods] == [0]


def test_a_list_without_news_wakes_nobody() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert merge(store, Kind.POD, [at(raw_pod(), 5)], "8", now=0) == set()


def test_an_old_list_removes_nothing_that_is_newer() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 9))
    assert merge(store, Kind.POD, [], "8", now=0) == set()
    assert names(store) == ["digits-1-0-abcde"]


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert merge(store, Kind.POD, [], "8", now=0, namespace="elsewhere") == set()
    assert names(store) == ["digits-1-0-abcde"]


def test_reading_one_keys_pods_leaves_the_others_alone() -> None:
    store, other = Store(), at(raw_pod(3), 5)
    other["metadata"] = {**other["metadata"], "labels": {"trainingjob.dev/name": "iris"}}
    store.put(Kind.POD, at(raw_pod(0), 5))
    store.put(Kind.POD, other)
    store.put_pods(KEY, [], "9")
    assert names(store) == []
    assert len(store.view(("team", "iris")).pods) == 1


def test_a_watch_that_shows_less_than_a_list_is_behind() -> None:
    store = Store()
    merge(store, Kind.JOB, [at(raw_job(), 5)], "5", now=100.0)
    assert store.seconds_behind(Kind.JOB, 130.0) == 30.0
    store.put(Kind.JOB, at(raw_job(), 5))
    assert store.seconds_behind(Kind.JOB, 130.0) == 0.0


def test_what_we_wrote_ourselves_leaves_no_watch_behind() -> None:
    store = Store()
    store.put(Kind.JOB, at(raw_job(), 5))
    assert store.seconds_behind(Kind.JOB, 130.0) == 0.0


def test_the_younger_of_two_of_one_name_counts() -> None:
    store = Store()
    store.put(Kind.TRAINING_JOB, at(raw_training_job(uid="new"), 9))
    store.put(Kind.TRAINING_JOB, at(raw_training_job(uid="old"), 5))
    found = store.view(KEY).training_job
    assert found is not None
    assert found.metadata.uid == "new"


def test_garbage_is_kept_as_what_it_is() -> None:
    store = Store()
    raw = raw_training_job()
    raw["spec"] = {"epochs": "many"}
    assert store.put(Kind.TRAINING_JOB, raw) == {KEY}
    found = store.view(KEY).training_job
    assert isinstance(found, ReadInPart)
    assert "checkpoint" in found.problem


YEAR_0, BEYOND = "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"


@pytest.mark.parametrize("time", [YEAR_0, BEYOND])
def test_a_pod_that_cannot_be_read_is_named_and_hurts_nobody(time: str, caplog: pytest.LogCaptureFixture) -> None:
    store, bad = Store(), raw_pod(1, code=1)
    bad["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = time
    news = store.put_listed(Kind.POD, [at(bad, 5), at(raw_pod(0), 5)])
    assert news == {KEY}
    store.put(Kind.POD, at(bad, 6))
    view = store.view(KEY)
    assert names(store) == ["digits-1-0-abcde"]
    assert len(view.unreadable) == 1
    assert view.unreadable[0].startswith("Pod digits-1-1-abcde: status.containerStatuses")
    assert len(caplog.records) == 1
    store.remove(Kind.POD, at(bad, 7))
    assert store.view(KEY).unreadable == ()


def test_a_job_that_cannot_be_read_is_named_until_it_can_be(caplog: pytest.LogCaptureFixture) -> None:
    store, bad = Store(), raw_job()
    bad["metadata"]["creationTimestamp"] = YEAR_0
    assert store.put(Kind.JOB, at(bad, 5)) == {KEY}
    assert store.view(KEY).jobs == ()
    assert store.view(KEY).unreadable[0].startswith("Job digits-1: metadata.creationTimestamp")
    assert store.put(Kind.JOB, at(raw_job(), 6)) == {KEY}
    assert store.view(KEY).unreadable == ()
    assert len(store.view(KEY).jobs) == 1


@pytest.mark.parametrize(("suspend", "expected"), [(True, False), (False, True), (None, True)])
def test_whether_a_training_job_that_cannot_be_read_shall_pause_is_known(suspend: Any, expected: bool) -> None:
    store, raw = Store(), raw_training_job()
    raw["spec"] |= {"epochs": "many", "suspend": suspend}
    store.put(Kind.TRAINING_JOB, raw)
    found = store.view(KEY).training_job
    assert isinstance(found, ReadInPart)
    assert found.spec.wants_to_run is expected


def test_a_training_job_whose_times_cannot_be_read_is_unreadable() -> None:
    store, raw = Store(), raw_training_job()
    raw["metadata"]["deletionTimestamp"] = BEYOND
    raw["status"] = {"startTime": BEYOND}
    store.put(Kind.TRAINING_JOB, raw)
    found = store.view(KEY).training_job
    assert isinstance(found, ReadInPart)
    assert found.status.start_time is None
    assert "9999" in found.problem


def test_nothing_is_kept_of_what_is_gone() -> None:
    store = Store()
    for kind, raw in ((Kind.TRAINING_JOB, raw_training_job()), (Kind.JOB, raw_job()), (Kind.POD, raw_pod())):
        store.put(kind, raw)
        store.remove(kind, raw)
    store.sweep(10**9)
    assert not any(store._objects[kind] for kind in Kind)
    assert not store._of_key
    assert not store._tombstones
    assert not store._bereaved
    assert not store._gone_pods


def test_whoever_asked_is_told_the_newest_training_job_of_a_key() -> None:
    told: list[str | None] = []
    store = Store(lambda key, newest: told.append(newest.uid if newest else None))
    old, new = at(raw_training_job(uid="old"), 5), at(raw_training_job(uid="new"), 7)
    for raw in (old, old, at(old, 6), new):
        store.put(Kind.TRAINING_JOB, raw)
    store.put(Kind.POD, raw_pod())
    store.remove(Kind.TRAINING_JOB, at(old, 8))
    store.remove_unlisted(Kind.TRAINING_JOB, set(), "9")
    assert told == ["old", "new", "new", None]
