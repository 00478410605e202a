"""A table that somebody has uploaded: what is in it, and the ConfigMap that it becomes. Pure."""

import csv
import io
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from training_gateway.identity import REQUESTED_BY_ANNOTATION
from training_gateway.objects import MANAGED_BY_LABEL, MANAGER
from training_gateway.refusal import FieldError, Refusal, invalid
from training_gateway.sources import MOUNT, VOLUME, Source
from trainingjob_api.contract import GROUP

LIMIT = 512 * 1000
"""Bytes."""
TOO_LARGE = (
    "a dataset that is uploaded may have 512 kB: put a larger one into a PersistentVolumeClaim and give "
    "data_path: claim://CLAIM/path/in/it.csv, or into object storage and give data_path: s3://bucket/key.csv"
)
FACTS_ANNOTATION = f"{GROUP}/dataset"
_MOST_CLASSES = 20
_DELIMITERS = (",", ";", "\t")
_PARQUET = b"PAR1"

Kind = Literal["csv", "parquet"]


@dataclass(frozen=True)
class Table:
    """What is known of it. Of parquet, which is not looked into, nothing but that."""

    kind: Kind
    content: bytes
    columns: tuple[str, ...] = ()
    rows: int | None = None
    delimiter: str = ","
    numeric: tuple[str, ...] = ()
    """Columns of many different numbers: to predict one of them is regression."""

    @property
    def id(self) -> str:
        return f"dataset-{sha256(self.content).hexdigest()[:16]}"

    def task_of(self, target: str) -> str:
        return "regression" if target in self.numeric else "classification"

    def facts(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "rows": self.rows,
            "delimiter": self.delimiter,
            "numeric": list(self.numeric),
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


def read(content: bytes) -> Table:
    """Refusal (413, 422) for what is too large, or neither csv nor parquet. Blocking: some 100 ms."""
    if len(content) > LIMIT:
        raise Refusal(413, TOO_LARGE)
    if content.startswith(_PARQUET) and content.endswith(_PARQUET):
        return Table("parquet", content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise invalid(FieldError("file", "must be csv in UTF-8, or parquet")) from None
    return _csv(text)


def _csv(text: str) -> Table:
    header, _, _ = text.partition("\n")
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        first, *rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row]
    except (csv.Error, ValueError):
        raise invalid(FieldError("file", "must be csv with a header, or parquet")) from None
    _check(first, rows)
    numeric = tuple(name for index, name in enumerate(first) if _is_measured([row[index] for row in rows]))
    return Table("csv", text.encode(), tuple(first), len(rows), delimiter, numeric)


def _check(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """What the trainer would find minutes later."""
    if len(header) < 2 or len(set(header)) < len(header) or any(not name.strip() or len(name) > 256 for name in header):
        raise invalid(FieldError("file", "the first line must name at least two columns, each differently"))
    if any("\x00" in name for name in header):
        raise invalid(FieldError("file", "must be csv in UTF-8, or parquet"))
    if len(rows) < 2:
        raise invalid(FieldError("file", "at least two rows are needed below the header"))
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            raise invalid(FieldError("file", f"row {number} has {len(row)} cells, the header {len(header)}"))


def _is_measured(cells: Sequence[str]) -> bool:
    """Many different numbers, or numbers with fractions."""
    try:
        numbers = {float(cell) for cell in cells if cell.strip()}
    except ValueError:
        return False
    return len(numbers) > _MOST_CLASSES or any(number % 1 for number in numbers)


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
