"""A request's fields and the manifest that they become."""

from typing import Any

import pytest
from pydantic import ValidationError

from training_gateway.fields import request_errors
from training_gateway.recipe import Defaults, config_of, spec_of
from training_gateway.refusal import Refusal
from training_gateway.start_request import StartRequest

CLAIM = {"data_path": "claim://data/iris.csv", "target_column": "species"}


def request(**fields: Any) -> StartRequest:
    return StartRequest.model_validate({"name": "iris", **fields})


def found(spec: dict[str, Any], path: str) -> Any:
    value: Any = spec
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


DEFAULTS = {
    "task": "classification",
    "epochs": 100,
    "batchSize": 32,
    "optimizer.learningRate": 0.001,
    "model.type": "mlp",
    "model.hiddenUnits": [64, 32],
    "model.dropout": 0.2,
    "earlyStopping": {"patience": 10, "minDelta": 0.001},
    "schedule": {"type": "step", "stepSize": 30, "gamma": 0.1},
    "data.validation": {"fraction": 0.2},
    "data.format": "synthetic",
    "export": None,
}


@pytest.mark.parametrize(("path", "value"), DEFAULTS.items(), ids=DEFAULTS)
def test_what_is_left_out_gets_its_default(path: str, value: Any) -> None:
    assert found(spec_of(request(), Defaults()), f"training.{path}") == value


MAPPED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a number of epochs": ({"epochs": 7}, {"training.epochs": 7}),
    "a whole batch": ({"batch_size": "all"}, {"training.batchSize": "all"}),
    "no early stopping": ({"early_stopping_patience": None}, {"training.earlyStopping": None}),
    "plateau with its defaults": (
        {"learning_rate_scheduler": "plateau"},
        {"training.schedule": {"type": "plateau", "patience": 5, "factor": 0.5}},
    ),
    "cosine with a period and a least rate": (
        {"learning_rate_scheduler": "cosine", "T_max": 20, "eta_min": 0.0001},
        {"training.schedule": {"type": "cosine", "tMax": 20, "minimum": 0.0001}},
    ),
    "exponential has a factor of its own": (
        {"learning_rate_scheduler": "exponential"},
        {"training.schedule": {"type": "exponential", "gamma": 0.95}},
    ),
    "no schedule": ({"learning_rate_scheduler": "none"}, {"training.schedule": {"type": "constant"}}),
    "one cycle, and what it needs": (
        {"learning_rate_scheduler": "one_cycle", "training": {"schedule": {"maximum": 0.1, "rise_fraction": 0.4}}},
        {"training.schedule": {"type": "oneCycle", "maximum": 0.1, "riseFraction": 0.4}},
    ),
    "a schedule in the object alone": (
        {"training": {"schedule": {"type": "linear", "end_factor": 0.1}}},
        {"training.schedule": {"type": "linear", "endFactor": 0.1}},
    ),
    "a file in a claim is mounted to be read": (
        CLAIM,
        {
            "training.data.path": "/dataset/iris.csv",
            "training.data.target": "species",
            "pod.volumes": [{"name": "dataset", "persistentVolumeClaim": {"claimName": "data"}}],
            "pod.volumeMounts": [{"name": "dataset", "mountPath": "/dataset", "readOnly": True}],
        },
    ),
    "object storage is not mounted": (
        {"data_path": "s3://bucket/iris.csv", "target_column": "species", "feature_columns": ["a", "b*"]},
        {"training.data.path": "s3://bucket/iris.csv", "training.data.features": ["a", "b*"], "pod": None},
    ),
    "a volume of one's own beside it": (
        {**CLAIM, "pod": {"volumes": [{"name": "code", "config_map": {"name": "code"}}]}},
        {
            "pod.volumes": [
                {"name": "dataset", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "code", "configMap": {"name": "code"}},
            ]
        },
    ),
    "a folder for the model": ({"output_path": "models/iris"}, {"training.export.path": "/checkpoints/models/iris"}),
    "an absolute folder": ({"output_path": "/models"}, {"training.export.path": "/models"}),
    "GPUs make as many ranks": (
        {"gpus": 2, "resources": {"limits": {"memory": "8Gi"}}},
        {"pod.resources": {"limits": {"memory": "8Gi", "nvidia.com/gpu": 2}}, "processesPerNode": "auto"},
    ),
    "several nodes share a claim": (
        {"nodes": 2},
        {"nodes": 2, "checkpoint.volume": {"claimTemplate": {"size": "1Gi", "accessModes": ["ReadWriteMany"]}}},
    ),
    "a claim of one's own for checkpoints": (
        {"checkpoint": {"volume": {"claim_name": "mine"}, "keep_last": 3}},
        {"checkpoint": {"volume": {"claimName": "mine"}, "keepLast": 3}},
    ),
    "an image": ({"image": "registry/trainer:1"}, {"pod.image": "registry/trainer:1"}),
    "names of labels stay as they are": (
        {"pod": {"node_selector": {"my_disk": "fast"}}},
        {"pod.nodeSelector": {"my_disk": "fast"}},
    ),
    "stages in place of epochs and batch size": (
        {"training": {"stages": [{"epochs": 2, "batch_size": 8}]}},
        {"training.epochs": None, "training.batchSize": None, "training.stages": [{"epochs": 2, "batchSize": 8}]},
    ),
    "a budget in place of epochs": (
        {"training": {"budget": {"steps": 500}}},
        {"training.epochs": None, "training.batchSize": 32},
    ),
    "images that are drawn": ({"model_type": "cnn"}, {"training.data.shape": [1, 8, 8]}),
    "sequences that are drawn": ({"model_type": "lstm"}, {"training.data.shape": [16, 1]}),
    "without held-back rows the training loss is waited for": (
        {"training": {"data": {"validation": None}}},
        {"training.data.validation": None, "training.earlyStopping.metric": "trainLoss"},
    ),
    "regression": (
        {**CLAIM, "task": "regression", "training": {"loss": {"type": "huber", "delta": 0.5}}},
        {"training.task": "regression", "training.loss": {"type": "huber", "delta": 0.5}},
    ),
    "a network of one's own": (
        {"training": {"model": {"type": "custom", "entrypoint": "nets:build"}}},
        {"training.model.type": "custom", "training.model.entrypoint": "nets:build"},
    ),
    "sections with the manifest's words": (
        {"restart": {"max_restarts": 1}, "deadlines": {"save_seconds": 20}, "queue": {"name": "team-a"}},
        {"restart": {"maxRestarts": 1}, "deadlines": {"saveSeconds": 20}, "queue": {"name": "team-a"}},
    ),
}


@pytest.mark.parametrize(("fields", "expected"), MAPPED.values(), ids=MAPPED)
def test_a_request_becomes_a_manifest(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    spec = spec_of(request(**fields), Defaults())
    assert {path: found(spec, path) for path in expected} == expected


def test_the_servers_data_is_used_where_none_is_named() -> None:
    spec = spec_of(request(), Defaults(data_path="claim://shared/wine.csv", target_column="class"))
    assert spec["training"]["data"] == {
        "path": "/dataset/wine.csv",
        "target": "class",
        "validation": {"fraction": 0.2},
    }


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a step size for a plateau": ({"learning_rate_scheduler": "plateau", "step_size": 3}, ["step_size"]),
    "several that do not belong": ({"patience": 3, "factor": 0.1, "T_max": 5}, ["patience", "factor", "T_max"]),
    "a delta for nothing": ({"early_stopping_patience": None, "min_delta": 0.1}, ["min_delta"]),
    "an object that says otherwise": ({"epochs": 5, "training": {"epochs": 6}}, ["epochs"]),
    "a scheduler that the object contradicts": (
        {"learning_rate_scheduler": "cosine", "training": {"schedule": {"type": "linear"}}},
        ["learning_rate_scheduler"],
    ),
    "two sources of data": (
        {"data_path": "s3://b/a.csv", "dataset_id": "dataset-0123456789abcdef"},
        ["data_path", "dataset_id"],
    ),
    "data here and in the object": (
        {"data_path": "s3://b/a.csv", "training": {"data": {"path": "/x.csv"}}},
        ["data_path", "training.data.path"],
    ),
    "a path that leads nowhere": ({"data_path": "iris.csv"}, ["data_path"]),
    "a claim without a file": ({"data_path": "claim://data"}, ["data_path"]),
    "a way out of the claim": ({"data_path": "claim://data/../x.csv"}, ["data_path"]),
    "columns of no data": ({"target_column": "y"}, ["target_column"]),
    "a file without a target": ({"data_path": "s3://b/a.csv"}, ["target_column"]),
    "a recurrent network over plain rows": ({**CLAIM, "model_type": "lstm"}, ["model_type"]),
    "images of plain rows": ({**CLAIM, "model_type": "cnn"}, ["model_type"]),
    "a word that the recipe does not know": ({"training": {"optimiser": {}}}, ["training.optimiser"]),
    "a wrong value in the object": (
        {"training": {"optimizer": {"weight_decay": -1}}},
        ["training.optimizer.weight_decay"],
    ),
    "stages and epochs": ({"epochs": 5, "training": {"stages": [{"epochs": 2, "batch_size": 8}]}}, ["epochs"]),
    "a minimum above the rate": ({"learning_rate_scheduler": "cosine", "eta_min": 0.5}, ["eta_min"]),
    "a cyclic schedule without its bounds": ({"learning_rate_scheduler": "cyclic"}, ["learning_rate_scheduler"]),
    "half a GPU": ({"resources": {"limits": {"nvidia.com/gpu": "500m"}}}, ["resources"]),
    "a volume for one pod under two": (
        {"nodes": 2, "checkpoint": {"volume": {"claim_template": {"size": "1Gi"}}}},
        ["checkpoint.volume.claim_template"],
    ),
}


@pytest.mark.parametrize(("fields", "named"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_is_refused_by_the_fields_name(fields: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(Refusal) as refusal:
        spec_of(request(**fields), Defaults())
    assert refusal.value.code == 422
    assert sorted(each.field for each in refusal.value.errors) == sorted(named)


MALFORMED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a word that nobody knows": ({"epoch": 3}, ["epoch"]),
    "several at once": ({"epochs": 0, "dropout_rate": 2, "x": 1}, ["epochs", "dropout_rate", "x"]),
    "a batch of nothing": ({"batch_size": 0}, ["batch_size"]),
    "a layer of nothing": ({"hidden_units": [0]}, ["hidden_units.0"]),
    "another algorithm": ({"algorithm_type": "random_forest"}, ["algorithm_type"]),
    "a name on two lines": ({"name": "a\nb"}, ["name"]),
    "no name": ({"name": " "}, ["name"]),
    "a way up": ({"output_path": "../x"}, ["output_path"]),
    "no number": ({"learning_rate": "NaN"}, ["learning_rate"]),
}


@pytest.mark.parametrize(("fields", "named"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_names_every_field(fields: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        request(**fields)
    assert sorted(each.field for each in request_errors(error.value.errors())) == sorted(named)


def test_the_config_shows_what_is_in_force() -> None:
    asked = request(learning_rate_scheduler="cosine", epochs=40, training={"optimizer": {"learning_rate": 0.5}})
    config = config_of(asked, spec_of(asked, Defaults()))
    assert config["learning_rate"] == 0.5
    assert (config["T_max"], config["eta_min"], config["early_stopping_patience"]) == (40, 0.0, 10)
    assert not {"step_size", "gamma", "patience", "factor"} & config.keys()
