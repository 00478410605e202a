"""Trainings by the HTTP API on data in each of the places that it takes: an upload, a claim, object storage."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import sseclient  # type: ignore[import-untyped]
from pyarrow import csv, parquet

from quickstart.product import GatewayProcess
from support.kubectl import Kubectl
from support.object_storage import ObjectStorage, object_storage
from support.product import table_of
from support.terminal import Terminal
from support.waiting import PATIENCE

API = "/api/v1/epoch-training"
TABLE = table_of(200)


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as storage:
        storage.system.pipe("bucket/points.csv", TABLE.encode())
        yield storage


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {gateway.token}"
        yield session


def trained(gateway: GatewayProcess, http: requests.Session, kubectl: Kubectl, **fields: Any) -> dict[str, Any]:
    """The result of three epochs."""
    volume = {"claim_template": {"size": "1Gi", "retain": False}}
    body = {"name": "points", "namespace": kubectl.namespace, "epochs": 3, "checkpoint": {"volume": volume}, **fields}
    started = http.post(f"{gateway.address}{API}/start", json=body)
    assert started.status_code == 200, started.text
    task_id = started.json()["task_id"]
    stream = sseclient.SSEClient(f"{gateway.address}{API}/stream-progress/{task_id}", session=http, timeout=PATIENCE)
    last = next(data for event in stream if (data := json.loads(event.data))["type"] == "complete")
    stream.resp.close()
    assert last["state"] == "completed", last
    history = http.get(f"{gateway.address}{API}/history/{task_id}").json()["history"]
    assert [row["epoch"] for row in history] == [1, 2, 3]
    result: dict[str, Any] = http.get(f"{gateway.address}{API}/result/{task_id}").json()["result"]
    return result


def test_a_parquet_file_that_was_uploaded(gateway: GatewayProcess, http: requests.Session, kubectl: Kubectl) -> None:
    file = io.BytesIO()
    parquet.write_table(csv.read_csv(io.BytesIO(TABLE.encode())), file)
    url = f"{gateway.address}{API}/datasets?namespace={kubectl.namespace}"
    uploaded = http.post(url, files={"file": ("points.parquet", file.getvalue())})
    assert (uploaded.status_code, uploaded.json()["format"]) == (201, "parquet"), uploaded.text
    result = trained(gateway, http, kubectl, dataset_id=uploaded.json()["dataset_id"], target_column="y")
    assert result["final_metrics"]["val_accuracy"] is not None
    files = result["files"]
    assert files["model"] == f"{files['folder']}/model"


def test_a_file_in_a_claim(
    gateway: GatewayProcess, http: requests.Session, kubectl: Kubectl, terminal: Terminal
) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kubectl.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec})
    (terminal.folder / "points.csv").write_text(TABLE)
    said = terminal.says("upload", "points.csv", "data", "--to", "tables")
    assert "points.csv is in claim data as tables/points.csv" in said
    path = "claim://data/tables/points.csv"
    result = trained(gateway, http, kubectl, data_path=path, target_column="y", task="classification")
    assert result["final_metrics"]["epoch"] == 3


def test_a_file_in_object_storage(
    gateway: GatewayProcess, http: requests.Session, kubectl: Kubectl, storage: ObjectStorage
) -> None:
    env = [{"name": name, "value": value} for name, value in storage.environment.items()]
    path = "s3://bucket/points.csv"
    result = trained(gateway, http, kubectl, data_path=path, target_column="y", pod={"env": env})
    assert result["final_metrics"]["epoch"] == 3
