"""`init`: a manifest that trains, made from a csv. Pure, but for reading the file."""

import csv
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_cli.words import size
from trainingjob_client.errors import ManifestError

Raw = dict[str, Any]

_LOOKED_AT = 10_000
"""Rows that tell what a column holds."""
_CLASSES = 20
"""A target with more different numbers than these is measured, not sorted."""
FITS = 700_000
"""Bytes that go into the manifest's own ConfigMap."""


@dataclass(frozen=True)
class Table:
    """What a csv holds, as far as it was looked at."""

    file: Path
    columns: tuple[str, ...]
    values: Mapping[str, frozenset[str]]
    """Different values of each column."""
    rows: int

    @property
    def usual_target(self) -> str:
        """The last column, or one that is called so."""
        named = [name for name in self.columns if name.lower() in ("target", "label", "class", "y")]
        return (named or list(self.columns))[-1]

    def task_of(self, target: str) -> str:
        """Words, or few different whole numbers, are classes."""
        values = self.values[target] - {""}
        if not all(_is_number(value) for value in values):
            return "classification"
        whole = all(float(value).is_integer() for value in values)
        return "classification" if whole and len(values) <= _CLASSES else "regression"


@dataclass(frozen=True)
class Choices:
    name: str
    target: str
    task: str
    epochs: int = 100
    nodes: int = 1
    claim: str | None = None
    """Where the data lies; None: in the manifest itself."""


def look_at(file: Path) -> Table:
    """ManifestError for what is no csv with names at its top."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.reader(lines)
            columns = tuple(next(reader, ()))
            rows = list(itertools.islice(reader, _LOOKED_AT))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{file} cannot be read as csv: {getattr(error, 'strerror', None) or error}") from error
    if len(columns) < 2 or not rows:
        raise ManifestError(f"{file} needs a line of names, two columns at least, and rows")
    if all(_is_number(name) for name in columns):
        raise ManifestError(f"{file} begins with numbers: put a line with the columns' names at its top")
    if bad := next((number for number, row in enumerate(rows, 2) if row and len(row) != len(columns)), None):
        raise ManifestError(f"{file}, line {bad}: another number of values than the {len(columns)} names at the top")
    values = {name: frozenset(row[place] for row in rows if row) for place, name in enumerate(columns)}
    return Table(file, columns, values, len(rows))


def manifest(table: Table, choices: Choices) -> list[Raw]:
    """A ConfigMap with the data, where it fits, and the TrainingJob."""
    content = table.file.read_bytes()
    if choices.claim is None and len(content) > FITS:
        raise ManifestError(
            f"{table.file} has {size(len(content))}, and {size(FITS)} fit into the manifest: upload it into a claim,"
            " and name that with --claim"
        )
    data = f"{choices.name}-data"
    job = _job(table, choices, data)
    if choices.claim:
        return [job]
    text = {"data": {table.file.name: content.decode("utf-8-sig")}}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": data}, **text}, job]


def _job(table: Table, choices: Choices, data: str) -> Raw:
    source = {"persistentVolumeClaim": {"claimName": choices.claim}} if choices.claim else {"configMap": {"name": data}}
    mode = "ReadWriteMany" if choices.nodes > 1 else "ReadWriteOnce"
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": choices.name},
        "spec": {
            "nodes": choices.nodes,
            "training": {
                "task": choices.task,
                "epochs": choices.epochs,
                "batchSize": 32,
                "data": {
                    "path": f"/data/{table.file.name}",
                    "target": choices.target,
                    "validation": {"fraction": 0.2},
                    "test": {"fraction": 0.1},
                },
                "model": {"type": "mlp", "hiddenUnits": [64, 32], "dropout": 0.1},
                "optimizer": {"type": "adamw", "learningRate": 0.003},
                "schedule": {"type": "cosine", "warmup": {"epochs": min(5, max(1, choices.epochs // 10))}},
                "earlyStopping": {"metric": "validationLoss", "patience": 20},
            },
            "checkpoint": {"volume": {"claimTemplate": {"size": "1Gi", "accessModes": [mode]}}},
            "pod": {
                "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
                "volumes": [{"name": "data", **source}],
                "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
            },
        },
    }


class _Readable(yaml.SafeDumper):
    """Texts of several lines as they are."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Readable.add_representer(str, _text)


def dumped(objects: Sequence[Raw]) -> str:
    return str(yaml.dump_all(objects, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=120))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
