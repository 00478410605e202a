"""Which field of the manifest a field of the request becomes, and whose fault an error is. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from training_gateway.refusal import FieldError
from training_gateway.words import snake_path

FLAT: Mapping[str, str] = {
    "task": "training.task",
    "model_type": "training.model.type",
    "epochs": "training.epochs",
    "batch_size": "training.batchSize",
    "learning_rate": "training.optimizer.learningRate",
    "hidden_units": "training.model.hiddenUnits",
    "dropout_rate": "training.model.dropout",
    "early_stopping_patience": "training.earlyStopping.patience",
    "min_delta": "training.earlyStopping.minDelta",
    "learning_rate_scheduler": "training.schedule.type",
    "step_size": "training.schedule.stepSize",
    "gamma": "training.schedule.gamma",
    "patience": "training.schedule.patience",
    "factor": "training.schedule.factor",
    "t_max": "training.schedule.tMax",
    "eta_min": "training.schedule.minimum",
    "feature_columns": "training.data.features",
    "target_column": "training.data.target",
    "data_path": "training.data.path",
    "output_path": "training.export.path",
    "nodes": "nodes",
    "processes_per_node": "processesPerNode",
    "image": "pod.image",
    "resources": "pod.resources",
}
_NAMED = {path: "T_max" if name == "t_max" else name for name, path in FLAT.items()}
_LEADING_PATH = re.compile(r"^([a-z][A-Za-z0-9]*(?:\.[A-Za-z0-9]+)*): (?=\S)")


def named(path: str) -> str:
    """A path of the manifest, with or without `spec.`, as the request calls it."""
    bare = path.removeprefix("spec.").strip(".")
    return _NAMED.get(bare) or snake_path(bare) or "body"


def errors_of(error: ValidationError) -> list[FieldError]:
    """What the models say about a spec, by the request's fields."""
    return [FieldError(named(path), message) for path, message in located(error)]


def located(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Path and words of everything that is wrong. A rule over several fields names its own in front."""
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "value_error" and (named_field := _LEADING_PATH.match(message)):
            place, message = f"{place}.{named_field[1]}".strip("."), message[named_field.end() :]
        elif (begun := f"{place}.{message.partition(' ')[0]}") in _NAMED:
            place = begun  # such as: target is required
        yield place, message


def request_errors(errors: Iterable[Mapping[str, Any]]) -> list[FieldError]:
    """FastAPI's list of what is wrong with a request, without where in HTTP it was found, each field once."""
    found: dict[str, str] = {}
    for each in errors:
        place = [str(part) for part in each["loc"] if part not in ("body", "query", "path", "header")]
        if each["type"] == "json_invalid":
            place = []
        found.setdefault(_without_variant(place), str(each["msg"]).removeprefix("Value error, "))
    return [FieldError(field, message) for field, message in found.items()]


def _without_variant(place: list[str]) -> str:
    """Of a choice of types pydantic names the one that it tried; the field is meant."""
    return ".".join(part for part in place if not part.startswith(("literal[", "constrained-"))) or "body"
