"""`init`: a manifest that trains, made from a csv. Pure, but for reading the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_cli.words import size
from trainingjob_client.errors import ManifestError
from trainingjob_client.manifest import own_volume
from trainingjob_client.tables import Table, TableError, look_at

Raw = dict[str, Any]

_LOOKED_AT = 10_000
"""Rows that tell what a column holds."""
FITS = 700_000
"""Bytes that go into the manifest's own ConfigMap."""


@dataclass(frozen=True)
class Found:
    """A csv, and what it holds as far as it was looked at."""

    file: Path
    table: Table

    @property
    def usual_target(self) -> str:
        """The last column, or one that is called so."""
        named = [name for name in self.table.columns if name.lower() in ("target", "label", "class", "y")]
        return (named or list(self.table.columns))[-1]


@dataclass(frozen=True)
class Choices:
    name: str
    target: str
    task: str
    epochs: int = 100
    nodes: int = 1
    claim: str | None = None
    """Where the data lies; None: in the manifest itself."""


def find(file: Path) -> Found:
    """ManifestError for what is no csv with names at its top."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            return Found(file, look_at(lines, _LOOKED_AT))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{file} cannot be read as csv: {getattr(error, 'strerror', None) or error}") from error
    except TableError as error:
        raise ManifestError(f"{file}: {error}") from error


def manifest(found: Found, choices: Choices) -> list[Raw]:
    """A ConfigMap with the data, where it fits, and the TrainingJob."""
    content = found.file.read_bytes()
    if choices.claim is None and len(content) > FITS:
        raise ManifestError(
            f"{found.file} has {size(len(content))}, and {size(FITS)} fit into the manifest: upload it into a claim,"
            " and name that with --claim"
        )
    data = f"{choices.name}-data"
    job = _job(found, choices, data)
    if choices.claim:
        return [job]
    text = {"data": {found.file.name: content.decode("utf-8-sig")}}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": data}, **text}, job]


def _job(found: Found, choices: Choices, data: str) -> Raw:
    source = {"persistentVolumeClaim": {"claimName": choices.claim}} if choices.claim else {"configMap": {"name": data}}
    delimiter = found.table.delimiter
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
                    "path": f"/data/{found.file.name}",
                    "target": choices.target,
                    **({"csv": {"delimiter": delimiter}} if delimiter != "," else {}),
                    "validation": {"fraction": 0.2},
                    "test": {"fraction": 0.1},
                },
                "model": {"type": "mlp", "hiddenUnits": [64, 32], "dropout": 0.1},
                "optimizer": {"type": "adamw", "learningRate": 0.003},
                "schedule": {"type": "cosine", "warmup": {"epochs": min(5, max(1, choices.epochs // 10))}},
                "earlyStopping": {"metric": "validationLoss", "patience": 20},
            },
            "checkpoint": {"volume": own_volume("1Gi", choices.nodes)},
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
