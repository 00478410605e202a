"""The store: never an older version, never a resurrection, and no pod's end is lost before it is recorded."""

from typing import Any

from training_operator.store import Kind, Store, Unreadable
from unit.operator.factories import raw_job, raw_pod, raw_training_job

KEY = ("team", "digits")


def at(raw: dict[str, Any], version: int) -> dict[str, Any]:
    return {**raw, "metadata": {**raw["metadata"], "resourceVersion": str(version)}}


def names(store: Store) -> list[str]:
    return [pod.name for pod in store.view(KEY).pods]


def test_an_older_version_is_no_news() -> None:
    store = Store()
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 5)) == KEY
    assert store.put(Kind.POD, at(raw_pod(phase="Pending", started=None), 4)) is None
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 5)) is None
    assert store.view(KEY).pods[0].status.phase == "Running"


def test_versions_are_numbers() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(phase="Pending", started=None), 9))
    assert store.put(Kind.POD, at(raw_pod(phase="Running"), 10)) == KEY


def test_a_deleted_pod_leaves_its_end() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert store.remove(Kind.POD, at(raw_pod(code=43), 6)) == KEY
    view = store.view(KEY)
    assert view.pods == ()
    assert view.gone_pods[0].container.terminated is not None


def test_a_pod_that_was_only_ever_seen_to_be_deleted_leaves_its_end() -> None:
    store = Store()
    assert store.remove(Kind.POD, at(raw_pod(code=43), 6)) == KEY
    assert len(store.view(KEY).gone_pods) == 1


def test_what_is_gone_stays_gone() -> None:
    store = Store()
    store.remove(Kind.POD, at(raw_pod(), 6))
    assert store.put(Kind.POD, at(raw_pod(), 5)) is None
    store.merge(Kind.POD, [at(raw_pod(), 5)], "5", now=0)
    assert names(store) == []


def test_an_end_is_kept_until_it_is_recorded() -> None:
    store = Store()
    store.put(Kind.TRAINING_JOB, raw_training_job())
    store.remove(Kind.POD, raw_pod(attempt=1, code=43))
    store.remove(Kind.POD, raw_pod(attempt=2, code=43))
    store.sweep(0)
    store.forget_ends(KEY, 1)
    assert [pod.attempt for pod in store.view(KEY).gone_pods] == [2]


def test_ends_of_a_training_job_that_is_gone_are_swept() -> None:
    store = Store()
    store.remove(Kind.POD, raw_pod(code=43))
    store.sweep(0)
    assert store.view(KEY).gone_pods == ()


def test_a_list_heals_what_a_watch_missed() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(0), 5))
    store.put(Kind.POD, at(raw_pod(1), 5))
    news = store.merge(Kind.POD, [at(raw_pod(1), 5), at(raw_pod(2), 7)], "8", now=0)
    assert news == {KEY}
    assert names(store) == ["digits-1-1-abcde", "digits-1-2-abcde"]
    assert [pod.rank for pod in store.view(KEY).gone_pods] == [0]


def test_a_list_without_news_wakes_nobody() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert store.merge(Kind.POD, [at(raw_pod(), 5)], "8", now=0) == set()


def test_an_old_list_removes_nothing_that_is_newer() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 9))
    assert store.merge(Kind.POD, [], "8", now=0) == set()
    assert names(store) == ["digits-1-0-abcde"]


def test_a_list_of_one_namespace_says_nothing_about_another() -> None:
    store = Store()
    store.put(Kind.POD, at(raw_pod(), 5))
    assert store.merge(Kind.POD, [], "8", now=0, namespace="elsewhere") == set()
    assert names(store) == ["digits-1-0-abcde"]


def test_reading_one_keys_pods_leaves_the_others_alone() -> None:
    store, other = Store(), at(raw_pod(3), 5)
    other["metadata"] = {**other["metadata"], "labels": {"trainingjob.dev/name": "iris"}}
    store.put(Kind.POD, at(raw_pod(0), 5))
    store.put(Kind.POD, other)
    store.merge_pods(KEY, [], "9")
    assert names(store) == []
    assert len(store.view(("team", "iris")).pods) == 1


def test_a_watch_that_shows_less_than_a_list_is_behind() -> None:
    store = Store()
    store.merge(Kind.JOB, [at(raw_job(), 5)], "5", now=100.0)
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
    assert store.put(Kind.TRAINING_JOB, raw) == KEY
    found = store.view(KEY).training_job
    assert isinstance(found, Unreadable)
    assert "checkpoint" in found.problem


def test_nothing_is_kept_of_what_is_gone() -> None:
    store = Store()
    for kind, raw in ((Kind.TRAINING_JOB, raw_training_job()), (Kind.JOB, raw_job()), (Kind.POD, raw_pod())):
        store.put(kind, raw)
        store.remove(kind, raw)
    store.sweep(10**9)
    assert not any(store._objects[kind] for kind in Kind)
    assert not store._tombstones
    assert not store._gone_pods
