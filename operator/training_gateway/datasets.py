"""A table that somebody has uploaded: what is in it, and the ConfigMap that it becomes. Pure."""

import io
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from training_gateway.objects import MANAGED_BY_LABEL, MANAGER
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.sources import MOUNT, VOLUME, Source
from trainingjob_api.contract import GROUP, REQUESTED_BY_ANNOTATION
from trainingjob_client.tables import Table, TableError, look_at

LIMIT = 512 * 1000
"""Bytes."""
TOO_LARGE = (
    "a dataset that is uploaded may have 512 kB: put a larger one into a PersistentVolumeClaim and give "
    "data_path: claim://CLAIM/path/in/it.csv, or into object storage and give data_path: s3://bucket/key.csv"
)
FACTS_ANNOTATION = f"{GROUP}/dataset"
_PARQUET = b"PAR1"

Kind = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Dataset:
    """What is known of it. Into parquet nobody looks here."""

    kind: Kind
    content: bytes
    table: Table | None = None
    """Of csv."""

    @property
    def id(self) -> str:
        return f"dataset-{sha256(self.content).hexdigest()[:16]}"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.table.columns if self.table else ()

    @property
    def target(self) -> str | None:
        """Where nobody names one: the last column."""
        return self.columns[-1] if self.columns else None

    @property
    def task(self) -> str | None:
        return self.table.task_of(self.columns[-1]) if self.table else None

    def facts(self) -> dict[str, Any]:
        table = self.table
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "rows": table.rows if table else None,
            "delimiter": table.delimiter if table else ",",
            "numeric": list(table.measured) if table else [],
        }

    def config_map(self, user: str, file_name: str) -> dict[str, Any]:
        """Immutable; named after its content, so that the same upload makes the same one."""
        name = f"data.{self.kind}"
        as_text = self.kind == "csv"
        content = {"data": {name: self.content.decode()}} if as_text else {"binaryData": {name: _base64(self.content)}}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": self.id,
                "labels": {MANAGED_BY_LABEL: MANAGER},
                "annotations": {
                    FACTS_ANNOTATION: json.dumps(self.facts()),
                    REQUESTED_BY_ANNOTATION: user,
                    f"{GROUP}/file-name": file_name,
                },
            },
            "immutable": True,
            **content,
        }


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def read(content: bytes) -> Dataset:
    """Refusal (413, 422) for what is too large, or neither csv nor parquet. Blocking: some 100 ms."""
    if len(content) > LIMIT:
        raise Refusal(413, TOO_LARGE)
    if content.startswith(_PARQUET) and content.endswith(_PARQUET):
        return Dataset("parquet", content)
    try:
        text = content.decode("utf-8-sig")
        return Dataset("csv", text.encode(), look_at(io.StringIO(text, newline="")))
    except UnicodeDecodeError:
        raise invalid(FieldError("file", "must be csv in UTF-8, or parquet")) from None
    except TableError as error:
        raise invalid(FieldError("file", str(error))) from None


def source_of_config_map(raw: Mapping[str, Any], target: str | None) -> Source:
    """Refusal (422) for a ConfigMap that no upload has made."""
    annotations = raw["metadata"].get("annotations") or {}
    try:
        facts = json.loads(annotations[FACTS_ANNOTATION])
        kind, columns = facts["kind"], tuple(str(name) for name in facts["columns"])
    except (KeyError, TypeError, ValueError):
        raise invalid(FieldError("dataset_id", "is not a dataset that was uploaded here")) from None
    chosen = target or (columns[-1] if columns else None)
    numeric = facts.get("numeric") or []
    data = {
        "path": f"{MOUNT}/data.{kind}",
        **({"target": chosen} if chosen else {}),
        **({"csv": {"delimiter": facts["delimiter"]}} if facts.get("delimiter", ",") != "," else {}),
    }
    task = None if not columns else "regression" if chosen in numeric else "classification"
    return Source(data, {"name": VOLUME, "configMap": {"name": raw["metadata"]["name"]}}, task, columns)
