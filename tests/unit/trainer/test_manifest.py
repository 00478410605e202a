"""`trainer --config` reads a file as a cluster would: the same is taken, the same refused, and it means the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.manifests import VALID, changed
from support.recipes import BAD_RECIPES, GOOD_RECIPES
from support.specs import BAD_MANIFESTS, GOOD_MANIFESTS
from support.yaml_words import PLAIN
from trainer.admission import admitted
from trainer.config import Launch
from trainer.errors import UserError
from trainer.kubectl_yaml import parse, plain_value
from trainer.local_variables import expanded
from trainer.manifest import Places, launch_from_manifest


@pytest.mark.parametrize(
    ("changes", "field"),
    [pytest.param(changes, field, id=title) for title, changes, field in [*BAD_MANIFESTS, *BAD_RECIPES]],
)
def test_what_a_cluster_refuses_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(UserError) as refused:
        admitted(changed(VALID, changes), "job.yaml")
    assert field.split(".")[-1].split("[")[0] in str(refused.value)


@pytest.mark.parametrize(
    "changes", [pytest.param(changes, id=title) for title, changes in [*GOOD_MANIFESTS, *GOOD_RECIPES]]
)
def test_what_a_cluster_takes_is_taken(changes: dict[str, Any]) -> None:
    admitted(changed(VALID, changes), "job.yaml")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"spec.training.batch_size": 64}, 'unknown field "spec.training.batch_size": did you mean batchSize?'),
        (
            {"spec.training.model.hidden_units": [8]},
            'unknown field "spec.training.model.hidden_units": did you mean hiddenUnits?',
        ),
        ({"spec.training.zzz": 64}, 'unknown field "spec.training.zzz"\n'),
        (
            {"spec.training.optimizer.learningRate": "1e-3"},
            'spec.training.optimizer.learningRate: must be a number, not "1e-3": take the quotes away',
        ),
        ({"spec.training.data.target": True}, "spec.training.data.target: must be text, not true: put it in quotes"),
        (
            {"spec.training.data.features": ["a", 1]},
            "spec.training.data.features[1]: must be text, not 1: put it in quotes",
        ),
        ({"spec.training.epochs": "many"}, 'spec.training.epochs: must be a whole number, not "many"\n'),
        ({"spec.training.epochs": 1.5}, "spec.training.epochs: must be a whole number, not 1.5"),
        ({"spec.training.data.features": ["a", None]}, "spec.training.data.features[1]: must be text, not null\n"),
        ({"spec.training.batchSize": "64"}, "spec.training.batchSize: must be a number from 1 to 1000000, or all"),
        ({"spec.training.batchSize": True}, "spec.training.batchSize: must be a number from 1 to 1000000, or all"),
        ({"spec.training": 3}, "spec.training: must be an object, not 3"),
        ({"spec.pod.env": [{"value": "x"}]}, "spec.pod.env[0].name: is required"),
        ({"apiVersion": "v1"}, "apiVersion: must be trainingjob.dev/v1alpha1"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else None,
)
def test_a_refusal_names_the_field_and_what_to_do(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as refused:
        admitted(changed(VALID, changes), "job.yaml")
    assert f"job.yaml:\n  {line}" in f"{refused.value}\n"


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_a_word_without_quotes_means_what_it_means_to_kubectl(text: str, value: Any) -> None:
    assert plain_value(text) == value
    assert type(plain_value(text)) is type(value)


def test_quotes_make_text_of_everything_and_names_are_always_text() -> None:
    assert parse("{a: 'y', b: \"1e-3\", c: !!str 5, y: 1, 5: 2, d: [no]}") == [
        {"a": "y", "b": "1e-3", "c": "5", "true": 1, "5": 2, "d": [False]}
    ]


JOB = """
apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata: {name: job}
spec:
  script: {path: /code/a.py}
  checkpoint: {volume: {claimName: any}}
"""
SETTINGS = """
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {level: debug}
"""


def launch(folder: Path, text: str, **mounts: str) -> Launch:
    (folder / "job.yaml").write_text(text)
    return launch_from_manifest(folder / "job.yaml", None, Places(folder / "c", mounts, folder / "scratch"))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param('[{name: TAG, value: "run-$(POD_NAME)"}]', {"TAG": "run-job-1-0"}, id="the pod's name"),
        pytest.param(
            '[{name: A, value: x}, {name: B, value: "$(A)$$(A)$(C)"}, {name: C, value: z}]',
            {"B": "x$(A)$(C)"},
            id="what stands before, dollars, what stands behind",
        ),
        pytest.param("[{name: FILE, value: /data/a.csv}]", {"FILE": "/here/a.csv"}, id="a path in a mount"),
        pytest.param("[{name: P, value: '/lib:/data:/data/b'}]", {"P": "/lib:/here:/here/b"}, id="a list of folders"),
        pytest.param("[{name: EMPTY}]", {"EMPTY": ""}, id="no value"),
        pytest.param(
            "[{name: LEVEL, valueFrom: {configMapKeyRef: {name: settings, key: level}}}]",
            {"LEVEL": "debug"},
            id="from a ConfigMap of the file",
        ),
    ],
)
def test_variables_are_those_of_a_pod(tmp_path: Path, variables: str, expected: dict[str, str]) -> None:
    mounts = {"/data": "/here"}
    (tmp_path / "job.yaml").write_text(f"{JOB}  pod: {{env: {variables}}}{SETTINGS}")
    found = launch_from_manifest(tmp_path / "job.yaml", None, Places(tmp_path / "c", mounts, tmp_path)).environment
    assert {name: found[name] for name in expected} == expected


SECRET = "  pod: {env: [{name: TOKEN, valueFrom: {secretKeyRef: {name: hub, key: token%s}}}]}"


def test_a_secret_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(UserError, match=r"TOKEN comes from the key 'token' of the Secret hub.*set TOKEN in the shell"):
        launch(tmp_path, JOB + SECRET % "")
    assert "TOKEN" not in launch(tmp_path, JOB + SECRET % ", optional: true").environment
    monkeypatch.setenv("TOKEN", "mine")
    assert "TOKEN" not in launch(tmp_path, JOB + SECRET % "").environment, "what the shell says stays"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ("", None),
        ("suspend: false", None),
        ("deadlines: {saveSeconds: 5}", None),
        ("suspend: true", "spec.suspend"),
        ("restart: {}\n  deadlines: {totalSeconds: 5}", "spec.restart, spec.deadlines.totalSeconds"),
        ("pod: {env: [], resources: {limits: {cpu: 1}}}", "spec.pod.resources"),
    ],
)
def test_what_does_nothing_without_a_cluster_is_named(tmp_path: Path, fields: str, named: str | None) -> None:
    notes = launch(tmp_path, f"{JOB}  {fields}\n").notes
    assert notes == (() if named is None else (f"without a cluster these fields do nothing: {named}",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/a.csv", "/here/a.csv"),
        ("--data=/data", "--data=/here"),
        ("/data:/data/models", "/here:/there"),
        ("file:///data/a", "file:///here/a"),
        ("/data2/a", "/data2/a"),
        ("https://host/data/a", "https://host/data/a"),
        ("x/data", "x/data"),
    ],
)
def test_paths_in_arguments_lie_where_the_mounts_say(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    mounts = {"/data": "/here", "/data/models": "/there"}
    local = launch_from_manifest(tmp_path / "job.yaml", None, Places(tmp_path / "c", mounts, tmp_path))
    assert local.mounts.in_text(text) == expected


def test_the_jobs_own_folder_is_where_a_pod_has_it(tmp_path: Path) -> None:
    local = launch(tmp_path, JOB)
    assert local.mounts.in_text("--out /checkpoints/out") == f"--out {tmp_path}/c/default/job/out"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$(A)$$(A)$$$(A)", "one$(A)$one"), ("$(B) $A ${A} $ $(A", "$(B) $A ${A} $ $(A"), ("$($(A))", "$($(A))")],
)
def test_references_are_expanded_as_by_the_kubelet(text: str, expected: str) -> None:
    assert expanded(text, {"A": "one"}) == expected
