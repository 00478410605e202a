"""A request's flat fields and its objects -> `spec` of a TrainingJob, and back into `config`. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from training_gateway.fields import FLAT, errors_of
from training_gateway.refusal import FieldError, invalid
from training_gateway.sources import Source, source_of
from training_gateway.start_request import StartRequest
from training_gateway.words import camel_keys
from trainingjob_api.contract import CHECKPOINT_PATH
from trainingjob_api.spec import TrainingJobSpec
from trainingjob_client.manifest import own_volume

Section = dict[str, Any]

# What each schedule takes of the flat fields, and what it gets if they are left out; None: the trainer's own choice.
_SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "step": {"step_size": 30, "gamma": 0.1},
    "exponential": {"gamma": 0.95},
    "plateau": {"patience": 5, "factor": 0.5},
    "cosine": {"t_max": None, "eta_min": None},
}
_SCHEDULE_FIELDS = ("step_size", "gamma", "patience", "factor", "t_max", "eta_min")
_OTHERWISE_CALLED = {"none": "constant", "one_cycle": "oneCycle"}
_SECTIONS = ("checkpoint", "restart", "deadlines", "queue")
_SHOWN = ("epochs", "early_stopping_patience", "min_delta", "feature_columns", "target_column", "output_path")
"""Also where there is nothing."""
HELD_BACK = 0.2
"""Share of the rows for validation, unless training.data.validation says something else."""


@dataclass(frozen=True)
class Defaults:
    """What the server fills in."""

    data_path: str = ""
    """As in a request; empty: points drawn by the seed."""
    target_column: str = ""
    claim_size: str = "1Gi"


def spec_of(request: StartRequest, defaults: Defaults, dataset: Source | None = None) -> Section:
    """The spec, in the manifest's words. Refusal (422) names every field that is wrong."""
    given = camel_keys(request.training)
    source = source_of(request, given, defaults.data_path, defaults.target_column, dataset)
    if problems := [*_contradictions(request, given), *source.problems(request)]:
        raise invalid(*problems)
    training = _merged(_flat(request, given, source), given)
    _watch_what_is_measured(training)
    pod = _merged(_pod(request, source), camel_keys(request.pod))
    spec = {
        **{name: value for name in ("nodes", "queue") if (value := getattr(request, name)) is not None},
        **_processes(request),
        "training": training,
        **{name: camel_keys(value) for name in _SECTIONS if (value := getattr(request, name))},
        **({"pod": pod} if pod else {}),
    }
    spec["checkpoint"] = _merged(_checkpoint(request, defaults), spec.get("checkpoint", {}))
    return _checked(spec)


def _checked(spec: Section) -> Section:
    try:
        TrainingJobSpec.model_validate(spec)
    except ValidationError as error:
        raise invalid(*errors_of(error)) from None
    return spec


def _flat(request: StartRequest, given: Section, source: Source) -> Section:
    """The recipe that the flat fields and their defaults make."""
    by_stage, by_budget = bool(given.get("stages")), bool(given.get("budget"))
    asked = request.model_fields_set
    return {
        "task": request.task or source.task or "classification",
        **({} if (by_stage or by_budget) and "epochs" not in asked else {"epochs": request.epochs}),
        **({} if by_stage and "batch_size" not in asked else {"batchSize": request.batch_size}),
        "data": {**source.data, "validation": {"fraction": HELD_BACK}, **_shape(request, given, source)},
        "model": {"type": request.model_type, "hiddenUnits": request.hidden_units, "dropout": request.dropout_rate},
        "optimizer": {"learningRate": request.learning_rate},
        "schedule": _schedule(request, given),
        **_early_stopping(request),
        **_export(request),
    }


def _shape(request: StartRequest, given: Section, source: Source) -> Section:
    """Drawn points can have the shape that the network needs; of a file the person knows it."""
    model = (given.get("model") or {}).get("type", request.model_type)
    shapes = {"cnn": [1, 8, 8], "lstm": [16, 1], "gru": [16, 1]}
    return {"shape": shapes[model]} if source.is_drawn and model in shapes else {}


def _schedule(request: StartRequest, given: Section) -> Section:
    type_ = _schedule_type(request, given)
    asked = {name: getattr(request, name) for name in _SCHEDULES.get(type_, {})}
    filled = {name: _SCHEDULES[type_][name] if value is None else value for name, value in asked.items()}
    return {
        "type": type_,
        **{FLAT[name].rpartition(".")[2]: value for name, value in filled.items() if value is not None},
    }


def _schedule_type(request: StartRequest, given: Section) -> str:
    type_ = str((given.get("schedule") or {}).get("type") or request.learning_rate_scheduler)
    return _OTHERWISE_CALLED.get(type_, type_)


def _early_stopping(request: StartRequest) -> Section:
    if request.early_stopping_patience is None:
        return {}
    return {"earlyStopping": {"patience": request.early_stopping_patience, "minDelta": request.min_delta}}


def _export(request: StartRequest) -> Section:
    path = request.output_path
    if path is None:
        return {}
    return {"export": {"path": path if path.startswith("/") else f"{CHECKPOINT_PATH}/{path}"}}


def _watch_what_is_measured(training: Section) -> None:
    """Whoever holds no rows back has no validation loss to wait for."""
    stopping = training.get("earlyStopping")
    if stopping and not training["data"].get("validation"):
        stopping.setdefault("metric", "trainLoss")


def _processes(request: StartRequest) -> Section:
    wanted = request.processes_per_node or ("auto" if request.gpus else None)
    return {} if wanted is None else {"processesPerNode": wanted}


def _pod(request: StartRequest, source: Source) -> Section:
    resources = camel_keys(request.resources or {})
    if request.gpus:
        resources = _merged(resources, {"limits": {"nvidia.com/gpu": request.gpus}})
    return {
        **({"image": request.image} if request.image else {}),
        **({"resources": resources} if resources else {}),
        **({"volumes": [source.volume], "volumeMounts": [source.mount]} if source.volume else {}),
    }


def _checkpoint(request: StartRequest, defaults: Defaults) -> Section:
    if "volume" in request.checkpoint:
        return {}
    return {"volume": own_volume(defaults.claim_size, request.nodes or 1)}


def _contradictions(request: StartRequest, given: Section) -> Iterator[FieldError]:
    """Fields that do not belong to what was chosen, or that an object says otherwise."""
    type_ = _schedule_type(request, given)
    for name in _SCHEDULE_FIELDS:
        if getattr(request, name) is not None and name not in _SCHEDULES.get(type_, {}):
            owners = " or ".join(schedule for schedule, fields in _SCHEDULES.items() if name in fields)
            yield FieldError(_shown(name), f"belongs to learning_rate_scheduler {owners}, not {type_}")
    if request.early_stopping_patience is None and "min_delta" in request.model_fields_set:
        yield FieldError("min_delta", "needs early_stopping_patience")
    for name in sorted(request.model_fields_set & FLAT.keys()):
        path = FLAT[name].removeprefix("training.")
        if FLAT[name].startswith("training.") and _found(given, path, getattr(request, name)) != getattr(request, name):
            yield FieldError(_shown(name), f"training.{path} says otherwise: give one of the two")


def _shown(field: str) -> str:
    return "T_max" if field == "t_max" else field


def _found(section: Any, path: str, default: Any) -> Any:
    for part in path.split("."):
        if not isinstance(section, Mapping) or part not in section:
            return default
        section = section[part]
    return section


def _merged(base: Section, over: Mapping[str, Any]) -> Section:
    """`over` wins; lists of volumes and mounts are joined, and null takes a default away."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(below, dict) and isinstance(value, Mapping):
            result[key] = _merged(below, value)
        elif key in ("volumes", "volumeMounts") and isinstance(below, list) and isinstance(value, list):
            result[key] = [*below, *value]
        else:
            result[key] = value
    return result


def config_of(request: StartRequest, spec: Section) -> Section:
    """Every field of the request as it is in force: what was asked for, and the defaults of the rest."""
    shown = request.model_dump(mode="json", by_alias=True, exclude_none=True)
    in_force = {_shown(name): _found(spec, path, None) for name, path in FLAT.items()}
    schedule = in_force["learning_rate_scheduler"]
    left_out = {_shown(name) for name in _SCHEDULE_FIELDS if name not in _SCHEDULES.get(str(schedule), {})}
    config = {**shown, **{name: value for name, value in in_force.items() if name not in left_out}}
    if schedule == "cosine":
        config["T_max"] = config["T_max"] or config["epochs"]
        config["eta_min"] = config["eta_min"] or 0.0
    config["data_path"] = request.data_path  # where it is mounted is nobody's business
    return {name: value for name, value in config.items() if value != {} and (name in _SHOWN or value is not None)}
