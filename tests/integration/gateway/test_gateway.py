"""The HTTP API on a real control plane, used as in any tutorial: `requests`, `sseclient`, and tokens of the cluster."""

import base64
import json
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sseclient  # type: ignore[import-untyped]
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from integration.gateway.conftest import People
from local_cluster.cluster import LocalCluster
from quickstart.product import GatewayProcess, OperatorProcess
from support.product import table_of
from support.waiting import PATIENCE, wait_for

EPOCHS = 250
LEISURELY = Path(__file__).parents[2] / "support/leisurely.py"


def address(gateway: GatewayProcess, path: str) -> str:
    return f"{gateway.address}/api/v1/epoch-training/{path}"


def access_line(gateway: GatewayProcess, request_id: str) -> dict[str, Any]:
    """What the log says of a request. It is written after the answer, which can be here sooner."""

    def line() -> dict[str, Any] | None:
        lines = (json.loads(line) for line in gateway.log.read_text().splitlines(keepends=True) if _is_whole(line))
        return next((each for each in lines if each["request_id"] == request_id), None)

    return wait_for(line, f"the line of request {request_id}")


def _is_whole(line: str) -> bool:
    return line.startswith("{") and line.endswith("\n")


def events(gateway: GatewayProcess, task_id: str, token: str) -> Generator[dict[str, Any], None, None]:
    headers = {"Authorization": f"Bearer {token}"}
    url = address(gateway, f"stream-progress/{task_id}")
    client = sseclient.SSEClient(url, headers=headers, timeout=PATIENCE)
    try:
        for event in client:
            yield json.loads(event.data)
    finally:
        client.resp.close()


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def test_a_training_as_in_a_tutorial(
    gateway: GatewayProcess, operator: OperatorProcess, people: People, http: requests.Session, tmp_path: Path
) -> None:
    """A table of one's own, to the end, over a pause and an operator that was killed; every epoch is there."""
    token, namespace = people.token(people.account("ada", "edit")), people.kubectl.namespace
    http.headers["Authorization"] = f"Bearer {token}"
    code = {"leisurely.py": LEISURELY.read_text()}
    people.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}, "data": code})
    table = tmp_path / "points.csv"
    table.write_text(table_of(200))
    with table.open("rb") as file:
        uploaded = http.post(address(gateway, f"datasets?namespace={namespace}"), files={"file": file}).json()
    assert (uploaded["columns"], uploaded["target_column"]) == (["a", "b", "c", "y"], "y")

    body = {
        "name": "三个点云",
        "epochs": EPOCHS,
        "batch_size": 50,
        "training": {"model": {"type": "custom", "entrypoint": "leisurely:network"}},
        "pod": {
            "env": [{"name": "PYTHONPATH", "value": "/code"}],
            "volumes": [{"name": "code", "config_map": {"name": "code"}}],
            "volume_mounts": [{"name": "code", "mount_path": "/code"}],
        },
        "early_stopping_patience": None,
        "dataset_id": uploaded["dataset_id"],
        "namespace": namespace,
        "checkpoint": {"volume": {"claim_template": {"size": "1Gi", "retain": False}}},
    }
    key = {"Idempotency-Key": "one"}
    started = http.post(address(gateway, "start"), json=body, headers=key).json()
    task_id = started["task_id"]
    assert started["config"]["learning_rate_scheduler"] == "step"
    assert http.post(address(gateway, "start"), json=body, headers=key).json()["task_id"] == task_id
    other = http.post(address(gateway, "start"), json={**body, "epochs": 3}, headers=key)
    assert (other.status_code, other.json()["errors"][0]["field"]) == (422, "Idempotency-Key")

    seen: list[dict[str, Any]] = []
    stream = events(gateway, task_id, token)
    for data in stream:
        seen.append(data)
        state, epoch = data["progress"]["training_state"], data["progress"]["current_epoch"]
        if data["type"] == "complete":
            break
        if state == "running" and epoch and not any(each["progress"]["training_state"] == "paused" for each in seen):
            paused = [http.post(address(gateway, f"pause/{task_id}")).json() for _ in range(2)]
            assert [each["success"] for each in paused] == [True, True]
        if state == "paused" and seen[-2]["progress"]["training_state"] != "paused":
            operator.kill()
            operator.start()
            assert http.post(address(gateway, f"resume/{task_id}")).json()["training_state"] == "starting"
    stream.close()
    assert seen[-1]["state"] == "completed"
    assert seen[-1]["progress"]["current_epoch"] == EPOCHS
    assert "paused" in {each["progress"]["training_state"] for each in seen}

    def history() -> dict[str, Any] | None:
        told: dict[str, Any] = http.get(address(gateway, f"history/{task_id}")).json()
        return told if len(told["history"]) == EPOCHS else None

    told = wait_for(history, "every epoch")
    assert [row["epoch"] for row in told["history"]] == list(range(1, EPOCHS + 1))
    assert (told["missing"], [start["attempt"] for start in told["attempts"]]) == ([], [1, 2])
    assert all(row["train_loss"] is not None and row["val_accuracy"] is not None for row in told["history"])

    finished = http.post(address(gateway, f"pause/{task_id}"))
    assert (finished.status_code, finished.json()["state"]) == (409, "completed")
    result = http.get(address(gateway, f"result/{task_id}")).json()["result"]
    assert result["final_metrics"]["epoch"] == EPOCHS
    assert '"event": "ended"' in http.get(address(gateway, f"logs/{task_id}")).text
    listed = http.get(address(gateway, "jobs"), params={"state": "completed", "name": "点云"}).json()["jobs"]
    assert [(each["task_id"], each["name"], each["namespace"]) for each in listed] == [(task_id, "三个点云", namespace)]
    job = http.get(address(gateway, f"jobs/{task_id}")).json()["job"]
    by = f"system:serviceaccount:{namespace}:ada"
    annotations = job["manifest"]["metadata"]["annotations"]
    assert (annotations["trainingjob.dev/requested-by"], annotations["trainingjob.dev/changed-by"]) == (by, by)
    assert http.delete(address(gateway, f"jobs/{task_id}")).status_code == 200
    wait_for(lambda: http.get(address(gateway, f"progress/{task_id}")).status_code == 404, "the end of it")


def test_what_the_api_server_refuses_names_the_requests_field(gateway: GatewayProcess, people: People) -> None:
    namespace = people.kubectl.namespace
    headers = {"Authorization": f"Bearer {people.token(people.account('ada', 'edit'))}"}
    body = {"name": "x", "namespace": namespace, "checkpoint": {"volume": {"claim_template": {"size": "much"}}}}
    answer = requests.post(address(gateway, "start"), json=body, headers=headers)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["checkpoint.volume.claim_template.size"]
    manifest = {
        "apiVersion": "trainingjob.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": "x", "namespace": namespace},
        "spec": {"training": {"task": "classification", "epochs": 0}},
    }
    answer = requests.post(address(gateway, "jobs?dry_run=true"), json=manifest, headers=headers)
    assert answer.status_code == 422
    assert {"spec.training.epochs", "spec.checkpoint"} <= {each["field"] for each in answer.json()["errors"]}
    elsewhere = requests.post(
        address(gateway, "start"), json={"name": "x", "namespace": "kube-system"}, headers=headers
    )
    assert (elsewhere.status_code, "may not create trainingjobs" in elsewhere.json()["message"]) == (403, True)


def test_who_may_read_may_not_write(gateway: GatewayProcess, people: People) -> None:
    token = people.token(people.account("grace", "view"))
    headers, namespace = {"Authorization": f"Bearer {token}"}, people.kubectl.namespace
    me = requests.get(address(gateway, "me"), headers=headers).json()
    assert (me["namespaces"], me["all_namespaces"]) == ([namespace], False)
    assert requests.get(address(gateway, f"jobs?namespace={namespace}"), headers=headers).json()["jobs"] == []
    body = {"name": "x", "namespace": namespace}
    assert requests.post(address(gateway, "start"), json=body, headers=headers).status_code == 403
    assert requests.get(address(gateway, "jobs?namespace=default"), headers=headers).status_code == 403
    assert requests.get(address(gateway, "progress/default.x"), headers=headers).status_code == 403
    assert requests.get(address(gateway, "progress/epoch_training_20240101_120000"), headers=headers).status_code == 404


def test_bad_tokens_get_in_nowhere(gateway: GatewayProcess, cluster: LocalCluster, people: People) -> None:
    good = people.token(people.account("ada", "edit"))
    ours = {"Authorization": f"Bearer {good}"}
    assert requests.get(address(gateway, "me"), headers=ours).status_code == 200
    gone = people.token(people.account("gone", "edit"))
    people.delete("gone")
    header, payload, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    key = cluster.directory.control_plane().authority.key("service-account")
    bad: dict[str, str | None] = {
        "none": None,
        "empty": "",
        "a scheme alone": "Bearer",
        "another scheme": f"Basic {good}",
        "the token alone": good,
        "another audience": f"Bearer {people.token('ada', 'somebody-else')}",
        "the API server's own audience": f"Bearer {people.token('ada', '')}",
        "a deleted account": f"Bearer {gone}",
        "a word": "Bearer secret",
        "without a signature": f"Bearer {header}.{payload}.",
        "another's signature": f"Bearer {header}.{payload}.{gone.split('.')[2]}",
        "other claims under the same signature": f"Bearer {header}.{_encoded({**claims, 'sub': 'admin'})}.{signature}",
        "no algorithm": f"Bearer {_encoded({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "expired": f"Bearer {signed({**claims, 'exp': int(time.time()) - 60}, header, key)}",
        "not yet valid": f"Bearer {signed({**claims, 'nbf': int(time.time()) + 3600}, header, key)}",
        "another issuer": f"Bearer {signed({**claims, 'iss': 'https://example.org'}, header, key)}",
        "signed by a stranger": f"Bearer {signed(claims, header, None)}",
        "oversized": f"Bearer {'a' * 20_000}",
        "two tokens": f"Bearer {good} {good}",
        "a tab": f"Bearer\t{good}",
        "the development token of another gateway": "Bearer 0123456789012345678901234",
    }
    assert requests.get(address(gateway, "me"), headers={"Authorization": f"Bearer {signed(claims, header, key)}"}).ok
    for what, text in bad.items():
        answer = requests.get(address(gateway, "me"), headers={} if text is None else {"Authorization": text})
        assert answer.status_code == 401, what
        told = answer.json()
        assert told["message"] == "a valid bearer token is needed", what
    access_line(gateway, told["request_id"])
    log = gateway.log.read_text()
    assert signature not in log
    assert gone not in log


LIMITS: dict[str, tuple[dict[str, Any], int, str]] = {
    "a long body": ({"data": b"x" * 2_000_000}, 413, "1 MiB"),
    "a long body that does not say how long": ({"data": iter([b"x" * 1_000_000] * 3)}, 413, "1 MiB"),
    "no JSON": ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 422, "body"),
    "a list": ({"json": [1, 2]}, 422, "body"),
    "a word in place of a number": ({"json": {"name": "x", "epochs": "many"}}, 422, "epochs"),
    "brackets without end": ({"data": "[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "parsing"),
    "a number beyond numbers": ({"data": '{"name": "x", "learning_rate": 1e999}'}, 422, "learning_rate"),
}


@pytest.mark.parametrize(("sent", "code", "words"), LIMITS.values(), ids=LIMITS)
def test_what_is_sent_is_limited(gateway: GatewayProcess, sent: dict[str, Any], code: int, words: str) -> None:
    headers = {"Authorization": f"Bearer {gateway.token}", **sent.get("headers", {"Content-Type": "application/json"})}
    answer = requests.post(address(gateway, "start"), **{**sent, "headers": headers})
    assert answer.status_code == code, answer.text
    assert words in answer.text


def test_a_dataset_that_is_too_large_is_refused_with_how_to_do_it(gateway: GatewayProcess) -> None:
    headers = {"Authorization": f"Bearer {gateway.token}"}
    for size in (600_000, 5_000_000):
        answer = requests.post(address(gateway, "datasets"), files={"file": b"a,b\n" * (size // 4)}, headers=headers)
        assert (answer.status_code, "claim://CLAIM/path" in answer.json()["message"]) == (413, True)


def test_every_answer_is_guarded_and_can_be_found_again(gateway: GatewayProcess) -> None:
    mine = uuid.uuid4().hex
    answer = requests.get(address(gateway, "me"), headers={"X-Request-ID": mine, "Origin": "https://example.org"})
    assert (answer.headers["X-Request-ID"], answer.json()["request_id"]) == (mine, mine)
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers
    line = access_line(gateway, mine)
    assert (line["method"], line["status"], line["user"]) == ("GET", 401, "")


def _encoded(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def signed(claims: dict[str, Any], header: str, key: Path | None) -> str:
    """As the cluster would sign them; without a key somebody else does."""
    private = (
        serialization.load_pem_private_key(key.read_bytes(), None) if key else ec.generate_private_key(ec.SECP256R1())
    )
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    text = f"{header}.{_encoded(claims)}"
    r, s = decode_dss_signature(private.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{base64.urlsafe_b64encode(r.to_bytes(32) + s.to_bytes(32)).decode().rstrip('=')}"
