"""TrainingJobs that a released version stored, in a real API server: today's CRD keeps, serves and changes them."""

import json
from collections.abc import Iterator

import pytest
import yaml

from delivery.conftest import RELEASED
from delivery.programs import ROOT, Object, objects_of
from support.kubectl import Kubectl

VERSIONS = sorted(path.name for path in RELEASED.iterdir())
SERVER_SIDE = "apply", "--server-side", "--force-conflicts"


def released(version: str, name: str) -> list[Object]:
    return objects_of((RELEASED / version / name).read_text())


def content(kubectl: Kubectl) -> dict[str, Object]:
    """Spec and status of every TrainingJob, by name."""
    found = kubectl.list("trainingjobs")
    return {each["metadata"]["name"]: {name: each[name] for name in ("spec", "status")} for each in found}


@pytest.fixture(autouse=True)
def _clean(kubectl: Kubectl) -> Iterator[None]:
    """Other tests install the CRDs themselves."""
    yield
    kubectl("delete", "-k", str(ROOT / "crds"), "--ignore-not-found")


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_release_stored_is_kept_and_can_be_changed(version: str, kubectl: Kubectl) -> None:
    crds = [each for each in released(version, "install.yaml") if each["kind"] == "CustomResourceDefinition"]
    kubectl(*SERVER_SIDE, "-f", "-", stdin=yaml.safe_dump_all(crds))
    established(kubectl)
    jobs = released(version, "objects.yaml")
    (status,) = released(version, "status.yaml")
    del status["status"]["completionTime"]  # what is over changes no more
    for job in jobs:
        kubectl.create(job)
        kubectl(
            "patch", "tj", job["metadata"]["name"], "--subresource=status", "--type=merge", "-p", json.dumps(status)
        )
    before = content(kubectl)
    assert {name: each["spec"] for name, each in before.items()} == {
        job["metadata"]["name"]: job["spec"] for job in jobs
    }

    kubectl(*SERVER_SIDE, "-k", str(ROOT / "crds"))
    established(kubectl)
    assert content(kubectl) == before
    for job in jobs:
        name = job["metadata"]["name"]
        suspend = not job["spec"].get("suspend", False)
        kubectl.patch("trainingjobs", name, {"spec": {"suspend": suspend}})
        kubectl.patch("trainingjobs", name, {"spec": {"suspend": not suspend}})
        kubectl("patch", "tj", name, "--subresource=status", "--type=merge", "-p", '{"status":{"restarts":4}}')
        again = {**job, "metadata": {"name": f"{name}-again"}}
        kubectl.create(again, dryRun="All")
    after = content(kubectl)
    for name, each in before.items():
        assert after[name]["spec"] == {"suspend": False, **each["spec"]}
        assert after[name]["status"] == {**each["status"], "restarts": 4}, "no write drops a field"


def established(kubectl: Kubectl) -> None:
    kubectl("wait", "crd", "--for=condition=Established", "trainingjobs.trainingjob.dev", "--timeout=60s")
