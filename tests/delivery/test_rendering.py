"""The chart and the kustomize base are one product: what they apply is compared object by object."""

import copy
import os
import re
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from delivery.programs import CHART, ROOT, Object, by_name, find_helm, kustomized, objects_of

NAMESPACE = "trainingjob-system"
HELMS = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart")


def rendered(*arguments: str, namespace: str = NAMESPACE, chart: Path = CHART) -> list[Object]:
    """What `helm install` would apply; hooks, such as the pod of `helm test`, are not part of that."""
    command = [find_helm(), "template", "trainingjob", chart, "--namespace", namespace, "--no-hooks", *arguments]
    return objects_of(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def alike(objects: list[Object]) -> dict[str, Object]:
    """By name, without what either way of installing marks as its own."""
    return by_name([_plain(each) for each in objects if each["kind"] != "Namespace"])


def _plain(given: Object) -> Object:
    plain = copy.deepcopy(given)
    metadata = plain["metadata"]
    metadata["labels"] = {name: value for name, value in metadata.get("labels", {}).items() if name not in HELMS}
    metadata.get("annotations", {}).pop("helm.sh/resource-policy", None)
    for container in plain.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ()):
        _is_expanded_in_order(container.get("env", ()))
        env = [_resolved(each, metadata["namespace"]) for each in container.get("env", ())]
        container["env"] = sorted(env, key=lambda each: str(each["name"]))
    return {**plain, "metadata": {name: value for name, value in metadata.items() if value}}


def _is_expanded_in_order(env: Sequence[Object]) -> None:
    """Kubernetes leaves `$(NAME)` as it is where that variable comes later."""
    for place, variable in enumerate(env):
        named = re.findall(r"\$\((\w+)\)", variable.get("value", ""))
        assert set(named) <= {each["name"] for each in env[:place]}, variable["name"]


def _resolved(variable: Object, namespace: str) -> Object:
    """kustomize leaves it to the pod which namespace it is in, where the chart has been told."""
    is_own = variable.get("valueFrom") == {"fieldRef": {"fieldPath": "metadata.namespace"}}
    return {"name": variable["name"], "value": namespace} if is_own else variable


def overlay(folder: Path, **content: object) -> Path:
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def beside(folder: Path, path: str) -> str:
    """kustomize takes no absolute paths."""
    return os.path.relpath(ROOT / path, folder)


def test_by_default_both_install_the_same() -> None:
    assert alike(rendered()) == alike(kustomized(ROOT / "deploy/base"))


def test_every_switch_has_a_component(tmp_path: Path) -> None:
    names = "deploy/monitoring", "deploy/monitoring/dashboards", "deploy/components/networkpolicy"
    made = overlay(
        tmp_path,
        namespace=NAMESPACE,
        resources=[beside(tmp_path, "deploy/base")],
        components=[beside(tmp_path, name) for name in names],
        labels=[{"pairs": {"app.kubernetes.io/part-of": "trainingjob"}}],
    )
    on = "monitoring.monitors=true,monitoring.rules=true,monitoring.dashboards=true,networkPolicy.enabled=true"
    assert alike(rendered("--set", on)) == alike(kustomized(made))


def test_with_the_gateway_both_install_the_same() -> None:
    assert alike(rendered("--set", "gateway.enabled=true")) == alike(kustomized(ROOT / "deploy/overlays/gateway"))


def test_a_list_of_namespaces_is_the_gateways_too() -> None:
    objects = by_name(rendered("--set", "gateway.enabled=true,namespaces={red,blue}"))
    (everywhere,) = (each for name, each in objects.items() if name == "ClusterRole /trainingjob-gateway")
    questions = {resource for rule in everywhere["rules"] for resource in rule["resources"]}
    assert questions == {"tokenreviews", "subjectaccessreviews"}
    for namespace in ("red", "blue"):
        rules = objects[f"Role {namespace}/trainingjob-gateway"]["rules"]
        assert "trainingjobs" in str(rules)
        assert "reviews" not in str(rules)
        assert objects[f"RoleBinding {namespace}/trainingjob-gateway"]["roleRef"]["kind"] == "Role"
    (container,) = objects[f"Deployment {NAMESPACE}/trainingjob-gateway"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][-2:] == ["--namespaces=red,blue", "--default-namespace=red"]


def test_an_ingress_has_its_host_and_certificate() -> None:
    names = "enabled=true,host=training.example.org,tlsSecret=certificate,className=internal"
    on = ",".join(["gateway.enabled=true", *(f"gateway.ingress.{each}" for each in names.split(","))])
    ingress = by_name(rendered("--set", on))[f"Ingress {NAMESPACE}/trainingjob-gateway"]
    assert ingress["spec"]["ingressClassName"] == "internal"
    assert ingress["spec"]["tls"] == [{"hosts": ["training.example.org"], "secretName": "certificate"}]
    assert [each["host"] for each in ingress["spec"]["rules"]] == ["training.example.org"]
    assert "nginx.ingress.kubernetes.io/proxy-buffering" in ingress["metadata"]["annotations"]


def test_for_one_namespace_both_install_the_same() -> None:
    chart = rendered("--values", str(CHART / "namespaced-values.yaml"), namespace="training")
    assert alike(chart) == alike(kustomized(ROOT / "deploy/overlays/namespaced"))


def test_a_list_of_namespaces_gets_a_role_in_each() -> None:
    objects = by_name(rendered("--set", "namespaces={red,blue}"))
    assert not {name for name in objects if name.startswith("ClusterRole") and "operator" in name}
    for namespace in ("red", "blue"):
        role = objects[f"Role {namespace}/trainingjob-operator"]
        assert {resource for rule in role["rules"] for resource in rule["resources"]} >= {
            "trainingjobs",
            "jobs",
            "pods",
        }
        assert "nodes" not in str(role["rules"])
        (subject,) = objects[f"RoleBinding {namespace}/trainingjob-operator"]["subjects"]
        assert subject["namespace"] == NAMESPACE
    assert variables(objects)["TRAININGJOB_OPERATOR_NAMESPACES"] == "red,blue"
    assert variables(objects)["TRAININGJOB_OPERATOR_METRICS_AUTH"] == "false"


DIGEST = f"sha256:{'0' * 64}"
CHOSEN = {
    "imagePullSecrets": ["registry"],
    "operator": {
        "image": {"repository": "mirror/operator", "digest": DIGEST},
        "settings": {"LOG_FORMAT": "text", "RELIST_SECONDS": 120},
        "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
        "nodeSelector": {"pool": "system"},
        "podLabels": {"team": "platform"},
        "priorityClass": {"create": False, "name": "system-cluster-critical"},
    },
    "trainer": {"image": {"repository": "mirror/trainer", "tag": "cpu"}},
    "monitoring": {"rules": True, "labels": {"release": "prometheus"}},
}


def test_what_is_set_reaches_the_pods(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(CHOSEN))
    objects = by_name(rendered("--values", str(tmp_path / "values.yaml")))
    found = variables(objects)
    assert found["TRAININGJOB_OPERATOR_LOG_FORMAT"] == "text"
    assert found["TRAININGJOB_OPERATOR_RELIST_SECONDS"] == "120"
    assert found["TRAININGJOB_OPERATOR_TRAINER_IMAGE"] == "mirror/trainer:cpu"
    assert found["HTTPS_PROXY"] == "http://proxy:3128"
    template = objects[DEPLOYMENT]["spec"]["template"]
    assert template["metadata"]["labels"] == {"app.kubernetes.io/name": "trainingjob-operator", "team": "platform"}
    pod = template["spec"]
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["nodeSelector"] == {"pool": "system"}
    assert pod["priorityClassName"] == "system-cluster-critical"
    assert pod["containers"][0]["image"] == f"mirror/operator@{DIGEST}"
    assert not any(name.startswith("PriorityClass") for name in objects)
    assert objects[f"PrometheusRule {NAMESPACE}/trainingjob"]["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        pytest.param("operator.replica=3", "replica", id="a word that there is not"),
        pytest.param("namespaces=red", "namespaces", id="a text instead of a list"),
        pytest.param("namespaces={Red}", "namespaces", id="no namespace's name"),
        pytest.param("operator.image.digest=latest", "digest", id="no digest"),
        pytest.param("gateway.ingress.enabled=true", "ingress", id="an ingress without a host"),
        pytest.param("operator.priorityClass.name=", "priorityClass", id="a class to make without a name"),
    ],
)
def test_the_schema_names_what_is_wrong(wrong: str, names: str) -> None:
    command = [find_helm(), "template", "trainingjob", CHART, "--set", wrong]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr
    assert names in done.stderr


def test_lint_finds_nothing() -> None:
    done = subprocess.run([find_helm(), "lint", "--strict", CHART], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "[WARNING]" not in done.stdout


def test_the_package_holds_manifests_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([find_helm(), "package", CHART, "--destination", tmp_path], capture_output=True, check=True)
    (package,) = tmp_path.iterdir()
    with tarfile.open(package) as archive:
        files = archive.getmembers()
    assert all(file.isfile() for file in files), "links lead nowhere outside of the checkout"
    names = {file.name.removeprefix("trainingjob/") for file in files}
    assert {f"files/crds/{each.name}" for each in (ROOT / "crds").glob("*.yaml")} <= names
    assert {Path(name).suffix for name in names} <= {".yaml", ".json", ".tpl", ".txt", "", ".md"}
    assert not {name for name in names if "prometheus/" in name or "trainingjob_api" in name}
    assert package.stat().st_size < 200_000, "a release is one Secret"
    assert alike(rendered(chart=package)) == alike(rendered())


DEPLOYMENT = f"Deployment {NAMESPACE}/trainingjob-operator"


def variables(objects: dict[str, Object]) -> dict[str, str]:
    """The operator's, with a value each; each once."""
    (container,) = objects[DEPLOYMENT]["spec"]["template"]["spec"]["containers"]
    given = container["env"]
    assert len({each["name"] for each in given}) == len(given)
    return {each["name"]: each["value"] for each in given if "value" in each}
