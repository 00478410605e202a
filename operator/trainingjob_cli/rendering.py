"""Objects in the form that `--output` asks for. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import yaml

from trainingjob_api.contract import GROUP
from trainingjob_cli.columns import job_table
from trainingjob_client.job import Job

Raw = dict[str, Any]


def jobs_as(output: str | None, jobs: Sequence[Job], now: datetime, *, single: bool, namespaces: bool) -> list[str]:
    """As kubectl does: one object alone, several as a List."""
    if output in ("json", "yaml"):
        return document_as(output, [clean(job.raw) for job in jobs], single=single)
    if output == "name":
        return [f"trainingjob.{GROUP}/{job.name}" for job in jobs]
    return job_table(jobs, now, wide=output == "wide", namespaces=namespaces)


def document_as(output: str, objects: Sequence[Raw], *, single: bool) -> list[str]:
    if single:
        return _dumped(output, objects[0])
    return _dumped(output, {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": list(objects)})


def clean(raw: Raw) -> Raw:
    """Without the record of who has written which field."""
    return {**raw, "metadata": {name: value for name, value in raw["metadata"].items() if name != "managedFields"}}


def _dumped(output: str, value: Any) -> list[str]:
    if output == "json":
        return json.dumps(value, indent=4, ensure_ascii=False).splitlines()
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True)).splitlines()
