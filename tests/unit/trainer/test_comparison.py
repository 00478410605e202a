"""Which variants a comparison has, and what it shows of them."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from trainer.errors import UserError
from trainer.manifest import Places, launch_from_manifest, merged
from trainer.reporting.comparison import Result, Variant, results_table, variants_in, variants_varied
from trainingjob_api import progress as api
from trainingjob_api.progress import EpochMetrics, Outcome, RunConfig, State, TerminationMessage


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(
            ["model.activation=relu,tanh"],
            {
                "activation=relu": {"model": {"activation": "relu"}},
                "activation=tanh": {"model": {"activation": "tanh"}},
            },
            id="values of one field",
        ),
        pytest.param(
            ["model.activation=relu,tanh", "model.dropout=0.1"],
            {
                "activation=relu, dropout=0.1": {"model": {"activation": "relu", "dropout": 0.1}},
                "activation=tanh, dropout=0.1": {"model": {"activation": "tanh", "dropout": 0.1}},
            },
            id="all combinations of two",
        ),
        pytest.param(["seed=1,2"], {"seed=1": {"seed": 1}, "seed=2": {"seed": 2}}, id="numbers stay numbers"),
        pytest.param(
            ["model.hiddenUnits=[8],[8, 4]"],
            {
                "hiddenUnits=[8]": {"model": {"hiddenUnits": [8]}},
                "hiddenUnits=[8, 4]": {"model": {"hiddenUnits": [8, 4]}},
            },
            id="lists",
        ),
        pytest.param(
            ["earlyStopping=null,{patience: 3}", "model.dropout=0.1,null"],
            {
                "earlyStopping=None, dropout=0.1": {"earlyStopping": None, "model": {"dropout": 0.1}},
                "earlyStopping=None, dropout=None": {"earlyStopping": None, "model": {"dropout": None}},
                "earlyStopping={'patience': 3}, dropout=0.1": {
                    "earlyStopping": {"patience": 3},
                    "model": {"dropout": 0.1},
                },
                "earlyStopping={'patience': 3}, dropout=None": {
                    "earlyStopping": {"patience": 3},
                    "model": {"dropout": None},
                },
            },
            id="null removes a field, and is kept until then",
        ),
        pytest.param(
            ["schedule={type: cosine, warmup: null}", "schedule.gamma=1"],
            {
                "schedule={'type': 'cosine', 'warmup': None}, gamma=1": {
                    "schedule": {"type": "cosine", "warmup": None, "gamma": 1}
                }
            },
            id="fields of the same object",
        ),
    ],
)
def test_variants_of_the_command_line(texts: list[str], expected: dict[str, Any]) -> None:
    assert {variant.name: variant.changes for variant in variants_varied(texts)} == expected


@pytest.mark.parametrize("text", ["seed", "=1", "seed=", "seed=[1", "seed=.inf"])
def test_a_variation_without_sense_is_named(text: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"--vary {text}")):
        variants_varied([text])


def test_variants_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "variants.yaml"
    path.write_text(
        "constant: {schedule: null}\nwarm-up / cosine: {schedule: {type: cosine, warmup: {epochs: auto}}}\n"
    )
    constant, cosine = variants_in(path)
    assert (constant.name, constant.changes) == ("constant", {"schedule": None})
    assert cosine.folder == "warm-up---cosine"
    for content, words in (("- a\n- b\n", "for each variant"), ("a: 1\n", "for each variant"), ("a: {", "not YAML")):
        path.write_text(content)
        with pytest.raises(UserError, match=words):
            variants_in(path)
    path.write_bytes(b"a: {seed: 1} # \xe4\n")
    with pytest.raises(UserError, match="UTF-8"):
        variants_in(path)
    with pytest.raises(UserError, match=r"none\.yaml: No such file"):
        variants_in(tmp_path / "none.yaml")


def test_folders_stay_below_the_output() -> None:
    assert Variant("../etc", {}).folder == "..-etc"


MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: files}
data: {network.py: "def build(spec, shapes): ..."}
---
apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata: {name: job}
spec:
  training:
    task: classification
    batchSize: 32
    data: {path: /data/train.csv, target: label}
    model: {type: mlp}
    loss: {type: focal}
    schedule: {type: exponential}
  checkpoint: {volume: {claimName: any}}
"""
ANY = Variant("any", {"optimizer": {"learningRate": 0.1}})


def run_of(tmp_path: Path, variant: Variant = ANY, manifest: str = MANIFEST, data: str = "data") -> RunConfig:
    path = tmp_path / "job.yaml"
    path.write_text(manifest)
    places = Places(tmp_path / variant.folder, {"/data": str(tmp_path / data)}, tmp_path / "scratch")
    return launch_from_manifest(path, None, places, variant.changes).run


def folder_of(tmp_path: Path, **what: Any) -> str:
    return run_of(tmp_path, **what).checkpoint_path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({}, {"manifest": MANIFEST.replace("32", "64")}, id="a manifest with another batch size"),
        pytest.param({}, {"variant": Variant("any", {"optimizer": {"learningRate": 0.2}})}, id="a changed variant"),
        pytest.param(
            {"variant": variants_varied(["schedule.gamma=0.5"])[0]},
            {"variant": variants_varied(["loss.gamma=0.5"])[0]},
            id="fields whose paths end alike",
        ),
        pytest.param(
            {"variant": Variant("warm up", {"seed": 1})},
            {"variant": Variant("warm-up", {"seed": 2})},
            id="names that become the same folder",
        ),
        pytest.param({}, {"manifest": MANIFEST.replace("...", "pass")}, id="a network with other code in the manifest"),
        pytest.param({}, {"data": "other"}, id="data that lies somewhere else"),
        pytest.param(
            {"variant": Variant("any", {})}, {"variant": Variant("any", {"seed": 1})}, id="no changes and some"
        ),
    ],
)
def test_what_is_trained_with_anything_else_has_another_folder(
    tmp_path: Path, one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert folder_of(tmp_path, **one) != folder_of(tmp_path, **other)


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param(MANIFEST, id="the same"),
        pytest.param(MANIFEST.replace("batchSize: 32", "batchSize: 32  # as always"), id="a comment"),
        pytest.param(MANIFEST.replace("any}}", "any}, keepLast: 5}"), id="how it is saved"),
    ],
)
def test_the_same_recipe_is_taken_up_again(tmp_path: Path, manifest: str) -> None:
    assert folder_of(tmp_path) == folder_of(tmp_path, manifest=manifest)


@pytest.mark.parametrize(
    ("changes", "formats"), [({}, ["onnx"]), ({"export": {"path": "/models/b"}}, ["onnx"]), ({"export": None}, None)]
)
def test_a_variant_keeps_its_model_in_its_own_folder(
    tmp_path: Path, changes: dict[str, Any], formats: list[str] | None
) -> None:
    manifest = MANIFEST.replace("batchSize: 32", "export: {path: /models/a, formats: [onnx]}")
    export = run_of(tmp_path, Variant("any", changes), manifest).recipe.export
    assert (export and export.formats, export and export.path) == (formats, None)


def test_the_shipped_variants_fit_the_example_and_differ(tmp_path: Path) -> None:
    examples = Path(__file__).parents[3] / "deploy/examples"
    variants, manifest = variants_in(examples / "comparisons/strategies.yaml"), (examples / "iris.yaml").read_text()
    recipes = {folder_of(tmp_path, variant=Variant("any", variant.changes), manifest=manifest) for variant in variants}
    assert len(recipes) == len(variants) == 7


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"b": {"c": 3}}, {"a": 1, "b": {"c": 3, "d": 2}}, id="objects are merged"),
        pytest.param({"b": None}, {"a": 1}, id="null removes"),
        pytest.param({"a": {"x": 1}}, {"a": {"x": 1}, "b": {"c": 1, "d": 2}}, id="an object in place of a value"),
        pytest.param({"b": [1]}, {"a": 1, "b": [1]}, id="a list replaces"),
    ],
)
def test_changes_are_merged(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}}
    assert merged(before, changes) == expected
    assert before == {"a": 1, "b": {"c": 1, "d": 2}}


def result(name: str, accuracy: float, outcome: Outcome = Outcome.COMPLETED) -> Result:
    best = EpochMetrics(epoch=3, train_loss=0.5, validation_loss=0.25, validation_accuracy=accuracy)
    test = api.TestMetrics(loss=0.125, accuracy=accuracy, samples=10)
    progress = api.Progress(uid="u", attempt=1, state=State.FINISHED, epochs=4, best=best, test=test)
    now = datetime.now(UTC)
    message = TerminationMessage(
        uid="u", attempt=1, node_rank=0, outcome=outcome, exit_code=0, time=now, progress=progress
    )
    return Result(
        name, Path(name), message, [EpochMetrics(epoch=number, seconds_per_epoch=0.5) for number in (1, 2, 3, 4)]
    )


@pytest.mark.parametrize(("keeps_best", "epoch"), [(True, 3), (False, 5)])
def test_what_is_shown_is_of_the_weights_that_were_kept(keeps_best: bool, epoch: int) -> None:
    shown = replace(result("a", 0.9), keeps_best=keeps_best)
    assert shown.message.progress is not None
    progress = shown.message.progress.model_copy(update={"latest": EpochMetrics(epoch=5)})
    assert replace(shown, message=shown.message.model_copy(update={"progress": progress})).kept.epoch == epoch


def test_the_table_shows_what_there_is() -> None:
    console = Console(width=140, record=True, file=None, quiet=False)
    with console.capture() as shown:
        console.print(results_table([result("relu", 0.9), result("tanh", 0.95, Outcome.NON_FINITE)]))
    text = shown.get()
    assert "90.00%" in text
    assert "2.0" in text
    assert "MAE" not in text, "a classification has none"
    assert "tanh NonFinite" in text


def test_names_are_shown_as_they_are_written() -> None:
    console = Console(width=140)
    with console.capture() as shown:
        console.print(results_table([result("a [/b]", 0.9), result("[red]", 0.95)]))
    assert [line.split("  ")[1] for line in shown.get().splitlines()[-2:]] == ["a [/b]", "[red]"]
