"""Models -> CustomResourceDefinition: pydantic's JSON schema, made structural."""

import json
from collections.abc import Callable
from typing import Any

from trainingjob_api.contract import GROUP, HISTORY_KIND, HISTORY_PLURAL, KIND, PLURAL, VERSION
from trainingjob_api.history import TrainingHistory
from trainingjob_api.resource import TrainingJob

Schema = dict[str, Any]

UNSEEN = {"observedGeneration": -1}
"""The status of what the operator has not seen yet: without it, tools that wait take a new object for ready."""

_DROPPED = {"title", "default", "$defs", "discriminator", "propertyNames"}


def structural_schema(model: type[TrainingJob | TrainingHistory] = TrainingJob) -> Schema:
    """The OpenAPI v3 schema of the resource as the API server wants it: inlined, typed, without nulls."""
    raw = model.model_json_schema(by_alias=True, mode="validation")
    schema = _structural(raw, raw.get("$defs", {}))
    schema["properties"]["metadata"] = {"type": "object"}
    schema["properties"]["apiVersion"] = {"type": "string"}
    schema["properties"]["kind"] = {"type": "string"}
    if "status" in schema["properties"]:
        schema["properties"]["status"]["default"] = UNSEEN
    schema["required"] = [name for name in schema["required"] if name != "metadata"]
    return schema


def _structural(node: Schema, definitions: dict[str, Schema]) -> Schema:
    node = _with_enum(_without_null(_resolved(node, definitions)))
    if node.get("x-kubernetes-int-or-string"):
        return {key: value for key, value in node.items() if key.startswith("x-") or key == "description"} | {
            "x-kubernetes-int-or-string": True
        }
    described = _with_default_described(node)
    return {
        key: _KEYWORDS[key](value, definitions) if key in _KEYWORDS else value
        for key, value in described.items()
        if key not in _DROPPED and not (key == "additionalProperties" and value is False)
    }


def _resolved(node: Schema, definitions: dict[str, Schema]) -> Schema:
    """The node with its $ref replaced; what stands beside the reference wins."""
    while "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    return node


def _without_null(node: Schema) -> Schema:
    """`anyOf [X, null]` -> X; `integer | string` -> Kubernetes' int-or-string."""
    choices = [choice for choice in node.get("anyOf", []) if choice.get("type") != "null"]
    if not choices:
        return node
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if len(choices) == 1:
        return {**choices[0], **rest} if "$ref" not in choices[0] else {**rest, **choices[0]}
    if {choice.get("type") for choice in choices} == {"integer", "string"}:
        return {**rest, "x-kubernetes-int-or-string": True}
    raise ValueError(f"not expressible in a structural schema: {json.dumps(node)[:200]}")


def _with_enum(node: Schema) -> Schema:
    """A literal with one choice is an enum with one choice: `const` is not structural."""
    if "const" not in node:
        return node
    return {"enum": [node["const"]], **{key: value for key, value in node.items() if key != "const"}}


def _with_default_described(node: Schema) -> Schema:
    """Defaults are told, not written into objects: a stored default would look like drift to GitOps tools."""
    default = node.get("default")
    description = " ".join(str(node.get("description", "")).split())
    if default is not None and not isinstance(default, dict) and "Default" not in description:
        shown = default if isinstance(default, str) else json.dumps(default)
        description = f"{description} Default: {shown}.".strip()
    return {**node, "description": description} if description else node


def _properties(value: Schema, definitions: dict[str, Schema]) -> Schema:
    return {name: _structural_property(child, definitions) for name, child in value.items()}


def _structural_property(node: Schema, definitions: dict[str, Schema]) -> Schema:
    resolved = _without_null(node)
    return _structural(_resolved(resolved, definitions), definitions)


_KEYWORDS: dict[str, Callable[[Any, dict[str, Schema]], Any]] = {
    "properties": _properties,
    "items": _structural_property,
    "additionalProperties": _structural_property,
}


def custom_resource_definition() -> Schema:
    """The whole CRD of TrainingJobs."""
    names = {"kind": KIND, "plural": PLURAL, "shortNames": ["tj"], "categories": ["all", "training"]}
    version = {
        "schema": {"openAPIV3Schema": structural_schema()},
        "subresources": {"status": {}},
        "additionalPrinterColumns": _COLUMNS,
    }
    return _definition(names, version)


def history_definition() -> Schema:
    """The whole CRD of TrainingHistories."""
    names = {"kind": HISTORY_KIND, "plural": HISTORY_PLURAL, "shortNames": ["thist"], "categories": ["training"]}
    version = {
        "schema": {"openAPIV3Schema": structural_schema(TrainingHistory)},
        "additionalPrinterColumns": _HISTORY_COLUMNS,
    }
    return _definition(names, version)


def _definition(names: dict[str, Any], version: Schema) -> Schema:
    kind = names["kind"]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": names["plural"],
                "singular": kind.lower(),
                "shortNames": names["shortNames"],
                "categories": names["categories"],
            },
            "versions": [{"name": VERSION, "served": True, "storage": True, **version}],
        },
    }


def _column(name: str, path: str, type: str = "string", wide: bool = False, description: str = "") -> Schema:
    column: Schema = {"name": name, "type": type, "jsonPath": path}
    if description:
        column["description"] = description
    if wide:
        column["priority"] = 1
    return column


_COLUMNS = [
    _column("Phase", ".status.phase"),
    _column("Epoch", ".status.progress.epochText"),
    _column("Train loss", ".status.metrics.latest.trainLoss", "number", description="Of the latest epoch."),
    _column("Val loss", ".status.metrics.latest.validationLoss", "number", description="Of the latest epoch."),
    _column(
        "Best val", ".status.metrics.best.validationLoss", "number", description="Validation loss of the best epoch."
    ),
    _column(
        "Accuracy",
        ".status.metrics.latest.validationAccuracy",
        "number",
        description="Classification: of the latest epoch, on the validation rows.",
    ),
    _column(
        "MAE",
        ".status.metrics.latest.validationMae",
        "number",
        description="Regression: mean absolute error of the latest epoch, on the validation rows.",
    ),
    _column("ETA", ".status.progress.remainingText"),
    _column("Restarts", ".status.restarts", "integer"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Step", ".status.progress.step", "integer", wide=True),
    _column("Samples/s", ".status.progress.samplesPerSecond", "number", wide=True),
    _column("Checkpoint age", ".status.checkpoint.saveTime", "date", wide=True),
    _column("Attempt", ".status.attempt", "integer", wide=True),
    _column("Nodes", ".status.nodes", "integer", wide=True),
    _column("Message", '.status.conditions[?(@.type=="Ready")].message', wide=True),
]

_HISTORY_COLUMNS = [
    _column("Epochs", ".epochs", "integer", description="Done when this was written."),
    _column("Best", ".best", "integer", description="The best epoch."),
    _column("Attempts", ".attempt", "integer", description="The newest attempt."),
    _column("Missing", ".missingEpochs", "integer", description="Epochs that could not be had."),
    _column("Thinned", ".thinned", "boolean", description="Not all epochs are kept."),
    _column("Updated", ".updateTime", "date"),
    _column("Age", ".metadata.creationTimestamp", "date"),
    _column("Every", ".every", "integer", wide=True, description="Thinned: of how many epochs one is kept."),
]
