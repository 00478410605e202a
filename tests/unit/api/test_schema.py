"""The CRD is what the models say, and the models say what the CRD says."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from support.manifests import ABSENT, VALID, changed
from support.recipes import BAD_RECIPES, GOOD_RECIPES
from trainingjob_api.contract import RELEASE
from trainingjob_api.progress import (
    EXIT_CODE_OF,
    EpochMetrics,
    Outcome,
    Progress,
    Resumption,
    State,
    TerminationMessage,
    parse_termination_message,
)
from trainingjob_api.reference import markdown
from trainingjob_api.resource import TrainingJob
from trainingjob_api.schema import custom_resource_definition, history_definition
from trainingjob_api.spec.training import identity

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("file", "generated"),
    [("trainingjob.yaml", custom_resource_definition()), ("traininghistory.yaml", history_definition())],
)
def test_the_committed_crd_is_the_generated_one(file: str, generated: dict[str, Any]) -> None:
    assert yaml.safe_load((ROOT / "crds" / file).read_text()) == generated, "run `make crd`"


def test_the_committed_reference_is_the_generated_one() -> None:
    assert (ROOT / "docs/reference.md").read_text() == markdown(), "run `make reference`"


def walk(schema: dict, path: str = ""):  # type: ignore[no-untyped-def,type-arg]
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from walk(child, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from walk(schema[keyword], f"{path}[]")


def spec_nodes() -> list[tuple[str, dict]]:  # type: ignore[type-arg]
    schema = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return list(walk(schema["properties"]["spec"]))


def test_nothing_in_spec_has_a_default_that_the_server_would_store() -> None:
    assert [path for path, node in spec_nodes() if "default" in node] == []


def test_every_list_map_and_string_of_spec_is_bounded() -> None:
    limit = {"array": "maxItems", "string": "maxLength"}
    unbounded = [
        path
        for path, node in spec_nodes()
        if (kind := node.get("type")) in limit and limit[kind] not in node and "enum" not in node
    ]
    maps = [path for path, node in spec_nodes() if "additionalProperties" in node and "maxProperties" not in node]
    assert unbounded + maps == []


def test_a_valid_manifest_is_read_and_defaults_are_filled_in() -> None:
    job = TrainingJob.model_validate(VALID)
    assert (job.spec.nodes, job.spec.local_world_size, job.spec.training.loss_type) == (1, 1, "crossEntropy")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"spec.nodes": 0}, "nodes", id="no nodes"),
        pytest.param({"spec.processesPerNode": 65}, "processesPerNode", id="too many processes"),
        pytest.param({"spec.training.loss": {"type": "mse"}}, "loss.type", id="a loss for another task"),
        pytest.param({"spec.checkpoint.subPath": "a/../b"}, "subPath", id="a path that leads out of the volume"),
        pytest.param({"spec.training": ABSENT}, "exactly one", id="nothing to do"),
        pytest.param({"spec.script": {"path": "/a.py"}}, "exactly one", id="a recipe and a script"),
        pytest.param({"spec.unknown": 1}, "unknown", id="a field that nobody knows"),
    ],
)
def test_what_no_server_has_checked_is_refused_by_the_models(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        TrainingJob.model_validate(changed(VALID, change))


@pytest.mark.parametrize(
    ("changes", "field"), [pytest.param(changes, field, id=title) for title, changes, field in BAD_RECIPES]
)
def test_a_bad_recipe_is_refused_by_the_models_too(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=field.split(".")[-1].split("[")[0]):
        TrainingJob.model_validate(changed(VALID, changes))


@pytest.mark.parametrize("changes", [pytest.param(changes, id=title) for title, changes in GOOD_RECIPES])
def test_a_good_recipe_is_accepted_by_the_models_too(changes: dict[str, object]) -> None:
    TrainingJob.model_validate(changed(VALID, changes))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"spec.training.epochs": 20}, True, id="more epochs go on"),
        pytest.param({"spec.training.optimizer.learningRate": 0.5}, True, id="another rate goes on"),
        pytest.param({"spec.training.batchSize": 64}, True, id="another batch size goes on"),
        pytest.param({"spec.training.loss": {"type": "crossEntropy"}}, True, id="the default written out goes on"),
        pytest.param({"spec.training.seed": 2}, False, id="another seed is another training"),
        pytest.param({"spec.training.data.target": "z"}, False, id="another target is another training"),
        pytest.param({"spec.training.model.hiddenUnits": [9]}, False, id="another network is another training"),
    ],
)
def test_identity_tells_which_checkpoints_can_be_continued(change: dict[str, object], same: bool) -> None:
    before = TrainingJob.model_validate(VALID).spec.training
    after = TrainingJob.model_validate(changed(VALID, change)).spec.training
    assert (identity(before) == identity(after)) is same


@pytest.mark.parametrize(
    ("script", "same"),
    [
        pytest.param({"path": "/code/a.py", "args": ["--epochs", "9"]}, True, id="other arguments go on"),
        pytest.param({"path": "/code/b.py"}, False, id="another program is another training"),
    ],
)
def test_a_scripts_checkpoints_belong_to_its_path(script: dict[str, object], same: bool) -> None:
    changes = {"spec.training": ABSENT, "spec.script": {"path": "/code/a.py"}}
    before, after = (
        TrainingJob.model_validate(changed(VALID, {**changes, **each})).spec for each in ({}, {"spec.script": script})
    )
    assert (before.identity == after.identity) is same


def test_every_outcome_has_an_exit_code_and_only_completion_is_zero() -> None:
    assert set(EXIT_CODE_OF) == set(Outcome)
    assert {o for o, code in EXIT_CODE_OF.items() if code == 0} == {
        Outcome.COMPLETED,
        Outcome.EARLY_STOPPED,
        Outcome.ALREADY_COMPLETED,
    }


def message(text: str = "") -> TerminationMessage:
    progress = Progress(uid="u", attempt=2, state=State.STOPPING, epochs=3, step=7)
    return TerminationMessage.model_validate(
        {
            "uid": "u",
            "attempt": 2,
            "nodeRank": 0,
            "outcome": "Stopped",
            "exitCode": 43,
            "message": text,
            "time": "2026-01-01T00:00:00Z",
            "progress": progress.to_json_object(),
        }
    )


@pytest.mark.parametrize(
    "text",
    ["saved", "x" * 2048, "\n" * 2048, "\U0001f600" * 2048, "\x00" * 2048],
    ids=["short", "a", "nl", "wide", "nul"],
)
def test_a_termination_message_fits_and_comes_back(text: str) -> None:
    written = message(text).to_text()
    assert len(written.encode()) <= 4096
    read = parse_termination_message(written, "u", 2)
    assert read is not None
    assert (read.exit_code, read.message[:5]) == (43, text[:5])


NUMBER = 0.12345678901234568
FULL = {name: NUMBER for name in EpochMetrics.model_fields if name not in ("epoch", "extra")}


@pytest.mark.parametrize(
    ("names", "problem", "kept"),
    [
        pytest.param(4, "", True, id="a few short ones stay"),
        pytest.param(32, "", False, id="many long ones go, the rest stays"),
        pytest.param(32, "\x00" * 2048, False, id="so does what is known when the disk is full as well"),
    ],
)
def test_metrics_of_ones_own_never_cost_the_last_word(names: int, problem: str, kept: bool) -> None:
    extra = {f"{number:02}".ljust(64 if names > 4 else 2, "x"): NUMBER for number in range(names)}
    metrics = EpochMetrics(epoch=3, extra=extra, **FULL)
    plain = message("died" * 512)
    assert plain.progress is not None
    update = {"latest": metrics, "best": metrics, "checkpoint_problem": problem or None}
    written = plain.model_copy(update={"progress": plain.progress.model_copy(update=update)}).to_text()
    read = parse_termination_message(written, "u", 2)
    assert read is not None
    assert read.progress is not None
    assert read.progress.latest is not None
    assert (read.progress.step, read.progress.latest.train_loss) == (7, NUMBER)
    assert (read.progress.latest.extra is not None) is kept
    assert read.message.startswith("died")


def test_what_is_told_of_the_data_never_costs_the_last_word() -> None:
    plain = message("died")
    assert plain.progress is not None
    notices = ["a file was not read; " * 50] * 8
    written = plain.model_copy(update={"progress": plain.progress.model_copy(update={"notices": notices})}).to_text()
    read = parse_termination_message(written, "u", 2)
    assert read is not None
    assert read.progress is not None
    assert (read.progress.step, read.progress.notices, read.message) == (7, [], "died")


def test_a_long_reason_of_a_resume_never_costs_what_was_saved() -> None:
    plain = message("saved")
    assert plain.progress is not None
    time = plain.time
    resume = Resumption(
        from_step=7, from_attempt=1, exactness="StepExact", reason="training.x has changed; " * 300, save_time=time
    )
    written = plain.model_copy(update={"progress": plain.progress.model_copy(update={"resume": resume})}).to_text()
    read = parse_termination_message(written, "u", 2)
    assert read is not None
    assert read.progress is not None
    assert read.progress.resume is not None
    assert (read.saved_step, (read.progress.resume.reason or "")[:22]) == (plain.saved_step, "training.x has changed")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        pytest.param({"a b": 1.0}, "'a b'", id="a blank in a name"),
        pytest.param({"": 1.0}, "1 to 64", id="no name"),
        pytest.param({"x" * 65: 1.0}, "1 to 64", id="a long name"),
        pytest.param({"f1\n": 1.0}, "1 to 64", id="a line's end"),
        pytest.param({"loss": float("nan")}, "finite", id="no number"),
        pytest.param({f"m{number}": 1.0 for number in range(33)}, "32", id="too many"),
    ],
)
def test_metrics_of_ones_own_are_bounded(extra: dict[str, float], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        EpochMetrics(epoch=1, extra=extra)


@pytest.mark.parametrize(
    ("text", "uid", "attempt"),
    [
        pytest.param(message().to_text(), "u", 3, id="another attempt's"),
        pytest.param(message().to_text(), "v", 2, id="another job's"),
        pytest.param("Killed", "u", 2, id="not JSON"),
        pytest.param(None, "u", 2, id="none"),
        pytest.param("[" * 4097, "u", 2, id="too long"),
    ],
)
def test_a_message_that_is_not_this_attempts_does_not_count(text: str | None, uid: str, attempt: int) -> None:
    assert parse_termination_message(text, uid, attempt) is None


def test_one_release_has_one_number() -> None:
    (deployment,) = yaml.safe_load_all((ROOT / "deploy/base/deployment.yaml").read_text())
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    images = [container["image"], next(each["value"] for each in container["env"] if "IMAGE" in each["name"])]
    assert [image.rpartition(":")[2] for image in images] == [RELEASE, RELEASE]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == RELEASE
    chart = yaml.safe_load((ROOT / "deploy/chart/Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == RELEASE
