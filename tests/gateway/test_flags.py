"""What the flags let through, each off and on: reading without a token, namespaces, web origins, TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from gateway.conftest import API, Another, Shown, job_in
from local_cluster.certificates import Identity
from local_cluster.cluster import LocalCluster
from quickstart.product import GatewayProcess
from support.cluster import new_namespace

ORIGIN = "https://pages.example.org"
TASK = "epoch_training_20240101_120000"


@dataclass(frozen=True)
class Scene:
    """A gateway that is open to all of one namespace, and a job in that and in another one."""

    open: Another
    served: Shown
    other: Shown


@pytest.fixture(scope="module")
def scene(cluster: LocalCluster, gateway: GatewayProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with new_namespace(cluster.kubeconfig) as one, new_namespace(cluster.kubeconfig) as two:
        served, other = job_in(one), job_in(two)
        flags = ["--anonymous-read", f"--cors-origins={ORIGIN}", f"--namespaces={one.namespace}"]
        process = Another(cluster, tmp_path_factory.mktemp("open"), *flags, f"--default-namespace={one.namespace}")
        process.start()
        yield Scene(process, served, other)
        process.stop()


def answered_without_token(gateway: GatewayProcess, task_id: str) -> set[str]:
    """Of everything that the API describes."""
    paths = requests.get(f"{gateway.address}/openapi.json").json()["paths"]
    codes = {}
    for path, operations in paths.items():
        for method in operations:
            url = gateway.address + path.format(task_id=task_id)
            with requests.request(method, url, stream=True) as answer:
                codes[f"{method} {path.removeprefix(API)}"] = answer.status_code
    assert set(codes.values()) <= {200, 401}, codes
    return {what for what, code in codes.items() if code == 200 and " /" in what and not _of_operation(what)}


def _of_operation(what: str) -> bool:
    return what.split()[1] in ("/healthz", "/readyz", "/metrics")


def test_without_a_token_nothing_is_answered_but_what_is_meant_to_be(gateway: GatewayProcess, scene: Scene) -> None:
    assert answered_without_token(gateway, scene.served.task_id) == set()
    assert answered_without_token(scene.open, scene.served.task_id) == {
        "get /progress/{task_id}",
        "get /stream-progress/{task_id}",
        "get /history/{task_id}",
    }
    url = f"{scene.open.address}{API}/progress/{scene.served.task_id}"
    wrong = requests.get(url, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401
    assert requests.get(url, headers=scene.open.headers).status_code == 200
    assert "--anonymous-read: whoever reaches this port" in scene.open.log.read_text()


def test_only_the_namespaces_that_are_named_are_served(gateway: GatewayProcess, scene: Scene) -> None:
    everything = {"Authorization": f"Bearer {gateway.token}"}
    for task_id, code in ((scene.served.task_id, 200), (scene.other.task_id, 404)):
        path = f"{API}/progress/{task_id}"
        assert requests.get(f"{gateway.address}{path}", headers=everything).status_code == 200
        assert requests.get(f"{scene.open.address}{path}", headers=scene.open.headers).status_code == code
        assert requests.get(f"{scene.open.address}{path}").status_code == code

    def listed(gateway: GatewayProcess) -> set[str]:
        headers = {"Authorization": f"Bearer {gateway.token}"}
        jobs = requests.get(f"{gateway.address}{API}/jobs", headers=headers).json()["jobs"]
        return {job["namespace"] for job in jobs}

    served, other = scene.served.kubectl.namespace, scene.other.kubectl.namespace
    assert {served, other} <= listed(gateway)
    assert listed(scene.open) == {served}
    me = requests.get(f"{scene.open.address}{API}/me", headers=scene.open.headers).json()
    assert me["namespaces"] == [served]
    body = {"name": "x", "namespace": other}
    refused = requests.post(f"{scene.open.address}{API}/start", json=body, headers=scene.open.headers)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "namespace")
    made = requests.post(
        f"{scene.open.address}{API}/start?dry_run=true", json={"name": "x"}, headers=scene.open.headers
    )
    assert made.json()["namespace"] == served


def test_only_pages_of_the_origins_that_are_named_may_call(gateway: GatewayProcess, scene: Scene) -> None:
    def allowed(gateway: GatewayProcess, origin: str) -> list[str | None]:
        """For a page's question before its request, and for the request."""
        url, asked = f"{gateway.address}{API}/progress/{scene.served.task_id}", {"Origin": origin}
        question = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        answers = [
            requests.options(url, headers=asked | question),
            requests.get(url, headers={**asked, "Authorization": f"Bearer {gateway.token}"}),
        ]
        return [answer.headers.get("Access-Control-Allow-Origin") for answer in answers]

    assert allowed(gateway, ORIGIN) == [None, None]
    assert allowed(scene.open, ORIGIN) == [ORIGIN, ORIGIN]
    assert allowed(scene.open, "https://elsewhere.example.org") == [None, None]


class Secure(Another):
    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.address}{self.ready_path}", verify=str(self.folder / "ca.crt")).ok
        except requests.ConnectionError:
            return False


def test_tls_is_spoken_with_the_certificate_that_is_named(
    gateway: GatewayProcess, cluster: LocalCluster, tmp_path: Path
) -> None:
    authority = cluster.directory.control_plane().authority
    authority.issue(Identity("gateway-under-test", "gateway", hosts=("127.0.0.1",)))
    certificate, key = authority.certificate("gateway-under-test"), authority.key("gateway-under-test")
    (tmp_path / "ca.crt").write_bytes(authority.certificate("ca").read_bytes())
    secure = Secure(cluster, tmp_path, f"--tls-certificate={certificate}", f"--tls-key={key}")
    secure.start()
    try:
        url, ours = f"{secure.address}{API}/me", str(tmp_path / "ca.crt")
        assert requests.get(url, headers=secure.headers, verify=ours).json()["user"] == "development"
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(url, headers=secure.headers)
        with pytest.raises(requests.ConnectionError):
            requests.get(url.replace("https", "http"))
    finally:
        secure.stop()


def test_a_user_has_so_many_requests_and_all_have_so_many_streams(
    gateway: GatewayProcess, cluster: LocalCluster, scene: Scene, tmp_path: Path
) -> None:
    strict = Another(cluster, tmp_path, "--requests-per-second=0.001", "--burst=4", "--streams=1")
    strict.start()
    try:
        path = f"{strict.address}{API}/stream-progress/{scene.served.task_id}"
        with requests.get(path, headers=strict.headers, stream=True) as stream:
            assert stream.status_code == 200
            second = requests.get(path, headers=strict.headers)
            assert (second.status_code, second.headers["Retry-After"]) == (503, "30")
            codes = [requests.get(f"{strict.address}{API}/me", headers=strict.headers) for _ in range(3)]
            assert [answer.status_code for answer in codes] == [200, 200, 429]
            assert int(codes[-1].headers["Retry-After"]) > 0
    finally:
        strict.stop()
